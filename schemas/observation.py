"""What a node saw that must not be, as a file that others can check offline (docs/protocol.md, "Transparency logs").

A proof file is the line `cbm/1 proof`, one SignedObservation, then the directory by which it is checked: every entry
from the first on. Observation and entries stand after their lengths in 4 bytes, big-endian.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Choice, Field, Seq, Struct, Uint, decode, encode
from schemas.files import PROOF_LINE, join_parts, split_parts
from schemas.ids import DIGEST, ED25519_SIGNATURE, MEMBER, TIME, Digest, KeyId, MemberId, nested


class ObservationKind(IntEnum):
    """What was seen.

    SPLIT_VIEW: two checkpoints of the relay that cannot be of one log. ROLLBACK: a smaller one after a larger one.
    FREEZE: none that is new enough, or as large as one that another member had. UNWITNESSED: one without the quorum.
    INVALID_ENTRY: an entry in the log that the rules of the directory refuse. FOREIGN_ENTRY: one in the observer's
    own name that it did not make. RECEIPT_SIZE: a receipt under a directory that was out of date.
    """

    SPLIT_VIEW = 1
    ROLLBACK = 2
    FREEZE = 3
    UNWITNESSED = 4
    INVALID_ENTRY = 5
    FOREIGN_ENTRY = 6
    RECEIPT_SIZE = 7

    @property
    def label(self) -> str:
        """As alarms name it."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Observation:
    """What a member's node states that it saw; times are Unix seconds.

    Attributes:
        key_id: the signing key of `member` that signs this.
        time: when it saw it, by its own clock.
        held: a checkpoint (signed note) that it had from before, or from another member.
        shown: the checkpoint that the relay showed it then.
        receipt: the exact bytes of a SignedReceipt.
        index: of the entry that it is about.
        root: that of the larger log at the size of the smaller checkpoint, in a split view of two sizes.
        path: consistency proof (RFC 6962 section 2.1.2) to the larger checkpoint: from `root`, or from the root over
            the entries up to `index`.
    """

    kind: ObservationKind
    member: MemberId
    key_id: KeyId
    time: int
    held: bytes | None = None
    shown: bytes | None = None
    receipt: bytes | None = None
    index: int | None = None
    root: Digest | None = None
    path: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class SignedObservation:
    """The exact bytes of an observation and the observer's Ed25519 signature, not yet verified."""

    body: bytes
    signature: bytes
    observation: Observation = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the signed bytes once."""
        object.__setattr__(self, "observation", decode(OBSERVATION, self.body, limits.MAX_OBSERVATION))


OBSERVATION: Final = Struct(
    Observation,
    Field(1, "kind", Choice(ObservationKind)),
    Field(2, "member", MEMBER),
    Field(3, "key_id", DIGEST),
    Field(4, "time", TIME),
    Field(5, "held", nested(limits.MAX_NOTE), optional=True),
    Field(6, "shown", nested(limits.MAX_NOTE), optional=True),
    Field(7, "receipt", nested(limits.MAX_SMALL_OBJECT * 2), optional=True),
    Field(8, "index", Uint(0, limits.MAX_DIRECTORY_SIZE), optional=True),
    Field(9, "root", DIGEST, optional=True),
    Field(10, "path", Seq(DIGEST, 0, limits.MAX_PROOF)),
)
SIGNED_OBSERVATION: Final = Struct(
    SignedObservation,
    Field(1, "body", nested(limits.MAX_OBSERVATION)),
    Field(2, "signature", ED25519_SIGNATURE),
)


def encode_proof(signed: SignedObservation, entries: Iterable[bytes]) -> bytes:
    """A proof file. Raises DecodeError (too-large) when it would be larger than one may be."""
    return join_parts(PROOF_LINE, (encode(SIGNED_OBSERVATION, signed), *entries), limits.MAX_PROOF_FILE)


def read_proof(data: bytes) -> tuple[SignedObservation, tuple[bytes, ...]]:
    """The observation in a proof file, and the bytes of the entries; nothing is verified. Raises DecodeError."""
    body, *entries = split_parts(PROOF_LINE, data, limits.MAX_PROOF_FILE)
    return decode(SIGNED_OBSERVATION, body, limits.MAX_OBSERVATION + limits.KIB), tuple(entries)
