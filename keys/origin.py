"""Which signed Provisions and Grants stood in a relay's log, and when: origin proofs, verified.

The rules are those of docs/protocol.md, "Origin proofs". A leaf alone is the relay's word. What
counts is when a quorum of members had cosigned a checkpoint over it: no more is known of its age, and at that time the
key has to be valid. Whose keys cosign is judged by the directory at the size that the leaf states. A size that was out
of date by then is not believed: a relay could else log what was signed after a revocation as if decided before it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from keys.checkpoint import parse_signed
from keys.errors import BadProof, KeyFault, Untrusted
from keys.merkle import verify_inclusion
from keys.quorum import verify_cosigned
from keys.tiles import entry_hash
from keys.view import Directory
from schemas.errors import DecodeError
from schemas.ids import Digest, KeyId, MemberId
from schemas.origin import OriginProof, Origins

AUDIT_LOG: Final = "audit"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """The head of a log that its relay signed and a quorum cosigned; by `time` (Unix seconds) a quorum had."""

    size: int
    root: Digest
    time: int


@dataclass(frozen=True, slots=True)
class Origin:
    """That a signed object stood in the log at `time`, decided at `directory_size`; made by `origins_of`.

    `most_size`: how many entries the directory had at most by then, so that what ended a key at this index or behind it
    came later. 0 when whoever judges refuses what was dated back by the checkpoints that he has kept himself; others
    know it by those that they are shown (`exchange.audit.evidence_view`).
    """

    digest: Digest
    time: int
    directory_size: int
    most_size: int = 0


Checkpoints = Callable[[bytes, Directory], Cosigned]
"""Verifies a checkpoint of an audit log by the keys of a view; raises KeyFault or DecodeError."""
LeastSize = Callable[[int], int]
"""The size that a directory had at least when somebody decided who stood in the log by that time (Unix seconds)."""


def unbounded(_time: int) -> int:
    """The `LeastSize` of who knows of no size, or keeps the log itself and need not suspect it."""
    return 0


def cosigned_audit(note: bytes, directory: Directory) -> Cosigned:
    """The checkpoint in a signed note, when the charter's quorum cosigned it. Raises KeyFault or DecodeError."""
    checkpoint, quorum = verify_cosigned(parse_signed(note), AUDIT_LOG, directory)
    # The quorum's first moment: who cosigned again later, or joined in, makes the leaf no younger.
    return Cosigned(checkpoint.size, checkpoint.root, sorted(quorum.times.values())[quorum.needed - 1])


def origins_of(
    origins: Origins | None,
    directory: Directory,
    least_size: LeastSize,
    checkpoints: Checkpoints = cosigned_audit,
) -> frozenset[Origin]:
    """What the proofs prove. One that does not hold proves nothing, and what needs it is refused for its key."""
    if origins is None:
        return frozenset()
    proved: set[Origin] = set()
    # Anyone may name eight checkpoints of eight sizes. What they are judged by is little of a directory.
    keys = replace(directory, epochs={}, withdrawn={}, tree=None)
    for place, note in enumerate(origins.checkpoints):
        proofs = [proof for proof in origins.proofs if proof.checkpoint == place]
        # Sizes never decrease in a log: the largest is the one under which the checkpoint was cosigned.
        size = max(proof.acceptance.directory_size for proof in proofs)
        try:
            cosigned = checkpoints(note, keys.as_of(size))
        except (KeyFault, DecodeError):
            continue
        least = least_size(cosigned.time)
        for proof in proofs:
            proved.update(_proved(proof, cosigned, least))
    return frozenset(proved)


def stood(origins: Iterable[Origin], digest: Digest, directory: Directory, member: MemberId, key: KeyId) -> bool:
    """Whether a signed object with this digest stood in a log while this key of its signer was in force and valid."""
    return any(_in_time(origin, directory, member, key) for origin in origins if origin.digest == digest)


def _proved(proof: OriginProof, cosigned: Cosigned, least: int) -> Iterator[Origin]:
    leaf = proof.acceptance
    if leaf.directory_size < least:
        return
    try:
        verify_inclusion(entry_hash(proof.leaf), proof.index, cosigned.size, proof.path, cosigned.root)
    except BadProof:
        return
    for digest in (*leaf.provisions, *leaf.grants):
        yield Origin(digest, cosigned.time, leaf.directory_size)


def _in_time(origin: Origin, directory: Directory, member: MemberId, key: KeyId) -> bool:
    try:
        record = directory.signing_key(member, key, origin.time, origin.directory_size)
    except Untrusted:
        return False
    ending = directory.ending(record)
    return ending is None or origin.most_size <= ending
