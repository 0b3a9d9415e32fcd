"""What a node gives the relay so that its audit log cannot be rewritten afterwards (docs/protocol.md, "Anchors")."""

from dataclasses import dataclass
from typing import Final

from schemas import limits
from schemas.canon import Blob, Field, Struct, Uint, decode
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, MEMBER, Digest, MemberId, nested

_HASH: Final = 32


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of a node's audit log, and the hashes of its leaves since what the relay has of it.

    Attributes:
        member: whose log.
        checkpoint: a signed note with both lines of the node's signing key.
        first: index of the first of `hashes`; how many the relay has already.
        hashes: leaf hashes (RFC 6962), one after another, of the leaves from `first` until the checkpoint's size.

    Raises DecodeError (malformed) when `hashes` is no row of hashes.
    """

    member: MemberId
    checkpoint: bytes
    first: int
    hashes: bytes

    def __post_init__(self) -> None:
        """Refuse half a hash."""
        if len(self.hashes) % _HASH:
            raise DecodeError(Reason.MALFORMED, "Anchor.hashes")

    @property
    def leaves(self) -> tuple[Digest, ...]:
        """The hashes one by one."""
        starts = range(0, len(self.hashes), _HASH)
        return tuple(Digest(self.hashes[start : start + _HASH]) for start in starts)


@dataclass(frozen=True, slots=True)
class Anchored:
    """The relay's answer: how many leaves of the member's log it has now, and their root."""

    size: int
    root: Digest


ANCHOR: Final = Struct(
    Anchor,
    Field(1, "member", MEMBER),
    Field(2, "checkpoint", nested(limits.MAX_ANCHOR_NOTE)),
    Field(3, "first", Uint(0, limits.MAX_TREE_SIZE)),
    Field(4, "hashes", Blob(0, limits.MAX_ANCHORED * _HASH)),
)
ANCHORED: Final = Struct(
    Anchored,
    Field(1, "size", Uint(0, limits.MAX_TREE_SIZE)),
    Field(2, "root", DIGEST),
)


def read_anchor(data: bytes) -> Anchor:
    """Read an anchor; raises DecodeError."""
    return decode(ANCHOR, data, limits.MAX_ANCHOR)


def read_anchored(data: bytes) -> Anchored:
    """Read the relay's answer; raises DecodeError."""
    return decode(ANCHORED, data, limits.MAX_SMALL_OBJECT)
