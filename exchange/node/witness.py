"""The node as a witness of the relay's logs: it cosigns a checkpoint only when the log has done nothing but grow.

What it has cosigned is on the disk before it answers, and is replaced only if it is still what was compared with. For
the directory's log it also counts what a quorum of others has cosigned. After a restore, which makes it forget what it
cosigned, it begins with what a quorum of others shows since then.
"""

import asyncio
from typing import Final

from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.following import LOG, Log, Report, known_of, split_from
from exchange.node.parts import Parts
from exchange.storage.trust_port import Witnessed
from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.cosign import Cosigner, verify_quorum
from keys.errors import KeyFault, Untrusted
from keys.logsigner import cosign_checkpoint
from keys.note import NoteKey, encode_lines
from keys.origin import AUDIT_LOG
from keys.quorum import cosigner_keys, known_log, member_keys, verify_cosigned
from keys.view import Directory
from keys.witness import AddCheckpoint, Cosign, Refuse, Seen, judge, parse_request
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.observation import ObservationKind
from schemas.relayapi import WitnessAnswer, WitnessRequest, WitnessStatus

_LOGS: Final = (LOG, AUDIT_LOG)
_UNKNOWN: Final = "unknown"


class Witness:
    """Answers the relay's requests, one after another."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._lock = asyncio.Lock()
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("witness")

    async def answer(self, request: WitnessRequest) -> WitnessAnswer:
        """Judge, keep, cosign. Never raises for what the relay sends."""
        try:
            asked = parse_request(request.body)
        except DecodeError:
            return WitnessAnswer(_UNKNOWN, 0, WitnessStatus.MALFORMED, None)
        checkpoint = asked.signed.checkpoint
        async with self._lock:
            try:
                answer = await self._answer(asked)
            except Exception as fault:  # noqa: BLE001  # whatever fails, nothing was signed, and the session goes on
                self._log.warning("witness.failed", origin=checkpoint.origin, why=place_of(fault))
                answer = WitnessStatus.NOT_NOW
        if isinstance(answer, WitnessAnswer):
            return answer
        return WitnessAnswer(checkpoint.origin, checkpoint.size, answer, None)

    async def _answer(self, asked: AddCheckpoint) -> WitnessAnswer | WitnessStatus:
        parts, checkpoint = self._parts, asked.signed.checkpoint
        now, origin = parts.clock.now(), checkpoint.origin
        before = await parts.stores.trust.witnessed(origin)
        why = await self._not_now(before, now)
        if why is not None:
            self._log.warning("witness.not-now", origin=origin, why=why)
            return WitnessStatus.NOT_NOW
        verdict = judge(asked, _keys(origin, parts.directory.current), self._seen(origin, before))
        if isinstance(verdict, Refuse):
            return await self._refused(asked, verdict, before)
        # Times never decrease, whatever a clock does that is set right.
        return await self._cosign(verdict, before, now if before is None else max(now, before.time))

    async def _not_now(self, before: Witnessed | None, now: int) -> str | None:
        """Why nothing may be cosigned; None when it may be."""
        behind = self._parts.directory.clock_fault(now)
        if behind is not None:
            return behind
        jumped = self._parts.clocks.jumped()
        if jumped > MAX_CLOCK_AHEAD:
            # What is kept now would forbid to cosign until that time has come.
            return f"the clock has jumped {jumped:.0f} s ahead since the session began: set it, or restart the node"
        if before is not None and now < before.time - MAX_CLOCK_AHEAD:
            return "the clock has gone back since the last cosignature: set it"
        restored = await self._parts.stores.trust.restored()
        if restored is not None and (before is None or before.time < restored[1]):
            return "this node was restored and has not seen since what a quorum of others shows"
        return None

    def _seen(self, origin: str, before: Witnessed | None) -> Seen:
        """What this node has cosigned, or adopted with a quorum of others, whichever is larger."""
        seen = Seen() if before is None else Seen(before.size, Digest(before.root))
        log = self._parts.directory.log()
        known = known_log(origin, LOG, log.view)
        if known is None or known.end is not None or log.view.size <= seen.size:
            return seen
        return Seen(log.view.size, log.root(log.view.size))

    async def _cosign(self, verdict: Cosign, before: Witnessed | None, now: int) -> WitnessAnswer | WitnessStatus:
        """On the disk first, unless another has come in between; then the answer."""
        checkpoint = verdict.signed.checkpoint
        kept = Witnessed(checkpoint.size, checkpoint.root, verdict.signed.encode(), now)
        if not await self._parts.stores.trust.save_witnessed(checkpoint.origin, before, kept):
            return WitnessStatus.NOT_NOW
        lines = await asyncio.to_thread(cosign_checkpoint, self._parts.keyring.signing, checkpoint, now)
        return WitnessAnswer(checkpoint.origin, checkpoint.size, WitnessStatus.COSIGNED, encode_lines(lines))

    async def _refused(self, asked: AddCheckpoint, refusal: Refuse, before: Witnessed | None) -> WitnessAnswer:
        """The answer; and an alarm when the relay has signed what contradicts what is known here."""
        checkpoint, status = asked.signed.checkpoint, refusal.status
        if status in (WitnessStatus.OTHER_SIZE, WitnessStatus.INCONSISTENT):
            await self._tell_split(asked.signed, before)
        if status is WitnessStatus.INCONSISTENT:
            detail = f"the relay asked to cosign what does not continue its log: {refusal.detail}"
            await self._alarms.tell_daily(f"witness-inconsistent:{checkpoint.origin}", "inconsistent", None, detail)
        size = checkpoint.size if refusal.size is None else refusal.size
        return WitnessAnswer(checkpoint.origin, size, status, None)

    async def _tell_split(self, signed: SignedCheckpoint, before: Witnessed | None) -> None:
        """Two checkpoints that the relay signed and that cannot be of one log."""
        directory, checkpoint = self._parts.directory, signed.checkpoint
        if before is not None and before.size == checkpoint.size and before.root != checkpoint.root:
            detail = f"the relay asked to cosign two checkpoints of {checkpoint.size} entries with two roots"
            note = signed.encode()
            await self._parts.guard.report(Report(ObservationKind.SPLIT_VIEW, detail, held=before.note, shown=note))
            return
        newest = directory.newest
        if known_log(checkpoint.origin, LOG, directory.current) is None or newest is None or newest.note is None:
            return
        held = parse_signed(newest.note).checkpoint
        report = split_from(known_of(signed, None), held, newest.note, directory.log().tree)
        if report is not None:
            await self._parts.guard.report(report)

    async def recover(self) -> None:
        """After a restore: begin with what a quorum of others has cosigned since. Raises RelayUnreachable."""
        restored = await self._parts.stores.trust.restored()
        if restored is None or self._parts.directory.newest is None:
            return
        for name in _LOGS:
            await self._recover(name, restored[1])

    async def _recover(self, name: str, since: int) -> None:
        parts = self._parts
        note = await parts.relay.checkpoint(name)
        if note is None:
            return
        signed = parse_signed(note)
        checkpoint = signed.checkpoint
        async with self._lock:
            before = await parts.stores.trust.witnessed(checkpoint.origin)
            if before is not None and before.time >= since:
                return
            try:
                _by_others(signed, name, parts.directory.log(), parts.member, since)
            except KeyFault as fault:
                self._log.info("witness.waits", log=name, why=str(fault))
                return
            kept = Witnessed(checkpoint.size, checkpoint.root, note, max(since, parts.clock.now()))
            await parts.stores.trust.save_witnessed(checkpoint.origin, before, kept)


def _keys(origin: str, directory: Directory) -> tuple[NoteKey, ...]:
    """Those of a log of a relay that the charter in force names; none of any other."""
    for name in _LOGS:
        log = known_log(origin, name, directory)
        if log is not None and log.end is None:
            return log.keys.ed25519, log.keys.mldsa65
    return ()


def _by_others(signed: SignedCheckpoint, name: str, log: Log, member: MemberId, since: int) -> None:
    """A quorum of others has cosigned it since then, and it continues what is known here. Raises Untrusted.

    Where every member is needed for a quorum there is none of others, and none for a fork without them either: then
    the newest that all have cosigned is enough.
    """
    checkpoint, view = signed.checkpoint, log.view
    if name == LOG and (checkpoint.size > view.size or log.root(checkpoint.size) != checkpoint.root):
        raise Untrusted("the directory has to be brought up to date first")
    known = known_log(checkpoint.origin, name, view)
    if known is None or known.end is not None:
        raise Untrusted(f"{checkpoint.origin} is no log of a relay of the charter")
    known.keys.verify(signed)
    others = [
        Cosigner(record.member, cosigner_keys(record), max(record.valid_from, since), record.valid_until)
        for record in member_keys(view)
        if record.member != member
    ]
    needed = view.charter.quorums.witness
    if needed == len(view.charter.voters()):
        verify_cosigned(signed, name, view)
    else:
        verify_quorum(signed, others, needed)
