"""The witness protocol (C2SP tlog-witness): its bodies, and the decision whether to cosign.

`judge` decides; whoever calls it persists the new state if and only if the old one is still there, and only then signs
and answers. Two requests at once could else roll a witness back.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.errors import BadProof, BadSignature
from keys.lines import after, base64_text, decimal, hash_lines, read_text
from keys.merkle import EMPTY_ROOT, Proof, verify_consistency
from keys.note import NoteKey, signed_by
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest
from schemas.limits import MAX_NOTE, MAX_PROOF, MAX_TREE_SIZE
from schemas.relayapi import WitnessStatus

PATH: Final = "add-checkpoint"
SIZE_TYPE: Final = "text/x.tlog.size"
"""The content type of `encode_size`."""

_OLD: Final = "old "
_MAX_REQUEST: Final = 32 + 45 * MAX_PROOF + MAX_NOTE


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: the size that the witness is thought to have, the proof from there, and the checkpoint.

    Raises DecodeError, also (contradiction) for an old size above the checkpoint's.
    """

    old: int
    proof: Proof
    signed: SignedCheckpoint

    def __post_init__(self) -> None:
        """What `encode` writes can be read again."""
        if not 0 <= self.old <= MAX_TREE_SIZE or len(self.proof) > MAX_PROOF:
            raise DecodeError(Reason.OUT_OF_RANGE, "AddCheckpoint")
        if self.old > self.signed.checkpoint.size:
            raise DecodeError(Reason.CONTRADICTION, "AddCheckpoint.old")

    def encode(self) -> bytes:
        """The body of the request."""
        lines = [f"{_OLD}{self.old}", *(base64_text(sibling) for sibling in self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.signed.encode()


def parse_request(data: bytes) -> AddCheckpoint:
    """The body of an add-checkpoint request. Raises DecodeError."""
    head, gap, note = read_text(data, _MAX_REQUEST, "AddCheckpoint").partition("\n\n")
    if not gap:
        raise DecodeError(Reason.MALFORMED, "AddCheckpoint")
    first, *lines = head.split("\n")
    old = decimal(after(_OLD, first, "AddCheckpoint.old"), "AddCheckpoint.old")
    return AddCheckpoint(old, hash_lines(lines, "AddCheckpoint.proof"), parse_signed(note.encode()))


def encode_size(size: int) -> bytes:
    """The body of an answer OTHER_SIZE: the size of the newest checkpoint that the witness has cosigned."""
    return f"{size}\n".encode()


def parse_size(data: bytes) -> int:
    """The size in an answer OTHER_SIZE. Raises DecodeError."""
    line, newline, rest = read_text(data, 32, "AddCheckpoint.answer").partition("\n")
    if not newline or rest:
        raise DecodeError(Reason.MALFORMED, "AddCheckpoint.answer")
    return decimal(line, "AddCheckpoint.answer")


def origin_hash(origin: str) -> str:
    """The path element under which a witness shows its newest checkpoint of a log."""
    return hashlib.sha256(origin.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest checkpoint of one log that a witness has cosigned; a size of 0 for a log that is new to it."""

    size: int = 0
    root: Digest = EMPTY_ROOT


@dataclass(frozen=True, slots=True)
class Cosign:
    """Persist `seen` in place of `before`, provided that `before` is still what is stored; then sign and answer."""

    before: Seen
    seen: Seen
    signed: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer without a cosignature.

    Attributes:
        size: of the newest checkpoint, for the body of OTHER_SIZE.
        split: the log signed another root for the size that this witness has cosigned. That checkpoint and the
            request's prove it to anyone.
    """

    status: WitnessStatus
    detail: str
    size: int | None = None
    split: bool = False


def judge(request: AddCheckpoint, keys: Sequence[NoteKey], seen: Seen) -> Cosign | Refuse:
    """Whether to cosign; `keys` are those of the checkpoint's origin, empty when the log is unknown.

    Each of them has to have signed, more than the protocol asks for: a log of this protocol has two.
    """
    checkpoint = request.signed.checkpoint
    if not keys:
        return Refuse(WitnessStatus.UNKNOWN_LOG, "this witness does not know the log")
    try:
        trusted = all(signed_by(request.signed.note, key) for key in keys)
    except BadSignature:
        trusted = False
    if not trusted:
        return Refuse(WitnessStatus.BAD_SIGNATURE, "the checkpoint is not signed by the log")
    if checkpoint.extensions:
        # No lattice cosignature covers them. What is kept of it would be no evidence: it is no checkpoint of our logs.
        return Refuse(WitnessStatus.MALFORMED, "the checkpoint has extension lines")
    split = checkpoint.size == seen.size and checkpoint.root != seen.root
    if request.old != seen.size:
        return Refuse(WitnessStatus.OTHER_SIZE, "the newest checkpoint is of another size", seen.size, split)
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return Refuse(WitnessStatus.INCONSISTENT, "the root of an empty log is the hash of nothing", split=split)
    try:
        verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, request.proof)
    except BadProof as fault:
        return Refuse(WitnessStatus.INCONSISTENT, str(fault), split=split)
    return Cosign(seen, Seen(checkpoint.size, checkpoint.root), request.signed)
