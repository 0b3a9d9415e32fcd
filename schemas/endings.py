"""Statements that end something: a root revokes a signing key, a provider withdraws its consent.

Both count from their index in the directory on. What was accepted below it stands (docs/protocol.md, "Directory").
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from schemas.canon import Choice, Field, Struct
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ID16, MEMBER, TIME, KeyId, MemberId


class RevocationReason(IntEnum):
    """Why a root ends a signing key before its term is over. For people: every reason has the same effect."""

    COMPROMISED = 1
    LOST = 2
    REPLACED = 3
    OUT_OF_SERVICE = 4


@dataclass(frozen=True, slots=True)
class Revocation:
    """A state root's statement that one of its node's signing keys counts no more; times are Unix seconds.

    Attributes:
        compromised_at: since when others may have had the key, if that is known. Information: it undoes nothing.

    Raises DecodeError (contradiction) when the key was compromised after the statement was made.
    """

    member: MemberId
    key_id: KeyId
    reason: RevocationReason
    compromised_at: int | None
    created: int

    def __post_init__(self) -> None:
        """Refuse a statement about the future."""
        if self.compromised_at is not None and self.compromised_at > self.created:
            raise DecodeError(Reason.CONTRADICTION, "Revocation.compromised_at")


class WithdrawalTarget(IntEnum):
    """What a withdrawal names."""

    GRANT = 1
    PROVISION = 2


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A provider's statement that it withdraws a Grant, or a Provision with all its Grants and open terms.

    It holds a random id only, so that the directory tells nothing of what was provided to whom.
    """

    member: MemberId
    target: WithdrawalTarget
    id: bytes
    created: int


REVOCATION: Final = Struct(
    Revocation,
    Field(1, "member", MEMBER),
    Field(2, "key_id", DIGEST),
    Field(3, "reason", Choice(RevocationReason)),
    Field(4, "compromised_at", TIME, optional=True),
    Field(5, "created", TIME),
)
WITHDRAWAL: Final = Struct(
    Withdrawal,
    Field(1, "member", MEMBER),
    Field(2, "target", Choice(WithdrawalTarget)),
    Field(3, "id", ID16),
    Field(4, "created", TIME),
)
