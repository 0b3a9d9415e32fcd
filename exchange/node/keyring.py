"""The node's private keys, from its keystore: signing identity, encryption epochs, local key."""

from typing import Final

from keys.directory import Directory
from keys.errors import KeystoreFault, Untrusted
from keys.identity import EpochIdentity, SigningIdentity
from keys.keystore import Keystore
from keys.primitives import KEM_SEED, random_bytes
from keys.vault import Vault
from schemas.canon import encode
from schemas.contexts import Context
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from schemas.statement import EPOCH_KEY, DirectoryEntry, EntryKind, EpochKey

SIGNING: Final = "signing"
LOCAL: Final = "local"
_EPOCH: Final = "epoch-"
# Seven days to an epoch, at least eight published ahead, so that a node may be unreachable for weeks and still be
# sent to; destroyed 35 days after its end, so that an envelope may take the 30 days that it may wait.
EPOCH_TERM: Final = 7 * DAY
EPOCHS_AHEAD: Final = 8
EPOCH_GRACE: Final = 35 * DAY


class Keyring:
    """Holds what the keystore holds; prints as its member only."""

    def __init__(self, member: MemberId, keystore: Keystore) -> None:
        """Reads the signing identity and the local key; raises KeystoreFault."""
        self._keystore = keystore
        self.signing = SigningIdentity.from_entropy(member, keystore.get(SIGNING))
        self.vault = Vault(keystore.get(LOCAL))
        self._epochs: dict[KeyId, EpochIdentity] = {}
        for name in keystore.names():
            if name.startswith(_EPOCH):
                self._remember(keystore.get(name))

    def __repr__(self) -> str:
        """The member."""
        return f"Keyring({self.signing.owner})"

    @classmethod
    def create(cls, member: MemberId, keystore: Keystore) -> "Keyring":
        """Make signing identity and local key in an empty keystore."""
        if keystore.names():
            raise KeystoreFault("the keystore holds keys already: choose an empty folder")
        keystore.put(SIGNING, random_bytes(64))
        keystore.put(LOCAL, random_bytes(32))
        return cls(member, keystore)

    def epoch(self, key: KeyId) -> EpochIdentity:
        """The private half of an epoch; raises KeystoreFault when this node does not hold it."""
        epoch = self._epochs.get(key)
        if epoch is None:
            raise KeystoreFault("this node holds no private half of that epoch: it was destroyed, or never here")
        return epoch

    def missing_epochs(self, directory: Directory, now: int) -> tuple[DirectoryEntry, ...]:
        """Entries for the epochs from the present one to eight ahead that the directory lacks; their keys are on disk.

        Raises Untrusted while the directory does not have this node's signing key.
        """
        member = self.signing.owner
        certified = directory.signing_key(member, self.signing.key_id, now)
        published = {record.number for record in directory.epochs.get(member, ())}
        # Numbers ascend, so nothing is published below the last one.
        first = max(published, default=-1) + 1
        current = now // EPOCH_TERM
        wanted = range(max(first, current), current + EPOCHS_AHEAD + 1)
        if current not in published and first > current:
            raise Untrusted("the epochs in the directory are ahead of this clock: check the clock")
        return tuple(self._entry(number, now) for number in wanted if certified.valid_until > number * EPOCH_TERM)

    def _entry(self, number: int, now: int) -> DirectoryEntry:
        name = f"{_EPOCH}{number}"
        if not self._keystore.has(name):
            self._keystore.put(name, random_bytes(KEM_SEED))
        epoch = self._remember(self._keystore.get(name))
        start = number * EPOCH_TERM
        statement = EpochKey(
            member=self.signing.owner,
            number=number,
            keys=epoch.public,
            valid_from=start,
            valid_until=start + EPOCH_TERM,
            destroy_at=start + EPOCH_TERM + EPOCH_GRACE,
            created=now,
        )
        body = encode(EPOCH_KEY, statement)
        return DirectoryEntry(EntryKind.EPOCH_KEY, body, (self.signing.sign_hybrid(Context.EPOCH_KEY, body),))

    def _remember(self, seed: bytes) -> EpochIdentity:
        epoch = EpochIdentity(seed)
        self._epochs[epoch.key_id] = epoch
        return epoch
