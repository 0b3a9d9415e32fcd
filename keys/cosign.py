"""Cosignatures: a witness states that it saw a log at a checkpoint, and only ever grow (C2SP tlog-cosignature).

A member node cosigns in two lines, Ed25519 and ML-DSA-44, and counts for a quorum only when both hold. Each line states
when it was made; a node may cosign one checkpoint again, and the newest time counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keys import primitives
from keys.checkpoint import Checkpoint, SignedCheckpoint
from keys.errors import BadSignature, Untrusted
from keys.note import KeyType, NoteKey, NoteSignature, Sign
from schemas.ids import MemberId

MEMBER_NAMES: Final = "cbm.exchange/member/"
"""What the name of every member node's keys begins with; the member's code follows."""

_TIME: Final = 8
_MAX_TIME: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CosignerKeys:
    """The two keys under which one member node cosigns, both under its name."""

    ed25519: NoteKey
    mldsa44: NoteKey

    @classmethod
    def of(cls, member: MemberId, ed25519: bytes, mldsa44: bytes) -> "CosignerKeys":
        """Those of a member with these public keys."""
        name = MEMBER_NAMES + member
        return cls(
            NoteKey(name, KeyType.COSIGNATURE_ED25519, ed25519),
            NoteKey(name, KeyType.COSIGNATURE_MLDSA44, mldsa44),
        )

    @property
    def lines(self) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
        """Name and key hash that stand in front of each of the two lines."""
        return (self.ed25519.name, self.ed25519.key_hash), (self.mldsa44.name, self.mldsa44.key_hash)

    def sign(self, checkpoint: Checkpoint, time: int, ed25519: Sign, mldsa44: Sign) -> tuple[NoteSignature, ...]:
        """Both lines, for a checkpoint that was checked and kept; the callables have the private halves."""
        return cosign(checkpoint, self.ed25519, time, ed25519), cosign(checkpoint, self.mldsa44, time, mldsa44)

    def time(self, signed: SignedCheckpoint) -> int | None:
        """When this node last cosigned, Unix seconds; None when a line is missing. Raises BadSignature."""
        times = self.times(signed)
        return None if times is None else min(times)

    def times(self, signed: SignedCheckpoint) -> tuple[int, int] | None:
        """What each of its two lines states, as `time`."""
        first, second = (cosigned_at(signed, key) for key in (self.ed25519, self.mldsa44))
        # A lattice line that states 0 says nothing of when, as if it were not there.
        return (first, second) if first and second else None


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Keys that count for a member when both cosigned within their term (Unix seconds, ends included)."""

    member: MemberId
    keys: CosignerKeys
    valid_from: int
    valid_until: int

    def time(self, signed: SignedCheckpoint) -> int | None:
        """When it cosigned so that it counts; None when it did not. Raises BadSignature."""
        times = self.keys.times(signed)
        if times is None or not all(self.valid_from <= time <= self.valid_until for time in times):
            return None
        return min(times)


@dataclass(frozen=True, slots=True)
class Quorum:
    """The members whose nodes cosigned a checkpoint, each with the newest time that it states (Unix seconds)."""

    times: Mapping[MemberId, int]
    needed: int

    @property
    def time(self) -> int:
        """The latest time at which a whole quorum had this checkpoint for the newest."""
        return sorted(self.times.values(), reverse=True)[self.needed - 1]

    @property
    def first(self) -> int:
        """The time by which a whole quorum had cosigned it."""
        return sorted(self.times.values())[self.needed - 1]


def cosign(checkpoint: Checkpoint, key: NoteKey, time: int, sign: Sign) -> NoteSignature:
    """One line by a key for cosignatures, made at `time` (Unix seconds, not 0: see `cosigned_at`)."""
    if not 1 <= time <= _MAX_TIME or checkpoint.extensions:
        raise ValueError("a cosignature states its time, and covers no extension line")
    return NoteSignature(
        key.name, key.key_hash, time.to_bytes(_TIME, "big") + sign(cosigned_message(checkpoint, key, time))
    )


def cosigned_message(checkpoint: Checkpoint, key: NoteKey, time: int) -> bytes:
    """What a key for cosignatures signs (tlog-cosignature, "Ed25519 signed message", "ML-DSA-44 signed message")."""
    if key.type is KeyType.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {time}\n{checkpoint.text}".encode()
    if key.type is not KeyType.COSIGNATURE_MLDSA44:
        raise ValueError("a key for notes does not cosign")
    start = 0
    return b"".join(
        (
            b"subtree/v1\n\x00",
            _short(key.name),
            time.to_bytes(8, "big"),
            _short(checkpoint.origin),
            start.to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def cosigned_at(signed: SignedCheckpoint, key: NoteKey) -> int | None:
    """The newest time of a key's cosignatures (Unix seconds), None when there is none.

    An ML-DSA-44 cosignature may state 0: its cosigner saw the log grow only, and says nothing of when. Raises
    BadSignature when one does not verify.
    """
    times = [_verified(signed.checkpoint, key, line) for line in signed.signatures if line.by(key)]
    return max(times, default=None)


def collect(
    checkpoint: Checkpoint, lines: Sequence[NoteSignature], keys: Sequence[NoteKey]
) -> tuple[NoteSignature, ...]:
    """Of a witness's answer the lines by its keys, each verified; others are left out. Raises BadSignature."""
    known = [(key, line) for line in lines for key in keys if line.by(key)]
    for key, line in known:
        _verified(checkpoint, key, line)
    return tuple(line for _, line in known)


def verify_quorum(signed: SignedCheckpoint, cosigners: Iterable[Cosigner], needed: int) -> Quorum:
    """That nodes of at least `needed` members cosigned. Of a member with several keys any one is enough.

    Raises Untrusted, or BadSignature when any line by one of the keys does not verify.
    """
    if needed < 1:
        raise ValueError("a quorum is at least one")
    times: dict[MemberId, int] = {}
    # Most keys have no line: a member may have thousands of them.
    present = {(line.name, line.key_hash) for line in signed.signatures}
    for cosigner in cosigners:
        if present.isdisjoint(cosigner.keys.lines):
            continue
        time = cosigner.time(signed)
        if time is not None:
            times[cosigner.member] = max(time, times.get(cosigner.member, 0))
    if len(times) < needed:
        raise Untrusted(
            f"{len(times)} members cosigned the checkpoint of size {signed.checkpoint.size}, and {needed} are needed: "
            "wait, and ask the relay again"
        )
    return Quorum(times, needed)


def _verified(checkpoint: Checkpoint, key: NoteKey, line: NoteSignature) -> int:
    time, signature = int.from_bytes(line.value[:_TIME], "big"), line.value[_TIME:]
    verify = primitives.mldsa44_verify if key.type is KeyType.COSIGNATURE_MLDSA44 else primitives.ed25519_verify
    if time > _MAX_TIME or not verify(key.public, cosigned_message(checkpoint, key, time), signature):
        raise BadSignature(f"a cosignature of {key.name} on a checkpoint does not verify: use nothing of it")
    return time


def _short(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(1, "big") + data
