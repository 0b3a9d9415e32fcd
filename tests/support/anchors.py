"""Members' audit logs as a relay holds them, in memory: taken in by the real rules, or altered by a test."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from exchange.audit.anchored import check_known, grown
from exchange.errors import Conflict, Invalid
from exchange.node.transport import RelayRefused
from keys.checkpoint import parse_signed
from keys.merkle import Frontier
from schemas.anchor import ANCHORED, Anchored, read_anchor
from schemas.canon import encode
from schemas.ids import Digest

# Hashes in one answer: few, so that a longer log takes several.
_AT_ONCE = 700


@dataclass
class HeldLog:
    """One member's: all hashes, and every note by its size."""

    hashes: list[Digest] = field(default_factory=list)
    notes: dict[int, bytes] = field(default_factory=dict)


class HeldLogs:
    """What the relay answers at /v1/anchors."""

    def __init__(self) -> None:
        self.logs: dict[str, HeldLog] = {}

    def of(self, member: str) -> HeldLog:
        """What is held of a member's log."""
        return self.logs.setdefault(member, HeldLog())

    def take(self, member: str, raw: bytes) -> bytes:
        """As the relay takes an anchor."""
        anchor, log = read_anchor(raw), self.of(member)
        assert anchor.member == member
        checkpoint = parse_signed(anchor.checkpoint).checkpoint
        overlap = log.hashes[anchor.first :][: len(anchor.leaves)]
        known = log.notes.get(checkpoint.size)
        try:
            check_known(None if known is None else parse_signed(known).checkpoint.root, checkpoint)
            after = grown(Frontier().extend(log.hashes), anchor, checkpoint, overlap)
        except (Conflict, Invalid) as fault:
            raise RelayRefused(fault.code, fault.detail, fault.extra) from None
        log.hashes += anchor.leaves[len(log.hashes) - anchor.first :]
        log.notes[checkpoint.size] = anchor.checkpoint
        return encode(ANCHORED, Anchored(after.size, after.root))

    def read(self, path: str) -> bytes:
        """What stands under a path behind /v1/anchors/."""
        parts = urlsplit(path)
        member, _, what = parts.path.partition("/")
        log = self.of(member)
        if what == "hashes":
            first = int(parse_qs(parts.query)["from"][0])
            return b"".join(log.hashes[first : first + _AT_ONCE])
        if not log.notes:
            raise RelayRefused("no-anchor", "no such anchor of this member is here")
        return log.notes[max(log.notes)]
