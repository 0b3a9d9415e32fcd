"""Origin proofs: that signed consent stood in a relay's log before its key ended (docs/protocol.md, "Origin proofs").

A signature is judged by its key's state at its first entry in a log, never by its own date. The entry is a leaf of the
relay's audit log; the proof leads from the leaf to a checkpoint that the relay signed and a quorum cosigned.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from schemas import limits
from schemas.audit import AuditKind
from schemas.canon import Choice, Field, Seq, Struct, Uint, decode, fixed
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ED25519_SIGNATURE, ID16, MEMBER, TIME, Digest, EnvelopeId, MemberId, nested


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The relay's log entry about an envelope that it accepted; times are Unix seconds.

    Attributes:
        salt: 32 random bytes, so that nobody can guess an entry by its hash.
        signature: the sender's, over the header.
        time, directory_size: those of the receipt.
        provisions, grants: the logged digests of all that the header carries, signatures included; ascending.
    """

    kind: AuditKind
    salt: bytes
    sender: MemberId
    envelope: EnvelopeId
    header_digest: Digest
    signature: bytes
    time: int
    directory_size: int
    provisions: tuple[Digest, ...]
    grants: tuple[Digest, ...]

    def __post_init__(self) -> None:
        """Refuse the kinds of other entries."""
        if self.kind is not AuditKind.ACCEPTED:
            raise DecodeError(Reason.OUT_OF_RANGE, "Acceptance.kind")


@dataclass(frozen=True, slots=True)
class OriginProof:
    """One leaf and its inclusion proof, not yet verified.

    Attributes:
        leaf: the exact bytes of an Acceptance.
        index: its place in the log.
        path: RFC 6962 section 2.1.1, from the bottom to the top.
        checkpoint: the place, in the list beside it, of the checkpoint that the path leads to.
    """

    leaf: bytes
    index: int
    path: tuple[Digest, ...]
    checkpoint: int
    acceptance: Acceptance = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the leaf once."""
        object.__setattr__(self, "acceptance", decode(ACCEPTANCE, self.leaf, limits.MAX_ACCEPTANCE))


@dataclass(frozen=True, slots=True)
class Origins:
    """Proofs and the signed, cosigned checkpoints (signed notes) that they lead to, each listed once.

    Raises DecodeError (contradiction) for a proof that names no checkpoint of the list, and one that no proof names.
    """

    checkpoints: tuple[bytes, ...]
    proofs: tuple[OriginProof, ...]

    def __post_init__(self) -> None:
        """Refuse what leads nowhere, and checkpoints that nobody asks for."""
        if {proof.checkpoint for proof in self.proofs} != set(range(len(self.checkpoints))):
            raise DecodeError(Reason.CONTRADICTION, "Origins.checkpoints")


ACCEPTANCE: Final = Struct(
    Acceptance,
    Field(1, "kind", Choice(AuditKind)),
    Field(2, "salt", fixed(32)),
    Field(3, "sender", MEMBER),
    Field(4, "envelope", ID16),
    Field(5, "header_digest", DIGEST),
    Field(6, "signature", ED25519_SIGNATURE),
    Field(7, "time", TIME),
    Field(8, "directory_size", Uint(1, limits.MAX_DIRECTORY_SIZE)),
    Field(9, "provisions", Seq(DIGEST, 1, limits.MAX_PROVISIONS, lambda digest: digest)),
    Field(10, "grants", Seq(DIGEST, 0, limits.MAX_GRANTS, lambda digest: digest)),
)
ORIGIN_PROOF: Final = Struct(
    OriginProof,
    Field(1, "leaf", nested(limits.MAX_ACCEPTANCE)),
    Field(2, "index", Uint(0, limits.MAX_TREE_SIZE - 1)),
    Field(3, "path", Seq(DIGEST, 0, limits.MAX_PROOF)),
    Field(4, "checkpoint", Uint(0, limits.MAX_ORIGIN_CHECKPOINTS - 1)),
)
ORIGINS: Final = Struct(
    Origins,
    Field(1, "checkpoints", Seq(nested(limits.MAX_ORIGIN_NOTE), 1, limits.MAX_ORIGIN_CHECKPOINTS, lambda note: note)),
    Field(2, "proofs", Seq(ORIGIN_PROOF, 1, limits.MAX_ORIGINS, lambda proof: (proof.checkpoint, proof.index))),
)


def one_origin(checkpoint: bytes, leaf: bytes, index: int, path: tuple[Digest, ...]) -> Origins:
    """The proof of one leaf; raises DecodeError."""
    return Origins((checkpoint,), (OriginProof(leaf, index, path, 0),))


def joined(origins: Iterable[Origins]) -> Origins | None:
    """Several as one, each checkpoint and each leaf under it once; None for none."""
    notes: dict[tuple[bytes, int], OriginProof] = {}
    for item in origins:
        notes.update({(item.checkpoints[proof.checkpoint], proof.index): proof for proof in item.proofs})
    if not notes:
        return None
    checkpoints = tuple(sorted({note for note, _ in notes}))
    places = {note: place for place, note in enumerate(checkpoints)}
    proofs = [
        OriginProof(proof.leaf, proof.index, proof.path, places[note])
        for (note, _), proof in sorted(notes.items(), key=lambda item: item[0])
    ]
    return Origins(checkpoints, tuple(proofs))
