"""The one error that decoding and checking a wire object raises, and its stable reason codes.

The codes are part of the protocol (docs/protocol.md, "Reason codes"): test vectors name them, refusals carry them,
and another implementation must give the same one for the same defect.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why bytes are not a wire object of this protocol."""

    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    TRAILING_BYTES = "trailing-bytes"
    NON_CANONICAL = "non-canonical"
    TOO_DEEP = "too-deep"
    DUPLICATE_FIELD = "duplicate-field"
    UNKNOWN_FIELD = "unknown-field"
    MISSING_FIELD = "missing-field"
    WRONG_TYPE = "wrong-type"
    OUT_OF_RANGE = "out-of-range"
    BAD_ORDER = "bad-order"
    UNSUPPORTED_SUITE = "unsupported-suite"
    CONTRADICTION = "contradiction"


class DecodeError(ValueError):
    """Bytes or values that this protocol refuses.

    Attributes:
        reason: the stable code.
        where: dotted path of the field at fault, from the object's name; never a value, so that it is safe to log.
    """

    def __init__(self, reason: Reason, where: str) -> None:
        """Keep the code and the place; the message holds both and nothing of the input."""
        super().__init__(f"{where}: {reason.value}")
        self.reason = reason
        self.where = where
