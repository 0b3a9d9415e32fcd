"""The rules of the directory: a verified view can only be made from entries whose signatures verify.

They are checked in the order of the entries, each against what stands before it (docs/protocol.md, "Directory"). An
entry's index is its place; `size` is how many there are. A signing key is one only of the member that its statement is
about: who certifies another's key gains nothing by it, and takes nothing from the other.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from types import MappingProxyType

from keys.charter import verify_amendment, verify_first_charter
from keys.digests import charter_digest, epoch_key_id, key_id
from keys.errors import BadSignature, DirectoryFull, Untrusted
from keys.hybrid import verify_hybrid
from keys.merkle import Frontier
from keys.tiles import entry_hash
from keys.view import CharterRecord, Directory, EpochRecord, RevocationRecord, SigningRecord, WithdrawalRecord
from schemas.canon import encode
from schemas.charter import Charter, Handover, HybridPublic
from schemas.endings import Revocation, Withdrawal
from schemas.ids import Digest, KeyId, MemberId
from schemas.limits import MAX_DIRECTORY_SIZE, MAX_KEY_ENTRIES, MAX_MEMBER_ENTRIES, MAX_ROOT_ENTRIES
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, EpochKey, SigningKey

__all__ = [
    "CharterRecord",
    "Directory",
    "EpochRecord",
    "RevocationRecord",
    "SigningRecord",
    "WithdrawalRecord",
    "begin",
    "extend",
    "handover_of",
    "obey",
    "verify_first_charter",
]


def begin(entry: DirectoryEntry, pinned: Digest) -> Directory:
    """The directory that holds only charter version 1. Raises Untrusted or BadSignature."""
    charter = verify_first_charter(entry, pinned)
    record = CharterRecord(charter, charter_digest(entry.body), 0)
    tree = Frontier().append(_leaf(entry))
    return Directory(1, (record,), signing={}, epochs={}, revoked={}, withdrawn={}, tree=tree)


def extend(directory: Directory, entries: Iterable[DirectoryEntry]) -> Directory:
    """The directory with more entries, each verified against what stands before it; all of them, or none.

    Raises Untrusted, BadSignature or DirectoryFull.
    """
    growth = _Growth(directory)
    for entry in entries:
        growth.add(entry)
    return growth.grown()


def obey(directory: Directory, revocation: DirectoryEntry) -> Directory:
    """The view of a party that a revocation reached on another way than by the log, and that obeys it at once.

    It takes power away and gives none: the log is read by the same rules as before, and once the revocation stands
    there, its index counts. Raises Untrusted or BadSignature.
    """
    statement = revocation.statement
    if not isinstance(statement, Revocation):
        raise Untrusted("this is no revocation: nothing else is obeyed outside of the directory")
    _by_root(directory, revocation, statement.member)
    obeyed = directory.obeyed | {(statement.member, statement.key_id)}
    return replace(directory, obeyed=obeyed - directory.revoked.keys())


def handover_of(directory: Directory) -> Handover:
    """What a charter version with a new relay states of the directory that ends here."""
    return Handover(directory.size, _tree(directory).root)


class _Growth:
    """Copies that grow, so that a bad entry leaves the directory as it was."""

    def __init__(self, directory: Directory) -> None:
        self._start = directory
        self._signing = dict(directory.signing)
        self._epochs = dict(directory.epochs)
        self._revoked = dict(directory.revoked)
        self._withdrawn = dict(directory.withdrawn)
        self._size = directory.size
        self._tree = _tree(directory)
        self._view = self._look(directory.charters)
        self._counts = self._counted()
        self._certified = Counter((record.member, record.certifier) for record in self._by_keys())
        self._lines: dict[tuple[str, bytes], bytes] = {}
        for record in self._signing.values():
            self._lines.update(_note_keys(record))

    def grown(self) -> Directory:
        obeyed = self._start.obeyed - self._revoked.keys()
        return replace(self._look(self._view.charters), obeyed=obeyed, tree=self._tree)

    def add(self, entry: DirectoryEntry) -> None:
        if self._size >= MAX_DIRECTORY_SIZE:
            raise DirectoryFull("the directory has as many entries as the protocol allows")
        statement = entry.statement
        match statement:
            case Charter():
                self._add_charter(entry)
            case SigningKey():
                self._add_signing_key(entry, statement)
            case EpochKey():
                self._add_epoch(entry, statement)
            case Revocation():
                self._add_revocation(entry, statement)
            case Withdrawal():
                self._add_withdrawal(entry, statement)
        self._size += 1
        self._tree = self._tree.append(_leaf(entry))

    def _look(self, charters: tuple[CharterRecord, ...]) -> Directory:
        """A view over the facts as they grow, for the rules' lookups. What is obeyed beside the log is none of them."""
        return Directory(
            self._size,
            charters,
            MappingProxyType(self._signing),
            MappingProxyType(self._epochs),
            MappingProxyType(self._revoked),
            MappingProxyType(self._withdrawn),
        )

    def _by_keys(self) -> Iterator[EpochRecord | WithdrawalRecord]:
        """What signing keys certified."""
        yield from chain.from_iterable(self._epochs.values())
        yield from self._withdrawn.values()

    def _counted(self) -> Counter[MemberId]:
        """How many entries each member has stated, since it became one."""
        placed = [(record.member, record.index) for record in self._signing.values()]
        placed += [(record.member, record.index) for record in self._by_keys()]
        placed += [(record.member, record.index) for record in self._revoked.values()]
        since: dict[MemberId, int] = {}
        for record in self._view.charters:
            since = {code: since.get(code, record.index) for code in record.codes}
        return Counter(member for member, index in placed if since.get(member, 0) <= index)

    def _count(self, member: MemberId, most: int) -> None:
        if self._counts[member] >= most:
            raise DirectoryFull(f"{member} has {self._counts[member]} entries in the directory: no more fit", member)
        self._counts[member] += 1

    def _count_by_key(self, member: MemberId, key: KeyId) -> None:
        """A thief of one key must not use up what the member's next one needs."""
        self._count(member, MAX_MEMBER_ENTRIES - MAX_ROOT_ENTRIES)
        if self._certified[member, key] >= MAX_KEY_ENTRIES:
            raise DirectoryFull(
                f"the signing key {key.hex()[:16]} of {member} has certified {self._certified[member, key]} entries, "
                "as many as a key may: if they are not the member's, revoke it; certify another",
                member,
            )
        self._certified[member, key] += 1

    def _add_charter(self, entry: DirectoryEntry) -> None:
        charter = verify_amendment(entry, self._view.charter)
        if charter.handover not in (None, Handover(self._size, self._tree.root)):
            raise Untrusted(f"charter version {charter.version} takes over another directory than this one")
        record = CharterRecord(charter, charter_digest(entry.body), self._size)
        self._view = self._look((*self._view.charters, record))
        self._counts = self._counted()

    def _add_signing_key(self, entry: DirectoryEntry, statement: SigningKey) -> None:
        code, new = statement.member, key_id(statement.keys)
        self._count(code, MAX_MEMBER_ENTRIES)
        root = _by_root(self._view, entry, code)
        if (code, new) in self._signing or new == key_id(root):
            raise Untrusted(f"the signing key {new.hex()[:16]} is in the directory already")
        if (code, new) in self._revoked:
            raise Untrusted(f"the signing key {new.hex()[:16]} was revoked before it was published")
        record = SigningRecord(
            code, new, statement.keys, statement.cosigner, statement.valid_from, statement.valid_until, self._size
        )
        self._tell_apart(record)
        self._signing[code, new] = record

    def _tell_apart(self, record: SigningRecord) -> None:
        """Refuse keys that notes confuse with others of the member: notes tell a name's keys apart by four bytes.

        A line by one of two such keys is a false line by the other, and refuses the checkpoint for everybody: with a
        second's search a member could stop the logs.
        """
        lines = dict(_note_keys(record))
        if len(lines) != 2 or any(self._lines.get(line, public) != public for line, public in lines.items()):
            name = record.key_id.hex()[:16]
            raise Untrusted(f"notes do not tell the signing key {name} from another of {record.member}: make a new one")
        self._lines.update(lines)

    def _add_epoch(self, entry: DirectoryEntry, statement: EpochKey) -> None:
        code = statement.member
        certifier = self._certifier(entry, code, statement.created)
        if not self._view.in_force(certifier, self._size) or statement.valid_from > certifier.valid_until:
            raise Untrusted(f"an epoch of {code} is not certified by a signing key that is in force when it begins")
        self._count_by_key(code, certifier.key_id)
        verify_hybrid(certifier.keys, entry.signatures[0], entry.context, entry.body)
        known, new = self._epochs.get(code, ()), epoch_key_id(statement.keys)
        # Of one key: who stole another of the member's has no say in how this one counts.
        last = max((record.number for record in known if record.certifier == certifier.key_id), default=-1)
        if last >= statement.number:
            raise Untrusted(f"epoch {statement.number} of {code} does not follow {last} of the same signing key")
        if any(record.key_id == new for record in known):
            raise Untrusted(f"epoch {statement.number} of {code} reuses a key")
        record = EpochRecord(
            member=code,
            key_id=new,
            keys=statement.keys,
            number=statement.number,
            valid_from=statement.valid_from,
            valid_until=statement.valid_until,
            destroy_at=statement.destroy_at,
            index=self._size,
            certifier=certifier.key_id,
        )
        self._epochs[code] = (*known, record)

    def _add_revocation(self, entry: DirectoryEntry, statement: Revocation) -> None:
        code, key = statement.member, statement.key_id
        self._count(code, MAX_MEMBER_ENTRIES)
        _by_root(self._view, entry, code)
        if (code, key) in self._revoked:
            raise Untrusted(f"the signing key {key.hex()[:16]} of {code} is revoked already")
        self._revoked[code, key] = RevocationRecord(
            code, key, statement.reason, statement.compromised_at, statement.created, self._size
        )

    def _add_withdrawal(self, entry: DirectoryEntry, statement: Withdrawal) -> None:
        code = statement.member
        # A member that was removed may still withdraw: its Provisions stay binding, and so does its word about them.
        certifier = self._certifier(entry, code, statement.created)
        if (code, certifier.key_id) in self._revoked:
            raise Untrusted(f"a withdrawal of {code} is signed by a key that was revoked")
        self._count_by_key(code, certifier.key_id)
        verify_hybrid(certifier.keys, entry.signatures[0], entry.context, entry.body)
        if (code, statement.id) in self._withdrawn:
            raise Untrusted(f"{code} has withdrawn {statement.id.hex()} already")
        self._withdrawn[code, statement.id] = WithdrawalRecord(code, statement.id, self._size, certifier.key_id)

    def _certifier(self, entry: DirectoryEntry, member: MemberId, created: int) -> SigningRecord:
        """The member's signing key that the entry names, in whose term the statement was made."""
        signature = entry.signatures[0]
        if signature.signer != member:
            raise BadSignature(f"a statement of {member} is signed by {signature.signer}")
        record = self._signing.get((member, signature.key_id))
        if record is None or not record.valid_from <= created <= record.valid_until:
            raise Untrusted(f"a statement of {member} is not signed by a valid signing key of it")
        return record


def _by_root(view: Directory, entry: DirectoryEntry, member: MemberId) -> HybridPublic:
    """The member's root, by which the entry's one signature is. Raises Untrusted or BadSignature."""
    root = view.member(member).root
    signature = entry.signatures[0]
    if signature.signer != member or signature.key_id != key_id(root):
        raise BadSignature(f"an entry about {member} is signed by {signature.signer} with a key that may not")
    verify_hybrid(root, signature, entry.context, entry.body)
    return root


def _note_keys(record: SigningRecord) -> Iterator[tuple[tuple[str, bytes], bytes]]:
    """By which name and key hash each of the two keys with which a node cosigns is known in a note."""
    for key in (record.cosigning.ed25519, record.cosigning.mldsa44):
        yield (key.name, key.key_hash), key.public


def _tree(directory: Directory) -> Frontier:
    if directory.tree is None:
        raise ValueError("a view of the past does not grow")
    return directory.tree


def _leaf(entry: DirectoryEntry) -> Digest:
    return entry_hash(encode(DIRECTORY_ENTRY, entry))
