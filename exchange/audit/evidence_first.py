"""What is checked of the directory in an evidence file before anything that costs much.

Every entry of a directory has a hybrid signature, and anyone can write a file with a million entries. The versions of
the charter, the root over all entries, and a few certified keys are enough to see whether a quorum of the charter's
members has cosigned just these entries; who has that is worth the rest.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from keys.charter import verify_amendment
from keys.checkpoint import SignedCheckpoint
from keys.digests import charter_digest, key_id
from keys.directory import CharterRecord, Directory, RevocationRecord, SigningRecord
from keys.errors import Untrusted
from keys.hybrid import verify_hybrid
from keys.quorum import verify_cosigned
from schemas.charter import Charter
from schemas.endings import Revocation
from schemas.ids import Digest, KeyId, MemberId
from schemas.statement import DirectoryEntry, SigningKey

_LOG: Final = "directory"


def require_plausible(
    signed: SignedCheckpoint, entries: Sequence[DirectoryEntry], root: Digest, trusted: Digest
) -> Digest | None:
    """The digest of the first version of the charter, which leads to the trusted one; None when none does.

    `root`: over all entries. Raises Untrusted or BadSignature when no quorum has cosigned them.
    """
    charters = _charters(entries)
    names = [record.digest for record in charters]
    if trusted not in names:
        return None
    if charters[0].index != 0:
        raise Untrusted("the directory does not begin with a charter")
    # Each version names the one before by its digest: who trusts one trusts those before it.
    for before, record in pairwise(charters):
        if record.charter.previous != before.digest:
            raise Untrusted(f"version {record.charter.version} of the charter does not follow the one before")
    if (signed.checkpoint.size, signed.checkpoint.root) != (len(entries), root):
        raise Untrusted("the checkpoint is of another directory than the one in the file")
    last = names.index(trusted)
    for before, record in pairwise(charters[last:]):
        verify_amendment(entries[record.index], before.charter)
    verify_cosigned(signed, _LOG, _sketch(signed, entries, charters))
    return names[0]


def _charters(entries: Sequence[DirectoryEntry]) -> tuple[CharterRecord, ...]:
    found = ((index, entry, entry.statement) for index, entry in enumerate(entries))
    return tuple(
        CharterRecord(said, charter_digest(entry.body), index)
        for index, entry, said in found
        if isinstance(said, Charter)
    )


def _sketch(
    signed: SignedCheckpoint, entries: Sequence[DirectoryEntry], charters: tuple[CharterRecord, ...]
) -> Directory:
    """A view of nothing but the keys that have lines under the checkpoint. What ends a key is not verified yet."""
    keys = {(key.member, key.key_id): key for key in _cosigners(signed, entries, charters)}
    ended: dict[tuple[MemberId, KeyId], RevocationRecord] = {}
    for index, entry in enumerate(entries):
        said = entry.statement
        if isinstance(said, Revocation):
            record = RevocationRecord(said.member, said.key_id, said.reason, said.compromised_at, said.created, index)
            ended.setdefault((said.member, said.key_id), record)
    return Directory(len(entries), charters, keys, {}, ended, {})


def _cosigners(
    signed: SignedCheckpoint, entries: Sequence[DirectoryEntry], charters: Sequence[CharterRecord]
) -> Iterator[SigningRecord]:
    lines = {(line.name, line.key_hash) for line in signed.signatures}
    seen: set[tuple[MemberId, KeyId]] = set()
    for index, entry in enumerate(entries):
        said = entry.statement
        if not isinstance(said, SigningKey):
            continue
        record = SigningRecord(
            said.member, key_id(said.keys), said.keys, said.cosigner, said.valid_from, said.valid_until, index
        )
        # One that stands there again is refused later, and costs nothing here.
        if lines.isdisjoint(record.cosigning.lines) or (record.member, record.key_id) in seen:
            continue
        seen.add((record.member, record.key_id))
        charter = next(version.charter for version in reversed(charters) if version.index < index)
        root = next((member.root for member in charter.members if member.code == said.member), None)
        if root is None:
            raise Untrusted(f"{said.member} is not in the charter")
        verify_hybrid(root, entry.signatures[0], entry.context, entry.body)
        yield record
