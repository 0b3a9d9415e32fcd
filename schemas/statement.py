"""Directory entries: the charter and the statements of members, each with hybrid signatures over exact bytes."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Uint, decode
from schemas.charter import CHARTER, HYBRID_PUBLIC, Charter, HybridPublic
from schemas.contexts import Context
from schemas.endings import REVOCATION, WITHDRAWAL, Revocation, Withdrawal
from schemas.errors import DecodeError, Reason
from schemas.ids import (
    MEMBER,
    MLDSA44_PUBLIC,
    MLKEM768_PUBLIC,
    TIME,
    X25519_PUBLIC,
    MemberId,
    nested,
)
from schemas.signed import HYBRID_SIGNATURE, HybridSignature


@dataclass(frozen=True, slots=True)
class KemPublic:
    """Public halves of a hybrid KEM key (X-Wing): ML-KEM-768 1,184 bytes, X25519 32 bytes."""

    mlkem768: bytes
    x25519: bytes


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A state root's statement that `keys` sign for its node from `valid_from` until `valid_until` (Unix seconds).

    `cosigner` is the ML-DSA-44 half (1,312 bytes) of the node's cosignatures as a witness; the Ed25519 half is `keys`'.
    """

    member: MemberId
    keys: HybridPublic
    valid_from: int
    valid_until: int
    created: int
    cosigner: bytes

    def __post_init__(self) -> None:
        """Refuse an empty term."""
        if self.valid_until <= self.valid_from:
            raise DecodeError(Reason.CONTRADICTION, "SigningKey.valid_until")


@dataclass(frozen=True, slots=True)
class EpochKey:
    """A node's statement about one encryption epoch.

    Attributes:
        number: ascending under each signing key.
        valid_from, valid_until: when senders may seal to it (Unix seconds).
        destroy_at: when the node destroys the private half; an envelope expires at least an hour earlier.

    Raises DecodeError (contradiction) for an empty or endless term, or a key that is destroyed too early or kept too
    long.
    """

    member: MemberId
    number: int
    keys: KemPublic
    valid_from: int
    valid_until: int
    destroy_at: int
    created: int

    def __post_init__(self) -> None:
        """Refuse an empty term, and a key that dies while it is still sealed to."""
        if not self.valid_from < self.valid_until <= self.destroy_at - limits.EXPIRY_MARGIN:
            raise DecodeError(Reason.CONTRADICTION, "EpochKey.valid_until")
        if self.valid_until - self.valid_from > limits.MAX_EPOCH_TERM:
            raise DecodeError(Reason.CONTRADICTION, "EpochKey.valid_from")
        if self.destroy_at - self.valid_until > limits.MAX_EPOCH_GRACE:
            raise DecodeError(Reason.CONTRADICTION, "EpochKey.destroy_at")


class EntryKind(IntEnum):
    """What a directory entry states."""

    CHARTER = 1
    SIGNING_KEY = 2
    EPOCH_KEY = 3
    REVOCATION = 4
    WITHDRAWAL = 5


Statement = Charter | SigningKey | EpochKey | Revocation | Withdrawal

_KEM_PUBLIC: Final = Struct(
    KemPublic,
    Field(1, "mlkem768", MLKEM768_PUBLIC),
    Field(2, "x25519", X25519_PUBLIC),
)
SIGNING_KEY: Final = Struct(
    SigningKey,
    Field(1, "member", MEMBER),
    Field(2, "keys", HYBRID_PUBLIC),
    Field(3, "valid_from", TIME),
    Field(4, "valid_until", TIME),
    Field(5, "created", TIME),
    Field(6, "cosigner", MLDSA44_PUBLIC),
)
EPOCH_KEY: Final = Struct(
    EpochKey,
    Field(1, "member", MEMBER),
    Field(2, "number", Uint(0, limits.MAX_EPOCH)),
    Field(3, "keys", _KEM_PUBLIC),
    Field(4, "valid_from", TIME),
    Field(5, "valid_until", TIME),
    Field(6, "destroy_at", TIME),
    Field(7, "created", TIME),
)
_STATEMENTS: Final = {
    EntryKind.CHARTER: (CHARTER, Context.CHARTER),
    EntryKind.SIGNING_KEY: (SIGNING_KEY, Context.SIGNING_KEY),
    EntryKind.EPOCH_KEY: (EPOCH_KEY, Context.EPOCH_KEY),
    EntryKind.REVOCATION: (REVOCATION, Context.REVOCATION),
    EntryKind.WITHDRAWAL: (WITHDRAWAL, Context.WITHDRAWAL),
}


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """One entry of the directory: the exact bytes of a statement and the signatures over them, not yet verified.

    A charter has one signature per signing member, every other statement exactly one.
    """

    kind: EntryKind
    body: bytes
    signatures: tuple[HybridSignature, ...]
    statement: Statement = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        codec, _ = _STATEMENTS[self.kind]
        statement: Statement = decode(codec, self.body, limits.MAX_CHARTER)  # type: ignore[arg-type]  # per kind
        if not isinstance(statement, Charter) and len(self.signatures) != 1:
            raise DecodeError(Reason.CONTRADICTION, "DirectoryEntry.signatures")
        object.__setattr__(self, "statement", statement)

    @property
    def context(self) -> Context:
        """The label under which this kind of statement is signed."""
        return _STATEMENTS[self.kind][1]


DIRECTORY_ENTRY: Final = Struct(
    DirectoryEntry,
    Field(1, "kind", Choice(EntryKind)),
    Field(2, "body", nested(limits.MAX_CHARTER)),
    Field(3, "signatures", Seq(HYBRID_SIGNATURE, 1, limits.MAX_MEMBERS, lambda s: s.signer)),
)


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A node's request that its root certify its new signing key; signed by that key, so that it proves possession."""

    member: MemberId
    keys: HybridPublic
    created: int
    cosigner: bytes


@dataclass(frozen=True, slots=True)
class SignedKeyRequest:
    """The exact bytes of a request and the hybrid signature by the key that it names."""

    body: bytes
    signature: HybridSignature
    request: KeyRequest = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        object.__setattr__(self, "request", decode(KEY_REQUEST, self.body, limits.MAX_CHARTER))


KEY_REQUEST: Final = Struct(
    KeyRequest,
    Field(1, "member", MEMBER),
    Field(2, "keys", HYBRID_PUBLIC),
    Field(3, "created", TIME),
    Field(4, "cosigner", MLDSA44_PUBLIC),
)
SIGNED_KEY_REQUEST: Final = Struct(
    SignedKeyRequest,
    Field(1, "body", nested(limits.MAX_CHARTER)),
    Field(2, "signature", HYBRID_SIGNATURE),
)


def read_entry(data: bytes) -> DirectoryEntry:
    """Read a directory entry; raises DecodeError."""
    return decode(DIRECTORY_ENTRY, data, limits.MAX_DIRECTORY_ENTRY)
