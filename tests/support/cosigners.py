"""Member nodes as witnesses, with the keys of a test world: in memory, inside a relay, or for a note made by hand.

signed = signed_checkpoint(world, "directory", world.entries)
note = cosigned(world, signed, ["KAZ", "MNG", "UZB"]).encode()

cosigner = Cosigner(world, "KAZ")
answer = cosigner.answer(request.body, now)       # a WitnessAnswer, and remembered
"""

from collections.abc import Callable, Iterable, Sequence

from exchange.relay.app import RelayApp
from keys.checkpoint import LogKeys, SignedCheckpoint
from keys.digests import key_id
from keys.logsigner import cosign_checkpoint, sign_checkpoint
from keys.merkle import MemoryTree, tree_root
from keys.note import encode_lines
from keys.quorum import origin_of
from keys.tiles import entry_hash
from keys.witness import Cosign, Seen, judge, parse_request
from schemas.charter import HybridPublic, Role
from schemas.ids import MemberId
from schemas.relayapi import WitnessAnswer, WitnessStatus
from tests.support.world import World

_NOTES: dict[tuple[bytes, tuple[bytes, ...], int], bytes] = {}
_MOST_NOTES = 256

Said = Callable[[str, WitnessAnswer], WitnessAnswer | None]
"""What a member says in place of its honest answer; None: nothing."""


def voters(world: World) -> tuple[str, ...]:
    """Codes of those whose cosignatures count."""
    return tuple(member.code for member in world.charter.members if member.role is Role.MEMBER)


def signed_checkpoint(world: World, log: str, leaves: Sequence[bytes], size: int | None = None) -> SignedCheckpoint:
    """The relay's checkpoint over the first `size` leaves, by default over all."""
    count = len(leaves) if size is None else size
    tree = MemoryTree(entry_hash(leaf) for leaf in leaves[:count])
    return sign_checkpoint(world.relay, log, count, tree_root(count, tree))


def cosigned(
    world: World, signed: SignedCheckpoint, members: Iterable[str] | None = None, time: int | None = None
) -> SignedCheckpoint:
    """With both cosignature lines of each member's node, by default of all that count, made at the world's time."""
    for code in voters(world) if members is None else members:
        signed = signed.add(
            cosign_checkpoint(world.nodes[code], signed.checkpoint, world.now if time is None else time)
        )
    return signed


def cosigned_note(world: World, entries: Sequence[bytes], time: int | None = None) -> bytes:
    """The relay's checkpoint of the directory over these entries, cosigned by all that count; made once."""
    when = world.now if time is None else time
    name = (world.relay.key_id, tuple(entries), when)
    if name not in _NOTES:
        if len(_NOTES) >= _MOST_NOTES:
            _NOTES.clear()
        _NOTES[name] = cosigned(world, signed_checkpoint(world, "directory", entries), time=when).encode()
    return _NOTES[name]


class Cosigner:
    """An honest witness: it keeps the newest checkpoint of each log in memory."""

    def __init__(self, world: World, member: str, relay: HybridPublic | None = None) -> None:
        self.member = member
        self._identity = world.nodes[member]
        operator = relay or world.relay.public
        origins = [origin_of(log, key_id(operator)) for log in ("directory", "audit")]
        self._logs = {origin: LogKeys.of(origin, operator) for origin in origins}
        self.seen: dict[str, Seen] = {}

    def answer(self, request: bytes, now: int) -> WitnessAnswer:
        """Judge, keep, cosign."""
        asked = parse_request(request)
        checkpoint = asked.signed.checkpoint
        keys = self._logs.get(checkpoint.origin)
        known = () if keys is None else (keys.ed25519, keys.mldsa65)
        verdict = judge(asked, known, self.seen.get(checkpoint.origin, Seen()))
        if not isinstance(verdict, Cosign):
            status = WitnessStatus(verdict.status.value)
            return WitnessAnswer(checkpoint.origin, verdict.size or 0, status, None)
        self.seen[checkpoint.origin] = verdict.seen
        lines = encode_lines(cosign_checkpoint(self._identity, checkpoint, now))
        return WitnessAnswer(checkpoint.origin, checkpoint.size, WitnessStatus.COSIGNED, lines)


class Quorum:
    """Witnesses inside a relay under test: its members cosign at once, without sessions, which stay the test's own.

    `present` may be changed at any time; `said` replaces what a member answers.
    """

    def __init__(self, app: RelayApp, world: World, present: Iterable[str]) -> None:
        self._app = app
        self.cosigners = {code: Cosigner(world, code) for code in voters(world)}
        self.present = set(present)
        self.said: Said = lambda member, answer: answer
        self.asked: list[tuple[str, str]] = []

    def take_over(self) -> None:
        """From now on sessions are asked nothing, and coming and going of sessions changes nothing."""
        self._app.sessions._watchers.clear()
        setattr(self._app.sessions, "ask", self._ask)  # noqa: B010  # a method of an instance, for mypy
        for code in self.cosigners:
            self._app.logs.joined(MemberId(code))

    def come_back(self, *members: str) -> None:
        """These are there, and can be asked at once."""
        self.present |= set(members)
        for code in members:
            self._app.logs.joined(MemberId(code))

    def _ask(self, member: MemberId, log: str, request: bytes) -> None:
        self.asked.append((member, log))
        if member not in self.present:
            return
        answer = self.said(member, self.cosigners[member].answer(request, self._app.clock.now()))
        if answer is not None:
            self._app.logs.answered(member, answer)
