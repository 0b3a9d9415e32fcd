"""The node's private keys, from its keystore: signing identity, encryption epochs, local key."""

from typing import Final

from keys.digests import epoch_key_id
from keys.directory import Directory, EpochRecord
from keys.epochs import EPOCH_TERM, EpochTerms, epoch_secret, half_name, read_epoch, slots_to_publish, terms_of
from keys.errors import KeystoreFault, Untrusted
from keys.identity import SIGNING_ENTROPY, Ed25519Token, EpochIdentity, SigningIdentity
from keys.keystore import Keystore
from keys.mortal import MortalKeys, destroy_due
from keys.primitives import KEM_SEED, kem_public, random_bytes
from keys.vault import Vault
from schemas.canon import encode
from schemas.contexts import Context
from schemas.ids import KeyId, MemberId
from schemas.statement import EPOCH_KEY, DirectoryEntry, EntryKind, EpochKey, KemPublic

SIGNING: Final = "signing"
LOCAL: Final = "local"


class Keyring:
    """Holds what the keystore holds; prints as its member only."""

    def __init__(self, member: MemberId, keystore: Keystore, token: Ed25519Token | None = None) -> None:
        """Reads the signing identity, the local key and the epochs; raises KeystoreFault.

        `token`: where the Ed25519 half is, when it is not in the keystore.
        """
        self.signing = SigningIdentity.from_entropy(member, keystore.get(SIGNING), token)
        self.vault = Vault(keystore.get(LOCAL))
        self._folder = keystore.folder
        self._mortal = MortalKeys(keystore)
        self._epochs: dict[KeyId, tuple[EpochTerms, EpochIdentity]] = {}
        # Before that time nothing is due to be destroyed.
        self._first_end = 0
        for name in self._mortal.names():
            self._remember(*read_epoch(self._mortal.get(name)))

    def __repr__(self) -> str:
        """The member."""
        return f"Keyring({self.signing.owner})"

    @classmethod
    def create(cls, member: MemberId, keystore: Keystore, token: Ed25519Token | None = None) -> "Keyring":
        """Make signing identity and local key in an empty keystore."""
        if keystore.names():
            raise KeystoreFault("the keystore holds keys already: choose an empty folder")
        keystore.put(SIGNING, random_bytes(SIGNING_ENTROPY))
        keystore.put(LOCAL, random_bytes(32))
        return cls(member, keystore, token)

    def epoch(self, key: KeyId) -> EpochIdentity:
        """The private half of an epoch; raises KeystoreFault when this node does not hold it."""
        held = self._epochs.get(key)
        if held is None:
            raise KeystoreFault("this node holds no private half of that epoch: it was destroyed, or never here")
        return held[1]

    def holds(self, key: KeyId) -> bool:
        """Whether this node has the private half of an epoch."""
        return key in self._epochs

    def receives(self, directory: Directory, now: int) -> bool:
        """Whether this node can open what is sealed to it now; True also when nobody can seal to it.

        Not so after a restore, until new epochs are in the directory: no backup has the private halves.
        """
        try:
            record = directory.epoch_at(self.signing.owner, now)
        except Untrusted:
            return True
        return self.holds(record.key_id)

    def missing_epochs(self, directory: Directory, now: int) -> tuple[DirectoryEntry, ...]:
        """Entries for the epochs from the present one to eight ahead that the directory lacks; their keys are on disk.

        Raises Untrusted while the directory does not have this node's signing key, or when that has no number left.
        """
        member = self.signing.owner
        certified = directory.signing_key(member, self.signing.key_id, now)
        published = directory.epochs.get(member, ())
        usable = [record for record in published if self.holds(record.key_id) and directory.in_force(record)]
        last = max((record.number for record in published if record.certifier == certified.key_id), default=-1)
        entries = []
        for slot in slots_to_publish(usable, now, certified.valid_until):
            terms = terms_of(slot, last, now)
            key = self._unpublished(published, terms, certified.valid_from) or self._make(terms)
            last = terms.number
            entries.append(self._entry(key))
        return tuple(entries)

    def destroy_due(self, now: int) -> tuple[int, ...]:
        """Destroy the private halves whose time has come, here and on disk; gives their numbers.

        Raises KeystoreFault when a file resists; what can be destroyed is, and the next call tries again.
        """
        if now < self._first_end:
            return ()
        due = [key for key, (terms, _) in list(self._epochs.items()) if terms.destroy_at <= now]
        numbers = []
        for key in due:
            terms, identity = self._epochs.pop(key)
            identity.forget()
            numbers.append(terms.number)
        destroy_due(self._folder, now)
        self._first_end = min((terms.destroy_at for terms, _ in list(self._epochs.values())), default=now + EPOCH_TERM)
        return tuple(numbers)

    def _unpublished(self, published: tuple[EpochRecord, ...], wanted: EpochTerms, since: int) -> KeyId | None:
        """A half that was made for this slot and did not reach the directory: a crash came between, or the relay."""
        known = {record.key_id for record in published}
        for key, (terms, _) in self._epochs.items():
            fits = (terms.number, terms.valid_from) == (wanted.number, wanted.valid_from)
            if fits and key not in known and terms.created >= since:
                return key
        return None

    def _make(self, terms: EpochTerms) -> KeyId:
        """A new private half, on disk before it is known to anybody."""
        seed = random_bytes(KEM_SEED)
        key = epoch_key_id(KemPublic(*kem_public(seed)))
        self._mortal.put(half_name(terms.number, key), epoch_secret(terms, seed), terms.destroy_at)
        self._remember(terms, bytearray(seed))
        return key

    def _entry(self, key: KeyId) -> DirectoryEntry:
        terms, identity = self._epochs[key]
        statement = EpochKey(
            member=self.signing.owner,
            number=terms.number,
            keys=identity.public,
            valid_from=terms.valid_from,
            valid_until=terms.valid_until,
            destroy_at=terms.destroy_at,
            created=terms.created,
        )
        body = encode(EPOCH_KEY, statement)
        return DirectoryEntry(EntryKind.EPOCH_KEY, body, (self.signing.sign_hybrid(Context.EPOCH_KEY, body),))

    def _remember(self, terms: EpochTerms, seed: bytearray) -> None:
        identity = EpochIdentity(seed)
        self._epochs[identity.key_id] = (terms, identity)
        self._first_end = min(self._first_end, terms.destroy_at)
