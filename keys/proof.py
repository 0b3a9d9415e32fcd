"""Proof files: that an entry is in a log, checkable without a network (C2SP tlog-proof, file extension .tlog-proof)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keys.checkpoint import Checkpoint, SignedCheckpoint, parse_signed
from keys.lines import after, base64_bytes, base64_text, decimal, hash_lines, read_text
from keys.merkle import Proof, verify_inclusion
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest
from schemas.limits import MAX_NOTE, MAX_PROOF, MAX_PROOF_EXTRA, MAX_TREE_SIZE

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
# Extra data and hashes in base64, the two other lines and the note.
_MAX_FILE: Final = 4 * (MAX_PROOF_EXTRA // 3 + 1) + 45 * MAX_PROOF + 256 + MAX_NOTE


@dataclass(frozen=True, slots=True)
class LogProof:
    """An entry's place, the proof from it to the root, and the checkpoint with that root; nothing is verified.

    `extra` is not authenticated by anything: at most a help to find the entry. Raises DecodeError.
    """

    index: int
    path: Proof
    signed: SignedCheckpoint
    extra: bytes | None = None

    def __post_init__(self) -> None:
        """What `encode` writes can be read again."""
        if not 0 <= self.index <= MAX_TREE_SIZE or len(self.path) > MAX_PROOF:
            raise DecodeError(Reason.OUT_OF_RANGE, "LogProof")
        if self.extra is not None and not 1 <= len(self.extra) <= MAX_PROOF_EXTRA:
            raise DecodeError(Reason.OUT_OF_RANGE, "LogProof.extra")

    def encode(self) -> bytes:
        """The file."""
        lines = [_HEADER]
        if self.extra is not None:
            lines.append(_EXTRA + base64_text(self.extra))
        lines.append(f"{_INDEX}{self.index}")
        lines += [base64_text(sibling) for sibling in self.path]
        return "".join(f"{line}\n" for line in [*lines, ""]).encode() + self.signed.encode()


def parse_proof(data: bytes) -> LogProof:
    """A proof file. Raises DecodeError."""
    # The first empty line ends the proof; a note has one of its own.
    head, gap, note = read_text(data, _MAX_FILE, "LogProof").partition("\n\n")
    header, *lines = head.split("\n")
    if not gap or header != _HEADER or not lines:
        raise DecodeError(Reason.MALFORMED, "LogProof")
    extra = base64_bytes(lines.pop(0)[len(_EXTRA) :], "LogProof.extra") if lines[0].startswith(_EXTRA) else None
    if not lines:
        raise DecodeError(Reason.MISSING_FIELD, "LogProof.index")
    index = decimal(after(_INDEX, lines[0], "LogProof.index"), "LogProof.index")
    return LogProof(index, hash_lines(lines[1:], "LogProof.path"), parse_signed(note.encode()), extra)


def verify_proof(proof: LogProof, leaf: Digest, trust: Callable[[SignedCheckpoint], object]) -> Checkpoint:
    """That `leaf` (see `keys.tiles.entry_hash`) is at the proof's place in a log whose checkpoint `trust` accepts.

    `trust` raises for a checkpoint that it does not accept; what it gives back is not looked at. Raises BadProof.
    """
    trust(proof.signed)
    checkpoint = proof.signed.checkpoint
    verify_inclusion(leaf, proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint
