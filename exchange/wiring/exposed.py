"""What a theft of a node's keys exposed, from a directory in a file: what the root's keepers read when they revoke."""

from dataclasses import dataclass
from pathlib import Path

from exchange.wiring.relay_directory import read_directory, verified_directory
from keys.directory import Directory, EpochRecord
from keys.epochs import exposure
from keys.errors import Untrusted
from keys.identity import SigningIdentity
from schemas.ids import KeyId
from schemas.statement import EpochKey, read_entry


@dataclass(frozen=True, slots=True)
class Theft:
    """The published epochs of a member, by what became of their private halves when a thief came.

    Attributes:
        taken: they were there.
        later: they were made afterwards: taken too if the thief stayed.
        gone: they had been destroyed.
    """

    taken: tuple[EpochRecord, ...]
    later: tuple[EpochRecord, ...]
    gone: tuple[EpochRecord, ...]


def theft_at(path: Path, root: SigningIdentity, key: KeyId, since: int) -> Theft:
    """What was exposed when everything of the root's node was stolen at a time (Unix seconds).

    Raises Untrusted when the directory names another root of the member, does not hold the key, or holds its
    revocation, and as `verified_directory`.
    """
    directory = verified_directory(path, None)
    _check(directory, root, key)
    records = directory.epochs.get(root.owner, ())
    statements = ((index, read_entry(raw).statement) for index, raw in enumerate(read_directory(path)))
    created = {index: found.created for index, found in statements if isinstance(found, EpochKey)}
    made = [created[record.index] for record in records]
    taken = tuple(item.record for item in exposure(records, made, since) if item.exposed)
    later = tuple(record for record, when in zip(records, made, strict=True) if when > since)
    gone = tuple(record for record in records if record.destroy_at <= since)
    return Theft(taken, later, gone)


def _check(directory: Directory, root: SigningIdentity, key: KeyId) -> None:
    if directory.member(root.owner).root != root.public:
        raise Untrusted(f"the directory names another root of {root.owner}: this one can revoke nothing there")
    if not directory.knows(root.owner, key):
        raise Untrusted(f"the directory holds no signing key {key.hex()[:16]} of {root.owner}: check the fingerprint")
    if (root.owner, key) in directory.revoked:
        raise Untrusted(f"the signing key {key.hex()[:16]} of {root.owner} is revoked already")
