"""The verified view of who has which keys. It can only be made from entries whose signatures verify.

Rules, in the order in which they are checked: the first entry is charter version 1, pinned by its digest and signed by
the root of every Member State; a signing key is certified by its member's root; an epoch key is certified by a signing
key of the same member that is valid when the entry was created; numbers of epochs ascend. An entry's index is its
place in the directory; `size` is how many there are. A signing key is one only of the member that its statement is
about: who certifies another's key gains nothing by it, and takes nothing from the other.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from keys.digests import charter_digest, epoch_key_id, key_id
from keys.errors import BadSignature, DirectoryFull, Untrusted
from keys.hybrid import verify_hybrid
from schemas.charter import Charter, HybridPublic, Member, Relay, Role
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import MAX_DIRECTORY_SIZE, MAX_MEMBER_ENTRIES
from schemas.statement import DirectoryEntry, EpochKey, KemPublic, SigningKey


@dataclass(frozen=True, slots=True)
class SigningRecord:
    """A certified signing key of a member's node; times are Unix seconds."""

    member: MemberId
    key_id: KeyId
    keys: HybridPublic
    valid_from: int
    valid_until: int
    index: int


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """A certified encryption epoch of a member's node; times are Unix seconds."""

    member: MemberId
    key_id: KeyId
    keys: KemPublic
    number: int
    valid_from: int
    valid_until: int
    destroy_at: int
    index: int


@dataclass(frozen=True, slots=True)
class Directory:
    """An immutable verified view; `extend` makes the next one. Lookups raise Untrusted."""

    size: int
    charter: Charter
    charter_digest: Digest
    members: Mapping[MemberId, Member]
    relays: Mapping[KeyId, Relay]
    signing: Mapping[tuple[MemberId, KeyId], SigningRecord]
    epochs: Mapping[MemberId, tuple[EpochRecord, ...]]

    def member(self, code: MemberId) -> Member:
        """The charter's row of a member."""
        member = self.members.get(code)
        if member is None:
            raise Untrusted(f"{code} is not in the charter: check the code, or update the directory")
        return member

    def may_send(self, code: MemberId) -> bool:
        """Member States and the Secretariat send; an observer state only receives."""
        member = self.members.get(code)
        return member is not None and member.role is not Role.OBSERVER

    def knows(self, member: MemberId, key: KeyId) -> bool:
        """Whether this signing key of this member is in the directory, valid now or not."""
        return (member, key) in self.signing

    def signing_key(self, member: MemberId, key: KeyId, at: int) -> SigningRecord:
        """The member's signing key, valid at `at`."""
        record = self.signing.get((member, key))
        if record is None:
            raise Untrusted(f"no signing key {key.hex()[:16]} of {member} is in the directory: update it")
        if not record.valid_from <= at <= record.valid_until:
            raise Untrusted(f"the signing key {key.hex()[:16]} of {member} is not valid at that time")
        return record

    def epoch_at(self, member: MemberId, at: int) -> EpochRecord:
        """The newest epoch of a member that is valid at `at`."""
        for record in reversed(self.epochs.get(member, ())):
            if record.valid_from <= at <= record.valid_until:
                return record
        raise Untrusted(f"{member} has no valid encryption epoch: its node has to publish one")

    def epoch(self, member: MemberId, key: KeyId) -> EpochRecord:
        """The epoch of a member with this key id."""
        for record in self.epochs.get(member, ()):
            if record.key_id == key:
                return record
        raise Untrusted(f"no epoch key {key.hex()[:16]} of {member} is in the directory")

    def relay(self, key: KeyId) -> Relay:
        """The relay with this identity."""
        relay = self.relays.get(key)
        if relay is None:
            raise Untrusted(f"no relay {key.hex()[:16]} is in the charter")
        return relay


def verify_first_charter(entry: DirectoryEntry, pinned: Digest | None) -> Charter:
    """Check version 1: the pinned digest, and a hybrid signature by the root of every Member State.

    Raises Untrusted or BadSignature. `pinned` None only shows or assembles a charter; it does not trust it.
    """
    charter = entry.statement
    if not isinstance(charter, Charter) or charter.version != 1:
        raise Untrusted("the directory does not begin with version 1 of a charter")
    if pinned is not None and charter_digest(entry.body) != pinned:
        raise Untrusted("the charter is not the one that was pinned: compare its fingerprint with the other members")
    roots = {member.code: member.root for member in charter.members if member.role is Role.MEMBER}
    if {signature.signer for signature in entry.signatures} != roots.keys():
        missing = ", ".join(sorted(roots.keys() - {s.signer for s in entry.signatures}))
        raise Untrusted(f"the charter is not signed by exactly its Member States; missing: {missing or 'none'}")
    for signature in entry.signatures:
        verify_hybrid(roots[signature.signer], signature, entry.context, entry.body)
    return charter


def begin(entry: DirectoryEntry, pinned: Digest) -> Directory:
    """The directory that holds only charter version 1."""
    charter = verify_first_charter(entry, pinned)
    return Directory(
        size=1,
        charter=charter,
        charter_digest=charter_digest(entry.body),
        members=MappingProxyType({member.code: member for member in charter.members}),
        relays=MappingProxyType({key_id(relay.keys): relay for relay in charter.relays}),
        signing=MappingProxyType({}),
        epochs=MappingProxyType({}),
    )


def extend(directory: Directory, entries: Iterable[DirectoryEntry]) -> Directory:
    """The directory with more entries, each verified against what stands before it; all of them, or none.

    Raises Untrusted, BadSignature or DirectoryFull.
    """
    signing = dict(directory.signing)
    epochs = dict(directory.epochs)
    counts = Counter(member for member, _ in signing)
    counts.update({member: len(records) for member, records in epochs.items()})
    size = directory.size
    for entry in entries:
        statement = entry.statement
        if size >= MAX_DIRECTORY_SIZE:
            raise DirectoryFull("the directory has as many entries as the protocol allows")
        if isinstance(statement, Charter):
            raise Untrusted("a later charter version is not supported by this version: update the program")
        _count(counts, statement.member)
        if isinstance(statement, SigningKey):
            _add_signing_key(directory, signing, entry, statement, size)
        else:
            _add_epoch(signing, epochs, entry, statement, size)
        size += 1
    return Directory(
        size,
        directory.charter,
        directory.charter_digest,
        directory.members,
        directory.relays,
        MappingProxyType(signing),
        MappingProxyType(epochs),
    )


def _count(counts: Counter[MemberId], member: MemberId) -> None:
    if counts[member] >= MAX_MEMBER_ENTRIES:
        raise DirectoryFull(f"{member} has {MAX_MEMBER_ENTRIES} entries in the directory, which is the most", member)
    counts[member] += 1


def _add_signing_key(
    directory: Directory,
    signing: dict[tuple[MemberId, KeyId], SigningRecord],
    entry: DirectoryEntry,
    statement: SigningKey,
    index: int,
) -> None:
    member = directory.member(statement.member)
    _by(entry, statement.member, key_id(member.root))
    verify_hybrid(member.root, entry.signatures[0], entry.context, entry.body)
    new = key_id(statement.keys)
    if (statement.member, new) in signing or new == key_id(member.root):
        raise Untrusted(f"the signing key {new.hex()[:16]} is in the directory already")
    signing[statement.member, new] = SigningRecord(
        statement.member, new, statement.keys, statement.valid_from, statement.valid_until, index
    )


def _add_epoch(
    signing: dict[tuple[MemberId, KeyId], SigningRecord],
    epochs: dict[MemberId, tuple[EpochRecord, ...]],
    entry: DirectoryEntry,
    statement: EpochKey,
    index: int,
) -> None:
    signature = entry.signatures[0]
    if signature.signer != statement.member:
        raise BadSignature(f"an epoch of {statement.member} is signed by {signature.signer}")
    certifier = signing.get((statement.member, signature.key_id))
    if certifier is None or not certifier.valid_from <= statement.created <= certifier.valid_until:
        raise Untrusted(f"an epoch of {statement.member} is not certified by a valid signing key")
    verify_hybrid(certifier.keys, signature, entry.context, entry.body)
    known = epochs.get(statement.member, ())
    new = epoch_key_id(statement.keys)
    if known and known[-1].number >= statement.number:
        raise Untrusted(f"epoch {statement.number} of {statement.member} does not follow {known[-1].number}")
    if any(record.key_id == new for record in known):
        raise Untrusted(f"epoch {statement.number} of {statement.member} reuses a key")
    epochs[statement.member] = (
        *known,
        EpochRecord(
            statement.member,
            new,
            statement.keys,
            statement.number,
            statement.valid_from,
            statement.valid_until,
            statement.destroy_at,
            index,
        ),
    )


def _by(entry: DirectoryEntry, member: MemberId, key: KeyId) -> None:
    signature = entry.signatures[0]
    if signature.signer != member or signature.key_id != key:
        raise BadSignature(f"an entry about {member} is signed by {signature.signer} with a key that may not")
