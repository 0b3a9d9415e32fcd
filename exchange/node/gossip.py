"""What other members were shown of the directory, as it comes inside their envelopes: compared with what is here.

A checkpoint that is not larger has to be of the same log. A larger one is remembered, until the relay shows as much or
its time is over (`exchange.node.directory`). A member that sends none, or a bad one, is heard all the same.
"""

from exchange.node.alarms import Alarms
from exchange.node.following import LOG, Known, Report, known_of, split_from
from exchange.node.parts import Parts
from exchange.storage.trust_port import Heard
from keys.checkpoint import parse_signed
from keys.errors import KeyFault, Untrusted
from keys.quorum import known_log
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.observation import ObservationKind


class Gossip:
    """Compares, remembers, tells."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)

    async def heard(self, member: MemberId, note: bytes | None) -> None:
        """Take the checkpoint that an envelope of a member carried; None: it carried none."""
        if note is None:
            return
        try:
            known = self._read(member, note)
        except (DecodeError, KeyFault) as fault:
            detail = f"{member} sends a checkpoint that cannot be compared: {fault}"
            await self._alarms.tell_daily(f"bad-gossip:{member}", "bad-gossip", member, detail)
            return
        if known is not None:
            await self._compare(known, member)

    def _read(self, member: MemberId, note: bytes) -> Known | None:
        """Verified by the Ed25519 line; None for what lies behind the end of a former relay's directory."""
        signed = parse_signed(note)
        log = known_log(signed.checkpoint.origin, LOG, self._parts.directory.current)
        if log is None:
            raise Untrusted(f"{signed.checkpoint.origin} is of no relay of the charter: has the relay been replaced?")
        log.keys.verify_short(signed)
        if log.end is not None and signed.checkpoint.size > log.end:
            return None
        return known_of(signed, member)

    async def _compare(self, known: Known, member: MemberId) -> None:
        parts = self._parts
        newest, tree = parts.directory.newest, parts.directory.log().tree
        if newest is not None and newest.note is not None and known.size <= newest.size:
            report = split_from(known, parse_signed(newest.note).checkpoint, newest.note, tree)
        else:
            report = await self._remember(known, member)
        if report is not None:
            await parts.guard.report(report)

    async def _remember(self, known: Known, member: MemberId) -> Report | None:
        """A larger one; it may contradict what another member had, or what this node was asked to cosign."""
        parts = self._parts
        await parts.stores.trust.save_heard(Heard(member, known.size, known.root, known.note, parts.clock.now()))
        parts.wakes.directory.set()
        origin = _origin(known.note)
        others = [
            (heard.member, heard.size, heard.root, heard.note)
            for heard in await parts.stores.trust.heard()
            if _origin(heard.note) == origin
        ]
        witnessed = await parts.stores.trust.witnessed(origin)
        if witnessed is not None:
            others.append(("this node", witnessed.size, witnessed.root, witnessed.note))
        for whose, size, root, note in others:
            if size == known.size and Digest(root) != known.root:
                detail = f"{member} and {whose} were shown two directories of {size} entries"
                return Report(ObservationKind.SPLIT_VIEW, detail, member, held=note, shown=known.note)
        return None


def _origin(note: bytes) -> str:
    """Two relays' directories are two logs, also where one goes on with the other's entries."""
    return parse_signed(note).checkpoint.origin
