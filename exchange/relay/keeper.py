"""The relay's copy of the directory: verified when it is loaded, verified entry by entry when it grows."""

import asyncio
import hashlib
from collections.abc import Sequence

from exchange.clock import Clock
from exchange.errors import ExchangeError, StoreFault, Unavailable
from exchange.relay.core import extended
from exchange.relay.limits import DIRECTORY_BYTES
from exchange.storage.audit_port import AuditFact
from exchange.storage.port import DirectoryStore
from keys.directory import Directory, begin, extend
from keys.errors import KeyFault
from schemas.audit import AuditKind
from schemas.charter import Charter
from schemas.errors import DecodeError
from schemas.ids import Digest, KeyId
from schemas.statement import DirectoryEntry, read_entry


class DirectoryKeeper:
    """`current` only ever grows, and only after the entry is durable; any thread may read it.

    By `current` the relay verifies new entries, and who its peers are. What it decides, it decides by `published`: the
    view under the newest checkpoint that a quorum has cosigned, which nobody can deny to have been shown.
    """

    def __init__(
        self, store: DirectoryStore, directory: Directory, places: dict[bytes, int], relay: KeyId, clock: Clock
    ) -> None:
        """Use `load`."""
        self._clock = clock
        self._store = store
        self._relay = relay
        self._places = places
        self._lock = asyncio.Lock()
        self.current = directory
        self.published: Directory | None = None

    @classmethod
    async def load(cls, store: DirectoryStore, pinned: Digest, relay: KeyId, clock: Clock) -> "DirectoryKeeper":
        """Read and verify all that the store of this relay holds.

        Raises StoreFault when it is not a directory under this charter.
        """
        directory: Directory | None = None
        places: dict[bytes, int] = {}
        while raw := await store.entries(len(places), DIRECTORY_BYTES):
            for entry in raw:
                places[hashlib.sha256(entry).digest()] = len(places)
            directory = await asyncio.to_thread(_grown, directory, raw, pinned)
        if directory is None:
            raise StoreFault("no-charter", "the relay has no charter yet: install it with `cbm relay charter FILE`")
        return cls(store, directory, places, relay, clock)

    def witnessed(self) -> Directory:
        """The view to decide by. Raises Unavailable while no quorum has cosigned any."""
        if self.published is None:
            raise Unavailable(
                "directory-not-witnessed",
                "not enough members' nodes have cosigned the relay's directory yet: wait for them to connect",
            )
        return self.published

    async def append(self, raw: bytes) -> int:
        """Verify an entry, store it, and give its index; the same bytes again keep their index.

        Raises DecodeError, KeyFault or ExchangeError, and then nothing has changed.
        """
        digest = hashlib.sha256(raw).digest()
        async with self._lock:
            known = self._places.get(digest)
            if known is not None:
                return known
            entry = read_entry(raw)
            grown = await asyncio.to_thread(extended, self.current, entry, self._relay)
            index = self.current.size
            await self._store.append(raw, index, [_fact(raw, entry, index, self._clock.now())])
            self._places[digest] = index
            self.current = grown
            return index


def _fact(raw: bytes, entry: DirectoryEntry, index: int, now: int) -> AuditFact:
    kind = entry.kind.name.lower().replace("_", "-")
    member = None if isinstance(entry.statement, Charter) else entry.statement.member
    return AuditFact(AuditKind.DIRECTORY_ENTRY, now, member=member, reason=kind, evidence=raw, count=index)


def _grown(directory: Directory | None, raw: Sequence[bytes], pinned: Digest) -> Directory:
    try:
        entries = [read_entry(item) for item in raw]
        if directory is None:
            directory, entries = begin(entries[0], pinned), entries[1:]
        return extend(directory, entries)
    except (DecodeError, KeyFault, ExchangeError) as fault:
        raise StoreFault("directory-damaged", f"the stored directory does not verify ({fault}): restore it") from None
