"""Checkpoints: the head of a log at one size as a signed note (C2SP tlog-checkpoint), and who signs those of our logs.

A log of this protocol signs each checkpoint with both halves of one hybrid key, in a signature line each, and puts no
extension line in it: ML-DSA-44 cosignatures do not cover those.
"""

from dataclasses import dataclass

from keys.errors import BadSignature, Untrusted
from keys.lines import base64_text, check_text, decimal, hash_bytes
from keys.note import KeyType, Note, NoteKey, NoteSignature, Sign, parse_note, sign_note, signed_by
from schemas.charter import HybridPublic
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest
from schemas.limits import MAX_NOTE_NAME, MAX_TREE_SIZE


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Which log (`origin`), how many leaves, and the root over them; lines that a log may add. Raises DecodeError."""

    origin: str
    size: int
    root: Digest
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """What `text` writes can be read again."""
        for line in (self.origin, *self.extensions):
            check_text(line, "Checkpoint.lines")
            if not line or "\n" in line:
                raise DecodeError(Reason.MALFORMED, "Checkpoint.lines")
        if len(self.origin.encode()) > MAX_NOTE_NAME:
            raise DecodeError(Reason.TOO_LARGE, "Checkpoint.origin")
        if not 0 <= self.size <= MAX_TREE_SIZE or len(self.root) != 32:
            raise DecodeError(Reason.OUT_OF_RANGE, "Checkpoint")

    @property
    def text(self) -> str:
        """The text of the note."""
        lines = (self.origin, str(self.size), base64_text(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text. Raises DecodeError."""
    origin, *rest = text.split("\n")
    if len(rest) < 3 or rest[-1]:
        raise DecodeError(Reason.MALFORMED, "Checkpoint")
    size, root = decimal(rest[0], "Checkpoint.size"), hash_bytes(rest[1], "Checkpoint.root")
    return Checkpoint(origin, size, root, tuple(rest[2:-1]))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and signature lines on it, which are not verified."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]

    @property
    def note(self) -> Note:
        """As a signed note."""
        return Note(self.checkpoint.text, self.signatures)

    def encode(self) -> bytes:
        """The bytes that are served, stored and shown as evidence."""
        return self.note.encode()

    def add(self, signatures: tuple[NoteSignature, ...]) -> "SignedCheckpoint":
        """With more lines, each once."""
        return SignedCheckpoint(self.checkpoint, tuple(dict.fromkeys((*self.signatures, *signatures))))

    def only(self, *keys: NoteKey) -> "SignedCheckpoint":
        """With the first line of each of these keys only; raises DecodeError when there are none.

        A log can sign as often as it likes, and make a note as long as it likes for who has room for one line.
        """
        kept = tuple(line for key in keys for line in [line for line in self.signatures if line.by(key)][:1])
        if not kept:
            raise DecodeError(Reason.MISSING_FIELD, "Checkpoint.signatures")
        return SignedCheckpoint(self.checkpoint, kept)


def parse_signed(data: bytes) -> SignedCheckpoint:
    """A checkpoint as it is served. Raises DecodeError."""
    note = parse_note(data)
    return SignedCheckpoint(parse_checkpoint(note.text), note.signatures)


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The two keys that sign the checkpoints of one log, under its origin as their name."""

    ed25519: NoteKey
    mldsa65: NoteKey

    @classmethod
    def of(cls, origin: str, keys: HybridPublic) -> "LogKeys":
        """Those of the log with this origin whose operator has this hybrid key."""
        return cls(
            NoteKey(origin, KeyType.ED25519, keys.ed25519),
            NoteKey(origin, KeyType.MLDSA65, keys.mldsa65),
        )

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.ed25519.name

    def sign(self, size: int, root: Digest, ed25519: Sign, mldsa65: Sign) -> SignedCheckpoint:
        """A checkpoint with both lines; the callables have the private halves."""
        checkpoint = Checkpoint(self.origin, size, root)
        return SignedCheckpoint(
            checkpoint,
            (
                sign_note(checkpoint.text, self.ed25519, ed25519),
                sign_note(checkpoint.text, self.mldsa65, mldsa65),
            ),
        )

    def verify(self, signed: SignedCheckpoint) -> Checkpoint:
        """The checkpoint, when it is of this log and both lines hold. Raises Untrusted or BadSignature."""
        return self._verified(signed, self.ed25519, self.mldsa65)

    def verify_short(self, signed: SignedCheckpoint) -> Checkpoint:
        """The same with the Ed25519 line alone: to compare what two parties were shown, not to rely on."""
        return self._verified(signed, self.ed25519)

    def _verified(self, signed: SignedCheckpoint, *keys: NoteKey) -> Checkpoint:
        checkpoint = signed.checkpoint
        if checkpoint.origin != self.origin or checkpoint.extensions:
            raise Untrusted(f"a checkpoint is not one of the log {self.origin}: check which relay it is from")
        for key in keys:
            if not signed_by(signed.note, key):
                raise BadSignature(f"a checkpoint of {self.origin} lacks a signature of its log: use nothing of it")
        return checkpoint
