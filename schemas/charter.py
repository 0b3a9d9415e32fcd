"""Charter: who the members are, which keys their roots have, who runs the relay, and how changes are decided."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Text, Uint
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ED25519_PUBLIC, MEMBER, MLDSA65_PUBLIC, SECRETARIAT, TIME, Digest, MemberId


class Role(IntEnum):
    """A Member State votes; an observer state may receive; the Secretariat sends and receives and has no vote."""

    MEMBER = 1
    OBSERVER = 2
    SECRETARIAT = 3


@dataclass(frozen=True, slots=True)
class HybridPublic:
    """Public halves of a hybrid signing key: Ed25519 32 bytes, ML-DSA-65 1,952 bytes."""

    ed25519: bytes
    mldsa65: bytes


@dataclass(frozen=True, slots=True)
class Name:
    """A member's name in one language (BCP 47 tag)."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Member:
    """One party of the charter and its offline root key."""

    code: MemberId
    role: Role
    names: tuple[Name, ...]
    root: HybridPublic

    def __post_init__(self) -> None:
        """The code CICA is the Secretariat's, and no other's."""
        if (self.code == SECRETARIAT) != (self.role is Role.SECRETARIAT):
            raise DecodeError(Reason.CONTRADICTION, "Member.role")


@dataclass(frozen=True, slots=True)
class Chairmanship:
    """The chairing member and its term, Unix seconds."""

    member: MemberId
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay's identity: a name, its signing keys, and the SHA-256 of each TLS certificate (DER) it may show."""

    name: str
    keys: HybridPublic
    tls_digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Quorums:
    """How many members must sign the next version, and how many must cosign a checkpoint of the directory."""

    amend: int
    witness: int


@dataclass(frozen=True, slots=True)
class Handover:
    """Where the directory of the relays before ends: its size, and the root hash (RFC 6962) of its tree."""

    size: int
    root_hash: Digest


@dataclass(frozen=True, slots=True)
class Charter:
    """One version of the charter.

    Attributes:
        previous: digest of the version before; None for version 1.
        members: ascending by code.
        editions: identifiers of the Catalogue's editions in force.
        handover: of a version that names a relay key which the version before did not name; None for every other.

    Raises DecodeError (contradiction) for quorums that no vote can reach or that a minority reaches, for a chairing
    member that is none, for two members or two relays with one key, for a chain that does not begin at version 1, and
    for a first version that takes a directory over.
    """

    version: int
    previous: Digest | None
    members: tuple[Member, ...]
    chairmanship: Chairmanship
    relays: tuple[Relay, ...]
    editions: tuple[str, ...]
    quorums: Quorums
    created: int
    handover: Handover | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if (self.version == 1) != (self.previous is None):
            raise DecodeError(Reason.CONTRADICTION, "Charter.previous")
        roots = {(member.root.ed25519, member.root.mldsa65) for member in self.members}
        if len(roots) != len(self.members):
            raise DecodeError(Reason.CONTRADICTION, "Charter.members")
        if len({(relay.keys.ed25519, relay.keys.mldsa65) for relay in self.relays}) != len(self.relays):
            raise DecodeError(Reason.CONTRADICTION, "Charter.relays")
        if self.version == 1 and self.handover is not None:
            raise DecodeError(Reason.CONTRADICTION, "Charter.handover")
        votes = len(self.voters())
        for name, quorum in (("amend", self.quorums.amend), ("witness", self.quorums.witness)):
            if not votes < 2 * quorum <= 2 * votes:
                raise DecodeError(Reason.CONTRADICTION, f"Charter.quorums.{name}")
        if self.chairmanship.member not in self.voters() or self.chairmanship.end <= self.chairmanship.start:
            raise DecodeError(Reason.CONTRADICTION, "Charter.chairmanship")

    def voters(self) -> tuple[MemberId, ...]:
        """Codes of the Member States."""
        return tuple(member.code for member in self.members if member.role is Role.MEMBER)


def default_witness_quorum(members: int) -> int:
    """Two thirds of the Member States, rounded up, and always more than half."""
    return max(-(-2 * members // 3), members // 2 + 1)


HYBRID_PUBLIC: Final = Struct(
    HybridPublic,
    Field(1, "ed25519", ED25519_PUBLIC),
    Field(2, "mldsa65", MLDSA65_PUBLIC),
)
_NAME: Final = Struct(Name, Field(1, "language", Text(35)), Field(2, "text", Text(limits.MAX_NAME)))
_MEMBER_ROW: Final = Struct(
    Member,
    Field(1, "code", MEMBER),
    Field(2, "role", Choice(Role)),
    Field(3, "names", Seq(_NAME, 1, 8, lambda name: name.language)),
    Field(4, "root", HYBRID_PUBLIC),
)
_CHAIR: Final = Struct(
    Chairmanship,
    Field(1, "member", MEMBER),
    Field(2, "start", TIME),
    Field(3, "end", TIME),
)
RELAY: Final = Struct(
    Relay,
    Field(1, "name", Text(limits.MAX_NAME)),
    Field(2, "keys", HYBRID_PUBLIC),
    Field(3, "tls_digests", Seq(DIGEST, 0, 8, lambda digest: digest)),
)
_QUORUMS: Final = Struct(
    Quorums,
    Field(1, "amend", Uint(1, limits.MAX_MEMBERS)),
    Field(2, "witness", Uint(1, limits.MAX_MEMBERS)),
)
_HANDOVER: Final = Struct(
    Handover,
    Field(1, "size", Uint(1, limits.MAX_DIRECTORY_SIZE)),
    Field(2, "root_hash", DIGEST),
)
CHARTER: Final = Struct(
    Charter,
    Field(1, "version", Uint(1, 2**32)),
    Field(2, "previous", DIGEST, optional=True),
    Field(3, "members", Seq(_MEMBER_ROW, 1, limits.MAX_MEMBERS, lambda member: member.code)),
    Field(4, "chairmanship", _CHAIR),
    Field(5, "relays", Seq(RELAY, 1, 8, lambda relay: relay.name)),
    Field(6, "editions", Seq(Text(limits.MAX_NAME), 1, 32, lambda edition: edition)),
    Field(7, "quorums", _QUORUMS),
    Field(8, "created", TIME),
    Field(9, "handover", _HANDOVER, optional=True),
)
