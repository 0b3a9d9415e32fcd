"""That an official has opened what an envelope brought: a receipt that its reader's node signs.

It goes to the sender alone, inside an envelope like any message about consent (docs/protocol.md, "Openings").
"""

from dataclasses import dataclass, field
from typing import Final

from schemas import limits
from schemas.canon import Field, Seq, Struct, decode
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ID16, MEMBER, TIME, Digest, EnvelopeId, MemberId, nested
from schemas.signed import SIGNATURE, Signature


@dataclass(frozen=True, slots=True)
class Opening:
    """The reader's statement that at `time` (Unix seconds) an official first opened the content. It names nobody."""

    reader: MemberId
    sender: MemberId
    envelope: EnvelopeId
    header_digest: Digest
    time: int


OPENING: Final = Struct(
    Opening,
    Field(1, "reader", MEMBER),
    Field(2, "sender", MEMBER),
    Field(3, "envelope", ID16),
    Field(4, "header_digest", DIGEST),
    Field(5, "time", TIME),
)


@dataclass(frozen=True, slots=True)
class SignedOpening:
    """The exact bytes of an opening and its signature, not yet verified.

    Raises DecodeError (contradiction) when the signer is not the reader.
    """

    body: bytes
    signature: Signature
    opening: Opening = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        opening = decode(OPENING, self.body, limits.MAX_SMALL_OBJECT)
        if self.signature.signer != opening.reader:
            raise DecodeError(Reason.CONTRADICTION, "SignedOpening.signature")
        object.__setattr__(self, "opening", opening)


@dataclass(frozen=True, slots=True)
class Openings:
    """What has been opened of one sender's since the last time that it was told; each a `SignedOpening`."""

    items: tuple[bytes, ...]


SIGNED_OPENING: Final = Struct(
    SignedOpening, Field(1, "body", nested(limits.MAX_SMALL_OBJECT)), Field(2, "signature", SIGNATURE)
)
OPENINGS: Final = Struct(
    Openings, Field(1, "items", Seq(nested(limits.MAX_SMALL_OBJECT), 1, limits.MAX_OPENINGS, lambda item: item))
)
