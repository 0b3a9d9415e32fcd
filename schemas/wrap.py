"""Wraps: the content key and the pair's place in its stream, sealed to one recipient (docs/protocol.md, "Wrap")."""

from dataclasses import dataclass
from typing import Final

from schemas import limits
from schemas.canon import Field, Seq, Struct, fixed
from schemas.contexts import Context, framed
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, MEMBER, Digest, KeyId, MemberId, StreamId
from schemas.terms import Suite

# X-Wing ciphertext 1,120 and Poly1305 tag 16 (RFC 9180 single shot), around the secret's 88 bytes.
_SEALED: Final = 1120 + 16 + 88


@dataclass(frozen=True, slots=True)
class Wrap:
    """One recipient's wrap: `sealed` is 1,224 bytes, HPKE encapsulated key then ciphertext."""

    recipient: MemberId
    key_id: KeyId
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Wraps:
    """One to 64 wraps, in ascending order of their recipients."""

    items: tuple[Wrap, ...]


WRAP: Final = Struct(
    Wrap,
    Field(1, "recipient", MEMBER),
    Field(2, "key_id", DIGEST),
    Field(3, "sealed", fixed(_SEALED)),
)
WRAPS: Final = Struct(
    Wraps,
    Field(1, "items", Seq(WRAP, 1, limits.MAX_RECIPIENTS, lambda wrap: wrap.recipient)),
)


@dataclass(frozen=True, slots=True, repr=False)
class WrapSecret:
    """What a wrap seals. Its encoding has a fixed size, so that a wrap does not tell how far its stream is.

    Attributes:
        content_key: 32 bytes.
        stream, number: the place in the stream from sender to recipient; numbers begin at 1.
        previous: digest of the header that had the number before; 32 zero bytes at number 1, unless a restore began
            the stream: then of the last header of the stream before.
    """

    content_key: bytes
    stream: StreamId
    number: int
    previous: Digest

    def encode(self) -> bytes:
        """88 bytes: key 32, stream 16, number 8 big-endian, previous 32. Raises DecodeError on other sizes."""
        if len(self.content_key) != 32 or len(self.stream) != 16 or len(self.previous) != 32:
            raise DecodeError(Reason.WRONG_TYPE, "WrapSecret")
        if not 1 <= self.number <= limits.MAX_NUMBER:
            raise DecodeError(Reason.OUT_OF_RANGE, "WrapSecret.number")
        return self.content_key + self.stream + self.number.to_bytes(8, "big") + self.previous

    @classmethod
    def decode(cls, data: bytes) -> "WrapSecret":
        """Read the 88 bytes; raises DecodeError."""
        if len(data) != 88:
            raise DecodeError(Reason.MALFORMED, "WrapSecret")
        number = int.from_bytes(data[48:56], "big")
        if not 1 <= number <= limits.MAX_NUMBER:
            raise DecodeError(Reason.OUT_OF_RANGE, "WrapSecret.number")
        return cls(data[:32], StreamId(data[32:48]), number, Digest(data[56:]))


def wrap_info(suite: Suite, core_digest: Digest, recipient: MemberId, key_id: KeyId) -> bytes:
    """The HPKE `info` that binds a wrap to one core, one recipient and one epoch key.

    `core_digest` is SHA-256 of the core's bytes.
    """
    return framed(Context.WRAP, bytes([suite]), core_digest, recipient.encode("ascii"), key_id)
