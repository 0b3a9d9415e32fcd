"""The relay's store on SQLite: one database file, and a folder of large bodies beside it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from exchange.errors import StoreFault, Unavailable
from exchange.storage import relay_mailboxes as mailboxes
from exchange.storage import relay_refusals as refusals
from exchange.storage import relay_rows as rows
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.bodies import StagedBody, read_file, remove_all
from exchange.storage.engine import Database
from exchange.storage.port import (
    SMALL_BODY,
    Arrival,
    EnvelopeKey,
    Facts,
    Handed,
    Held,
    Holdings,
    Judge,
    Lane,
    PendingNotice,
    SignedAnswer,
    Staged,
    Waiting,
)
from exchange.storage.refusal_port import Kept, PendingRefusal, RefusalBounds, RefusedHeader
from exchange.storage.relay_sqlite_logs import SqliteLogs
from schemas.ids import Digest, MemberId
from schemas.relayapi import SeenItem

T = TypeVar("T")

DATABASE: Final = "relay.db"
BODIES: Final = "bodies"
# Expired envelopes of one transaction: a long list must not keep the writer from accepting.
_EXPIRE_AT_ONCE: Final = 200


class SqliteRelayStore(SqliteLogs):
    """`exchange.storage.port.RelayStore` on one machine; open it once per folder."""

    def __init__(self, database: Database, bodies: Path) -> None:
        """Use `open`."""
        super().__init__(database)
        self._bodies = bodies
        self._tasks: set[asyncio.Task[Held]] = set()

    @classmethod
    def open(cls, folder: Path) -> "SqliteRelayStore":
        """Open or create the store in `folder`, and remove bodies that no row names. Raises StoreFault."""
        bodies = folder / BODIES
        bodies.mkdir(mode=0o700, exist_ok=True)
        database = Database.open(folder / DATABASE, "relay")
        _remove_orphans(folder / DATABASE, bodies)
        return cls(database, bodies)

    async def close(self) -> None:
        """Finish what was begun, then close."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._database.close()

    # Directory.

    async def entries(self, start: int, max_bytes: int) -> tuple[bytes, ...]:
        """See the port."""
        return await self._database.read(lambda c: rows.entries(c, start, max_bytes))

    async def append(self, entry: bytes, size: int, facts: Sequence[AuditFact] = ()) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            if rows.directory_size(connection) != size:
                raise Unavailable("directory-moved", "the directory has grown meanwhile: try again")
            connection.execute("INSERT INTO directory VALUES (?, ?)", (size, entry))
            for fact in facts:
                insert_fact(connection, fact)

        await self._database.write(job)

    # Envelopes.

    def stage(self, size: int) -> Staged:
        """See the port."""
        return StagedBody(None if size <= SMALL_BODY else self._bodies)

    async def find(self, keys: Sequence[EnvelopeKey]) -> list[Held | None]:
        """See the port."""
        return await self._database.read(lambda c: [rows.held(c, key) for key in keys])

    async def facts(self, arrival: Arrival) -> Held | Facts:
        """See the port."""
        return await self._database.read(lambda c: rows.held(c, arrival.key) or rows.facts(c, arrival))

    async def accept(self, arrival: Arrival, body: Staged, judge: Judge) -> Held:
        """See the port. A caller that is cancelled does not undo what may be committed already."""
        if not isinstance(body, StagedBody):
            raise StoreFault("store-mixed", "a body was staged in another store")
        task = asyncio.create_task(self._accept(arrival, body, judge))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _accept(self, arrival: Arrival, body: StagedBody, judge: Judge) -> Held:
        try:
            small = await body.finish()
            held, fresh = await self._database.write(lambda c: rows.accept(c, arrival, small, body.name, judge))
        except Exception:
            await body.remove()
            raise
        if not fresh:
            await body.remove()
        return held

    async def acknowledge(self, answers: Sequence[SignedAnswer], handed: Sequence[Handed] = ()) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> rows.Removed:
            rows.pushed(connection, handed)
            return rows.acknowledge(connection, answers)

        await self._write_and_remove(job)

    async def expire(self, now: int) -> int:
        """See the port."""
        total = 0
        while True:
            count = await self._write_and_remove(lambda c: rows.expire(c, now, _EXPIRE_AT_ONCE))
            total += count
            if count < _EXPIRE_AT_ONCE:
                return total

    async def holdings(self) -> Holdings:
        """See the port."""
        return await self._database.read(rows.holdings)

    # Mailboxes.

    async def waiting(
        self, member: MemberId, now: int, lanes: Sequence[Lane], skip: Collection[int], max_bytes: int
    ) -> tuple[Waiting, ...]:
        """See the port."""
        return await self._database.read(lambda c: mailboxes.waiting(c, member, now, lanes, skip, max_bytes))

    async def body(self, member: MemberId, key: EnvelopeKey) -> AsyncIterator[bytes] | None:
        """See the port."""
        found = await self._database.read(lambda c: mailboxes.body(c, member, key))
        if found is None or isinstance(found, bytes):
            return None if found is None else _once(found)
        return await read_file(self._bodies / found)

    async def pushed(self, handed: Sequence[Handed]) -> int:
        """See the port."""
        return await self._database.write(lambda c: rows.pushed(c, handed))

    async def notices(self, member: MemberId, skip: Collection[int], limit: int) -> tuple[PendingNotice, ...]:
        """See the port."""
        return await self._database.read(lambda c: mailboxes.notices(c, member, skip, limit))

    async def seen(self, member: MemberId, items: Sequence[SeenItem]) -> None:
        """See the port."""
        await self._database.write(lambda c: mailboxes.seen(c, member, items))

    # Refused transfers.

    async def add_refusal(self, refused: RefusedHeader, bounds: RefusalBounds) -> Kept:
        """See the port."""
        return await self._database.write(lambda c: refusals.add(c, refused, bounds))

    async def refusals(self, member: MemberId, skip: Collection[Digest], limit: int) -> tuple[PendingRefusal, ...]:
        """See the port."""
        return await self._database.read(lambda c: refusals.pending(c, member, skip, limit))

    async def refusals_seen(self, member: MemberId, digests: Sequence[Digest]) -> None:
        """See the port."""
        await self._database.write(lambda c: refusals.seen(c, member, digests))

    async def expire_refusals(self, before: int) -> int:
        """See the port."""
        return await self._database.write(lambda c: refusals.expire(c, before))

    async def _write_and_remove(self, job: Callable[[sqlite3.Connection], rows.Removed]) -> int:
        """Files go only after the commit that forgets them: a crash between the two leaves an orphan, never a hole."""
        removed = await self._database.write(job)
        if removed.files:
            await asyncio.to_thread(remove_all, self._bodies, removed.files)
        return removed.count


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def read_holdings(folder: Path) -> Holdings:
    """What the store in `folder` holds, read without changing it, also while a relay runs on it. Raises StoreFault."""
    with _beside(folder) as connection:
        return rows.holdings(connection)


def read_entries(folder: Path) -> Iterator[bytes]:
    """The directory's entries at one moment, in order, read in the same way. Raises StoreFault."""
    with _beside(folder) as connection:
        for (entry,) in connection.execute("SELECT entry FROM directory ORDER BY position"):
            yield entry


@contextmanager
def _beside(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / DATABASE
    if not path.is_file():
        raise StoreFault("store-missing", f"there is no relay's store in {folder}: run init first")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        connection.row_factory = sqlite3.Row
        with closing(connection):
            yield connection
    except sqlite3.Error as fault:
        raise StoreFault("store-damaged", f"{path} cannot be read ({fault})") from None


def _remove_orphans(path: Path, bodies: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        named = {name for (name,) in connection.execute("SELECT file FROM contents WHERE file IS NOT NULL")}
    finally:
        connection.close()
    remove_all(bodies, {file.name for file in bodies.iterdir()} - named)
