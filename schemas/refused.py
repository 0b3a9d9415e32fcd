"""A refused transfer, as the providers are told of it (docs/protocol.md, "Refused transfers")."""

import re
from dataclasses import dataclass
from typing import Final

from schemas import limits
from schemas.canon import Field, Struct, Text, decode, encode
from schemas.ids import TIME, nested

# The longest rule of consent has 23 letters; a reader refuses a rule that it does not know.
MAX_RULE: Final = 40
# Header, receipt, rule and the bytes around them.
MAX_REFUSED: Final = limits.MAX_HEADER + limits.MAX_SMALL_OBJECT + limits.KIB
_RULE: Final = re.compile("[a-z]+(-[a-z]+)*")


@dataclass(frozen=True, slots=True)
class RefusedTransfer:
    """That the rules of consent refused an envelope. It says nothing of what its sender meant by it.

    Attributes:
        header: the exact bytes of the envelope's header; its sender's signature in it is the proof.
        receipt: the relay's `SignedReceipt`, where a recipient refused what the relay had accepted.
        rule: the rule that refuses it, as in the table of "Consent".
        time: when it was refused, Unix seconds.
    """

    header: bytes
    receipt: bytes | None
    rule: str
    time: int


REFUSED_TRANSFER: Final = Struct(
    RefusedTransfer,
    Field(1, "header", nested(limits.MAX_HEADER)),
    Field(2, "receipt", nested(limits.MAX_SMALL_OBJECT), optional=True),
    Field(3, "rule", Text(MAX_RULE, _RULE)),
    Field(4, "time", TIME),
)


def encode_refused(refused: RefusedTransfer) -> bytes:
    """Its bytes."""
    return encode(REFUSED_TRANSFER, refused)


def decode_refused(data: bytes) -> RefusedTransfer:
    """Read one; raises DecodeError."""
    return decode(REFUSED_TRANSFER, data, MAX_REFUSED)
