"""The node's verified view of the directory: loaded from its store, brought up to date from the relay.

Entries are verified before they are stored and again when they are loaded: the store is not trusted either.
"""

import asyncio

from exchange.errors import Unavailable
from exchange.node.keyring import Keyring
from exchange.node.transport import RelayClient
from exchange.storage.node_port import AccessStore
from keys.directory import Directory, begin, extend
from keys.errors import KeyFault, Untrusted
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.ids import Digest
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry, read_entry

# Pages of one update; each holds thousands of entries.
_MAX_PAGES = 256


class DirectoryView:
    """The newest verified directory. `current` is immutable: whoever took it keeps a consistent view."""

    def __init__(self, store: AccessStore, current: Directory) -> None:
        """Use `load`."""
        self._store = store
        self._lock = asyncio.Lock()
        self.current = current
        self.updated = 0

    @classmethod
    async def load(cls, store: AccessStore, pinned: Digest) -> "DirectoryView":
        """The stored directory, verified from the pinned charter on. Raises Untrusted, BadSignature or DecodeError."""
        stored = await store.directory()
        if not stored:
            raise Untrusted("there is no charter in this node's store: run `cbm node init` first")
        entries = [read_entry(entry) for entry in stored]
        return cls(store, extend(begin(entries[0], pinned), entries[1:]))

    async def update(self, relay: RelayClient, now: int) -> None:
        """Fetch, verify and store what is new. Raises RelayUnreachable; a bad entry raises and changes nothing."""
        async with self._lock:
            for _ in range(_MAX_PAGES):
                page = await relay.directory(self.current.size)
                if not page:
                    self.updated = now
                    return
                # Hybrid signatures cost milliseconds each.
                verified = await asyncio.to_thread(_extended, self.current, page)
                await self._store.append_directory(self.current.size, page)
                self.current = verified
            raise Unavailable("directory-endless", "the relay's directory does not end: check the relay")

    async def publish(self, relay: RelayClient, keyring: Keyring, statement: DirectoryEntry | None, now: int) -> None:
        """Publish this node's certified signing key, if new, and the epochs that are missing.

        Raises RelayUnreachable, RelayRefused, or Untrusted while the key is not certified.
        """
        if statement is not None and not self.current.knows(keyring.signing.owner, keyring.signing.key_id):
            await relay.publish(encode(DIRECTORY_ENTRY, statement))
            await self.update(relay, now)
        entries = await asyncio.to_thread(keyring.missing_epochs, self.current, now)
        for entry in entries:
            await relay.publish(encode(DIRECTORY_ENTRY, entry))
        if entries:
            await self.update(relay, now)


def _extended(directory: Directory, page: tuple[bytes, ...]) -> Directory:
    try:
        return extend(directory, [read_entry(entry) for entry in page])
    except (DecodeError, KeyFault) as fault:
        raise Untrusted(f"the relay's directory holds a bad entry, nothing of it is used: {fault}") from None
