"""Receipt of the relay and acknowledgement of a recipient (docs/protocol.md, "Receipt", "Acknowledgement")."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Struct, Uint, decode
from schemas.ids import (
    DIGEST,
    ED25519_SIGNATURE,
    ID16,
    MEMBER,
    TIME,
    Digest,
    EnvelopeId,
    KeyId,
    MemberId,
    nested,
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The relay's statement that it accepted an envelope; the moment of decision (design of consent).

    Attributes:
        relay: key id of the relay's identity in the charter.
        body_digest, body_size: of the ciphertext, as the relay received and verified it.
        time: when it accepted, Unix seconds; never decreasing.
        directory_size: the size of the directory under which it decided; never decreasing.
        log_by: until when the acceptance stands in the relay's log.
    """

    relay: KeyId
    sender: MemberId
    envelope: EnvelopeId
    header_digest: Digest
    body_digest: Digest
    body_size: int
    time: int
    directory_size: int
    log_by: int


class Outcome(IntEnum):
    """What became of an envelope at its recipient."""

    DELIVERED = 1
    REFUSED = 2


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The recipient's statement, made after its own commit, that it holds an envelope or refuses it.

    It gives no reason for a refusal: what failed after the wrap is nobody's knowledge but the recipient's.
    """

    recipient: MemberId
    key_id: KeyId
    sender: MemberId
    envelope: EnvelopeId
    header_digest: Digest
    outcome: Outcome
    time: int


RECEIPT: Final = Struct(
    Receipt,
    Field(1, "relay", DIGEST),
    Field(2, "sender", MEMBER),
    Field(3, "envelope", ID16),
    Field(4, "header_digest", DIGEST),
    Field(5, "body_digest", DIGEST),
    Field(6, "body_size", Uint(1, limits.MAX_BODY)),
    Field(7, "time", TIME),
    Field(8, "directory_size", Uint(1, limits.MAX_DIRECTORY_SIZE)),
    Field(9, "log_by", TIME),
)
ACKNOWLEDGEMENT: Final = Struct(
    Acknowledgement,
    Field(1, "recipient", MEMBER),
    Field(2, "key_id", DIGEST),
    Field(3, "sender", MEMBER),
    Field(4, "envelope", ID16),
    Field(5, "header_digest", DIGEST),
    Field(6, "outcome", Choice(Outcome)),
    Field(7, "time", TIME),
)


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """The exact bytes of a receipt and the relay's Ed25519 signature, not yet verified."""

    body: bytes
    signature: bytes
    receipt: Receipt = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        object.__setattr__(self, "receipt", decode(RECEIPT, self.body, limits.MAX_SMALL_OBJECT))


@dataclass(frozen=True, slots=True)
class SignedAcknowledgement:
    """The exact bytes of an acknowledgement and the recipient's Ed25519 signature, not yet verified."""

    body: bytes
    signature: bytes
    acknowledgement: Acknowledgement = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        parsed = decode(ACKNOWLEDGEMENT, self.body, limits.MAX_SMALL_OBJECT)
        object.__setattr__(self, "acknowledgement", parsed)


SIGNED_RECEIPT: Final = Struct(
    SignedReceipt,
    Field(1, "body", nested(limits.MAX_SMALL_OBJECT)),
    Field(2, "signature", ED25519_SIGNATURE),
)
SIGNED_ACKNOWLEDGEMENT: Final = Struct(
    SignedAcknowledgement,
    Field(1, "body", nested(limits.MAX_SMALL_OBJECT)),
    Field(2, "signature", ED25519_SIGNATURE),
)
