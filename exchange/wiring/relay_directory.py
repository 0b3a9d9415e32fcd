"""A directory as a file, and how the one of a new relay begins with all that another relay held.

The file is the line `cbm/1 directory`, then every entry from the first on, each after its length in 4 bytes, big-endian
(docs/protocol.md, "Files").
"""

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from exchange.clock import SystemClock
from exchange.errors import Conflict, Malformed
from exchange.relay.journal import OPERATOR
from exchange.storage.audit_port import AuditFact
from exchange.storage.relay_sqlite import SqliteRelayStore
from keys.digests import charter_digest
from keys.directory import begin, extend
from keys.view import Directory
from schemas.audit import AuditKind
from schemas.files import DIRECTORY_LINE
from schemas.ids import Digest
from schemas.limits import MAX_DIRECTORY_ENTRY
from schemas.statement import DirectoryEntry, read_entry

# Entries that share one flush of the disk.
_AT_ONCE: Final = 256
_LENGTH: Final = 4


def write_directory(path: Path, entries: Iterable[bytes]) -> int:
    """Write a new file, durable when this returns; how many entries it has. Raises OSError, also when it exists."""
    count = 0
    with path.open("xb") as file:
        file.write(DIRECTORY_LINE)
        for entry in entries:
            file.write(len(entry).to_bytes(_LENGTH, "big") + entry)
            count += 1
        file.flush()
        os.fsync(file.fileno())
    return count


def read_directory(path: Path) -> Iterator[bytes]:
    """The entries of a file, one after the other, not verified. Raises Malformed or OSError."""
    with path.open("rb") as file:
        if file.read(len(DIRECTORY_LINE)) != DIRECTORY_LINE:
            raise Malformed("not-a-directory", f"{path} is no directory file: use `cbm relay directory export`")
        while prefix := file.read(_LENGTH):
            length = int.from_bytes(prefix, "big")
            entry = file.read(length) if len(prefix) == _LENGTH and 0 < length <= MAX_DIRECTORY_ENTRY else b""
            if not entry or len(entry) != length:
                raise Malformed("not-a-directory", f"{path} is cut off or damaged: export it again")
            yield entry


def verified_directory(path: Path, pinned: Digest | None) -> Directory:
    """The directory in a file, every entry verified. Raises Malformed, DecodeError, Untrusted, BadSignature, OSError.

    `pinned`: the digest of charter version 1; None when the caller has it compared with the members.
    """
    directory: Directory | None = None
    for page in _pages(read_directory(path)):
        entries = [read_entry(raw) for raw in page]
        if directory is None:
            directory = begin(entries[0], pinned or charter_digest(entries[0].body))
            entries = entries[1:]
        directory = extend(directory, entries)
    if directory is None:
        raise Malformed("not-a-directory", f"{path} has no entries: export it again")
    return directory


def taken_over(path: Path, charter: DirectoryEntry, pinned: Digest | None) -> Directory:
    """The directory that a new relay begins with: that of the file, and the charter version that names the relay.

    The charter states at which size and root the old directory ends. Raises as `verified_directory`.
    """
    return extend(verified_directory(path, pinned), [charter])


async def fill_store(folder: Path, entries: Iterable[bytes]) -> None:
    """Put a whole directory into a relay's store; what an earlier, interrupted call put there may stand already.

    Raises Conflict when the store holds another directory, StoreFault.
    """
    store = SqliteRelayStore.open(folder)
    try:
        size, index = (await store.holdings()).directory_size, 0
        for page in _pages(entries):
            for number, entry in enumerate(page[: max(0, size - index)], index):
                if await store.entries(number, 1) != (entry,):
                    raise Conflict("directory-stands", "the store holds another directory: use another folder")
            new = list(enumerate(page, index))[max(0, size - index) :]
            await asyncio.gather(*(store.append(entry, number) for number, entry in new))
            index += len(page)
        taken = AuditFact(
            AuditKind.OPERATOR, SystemClock().now(), actor=OPERATOR, reason="directory-taken-over", count=index
        )
        await store.record([taken])
    finally:
        await store.close()


def _pages(entries: Iterable[bytes]) -> Iterator[list[bytes]]:
    page: list[bytes] = []
    for entry in entries:
        page.append(entry)
        if len(page) == _AT_ONCE:
            yield page
            page = []
    if page:
        yield page
