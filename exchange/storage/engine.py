"""SQLite with one writer thread and group commit: a write is answered only after it is on the disk.

Jobs that wait while a commit is under way share the next one, so the cost of a disk flush is divided among them. A job
that fails is rolled back alone. Readers have connections of their own and never wait for the writer (WAL).
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

from exchange.errors import StoreFault, Unavailable

T = TypeVar("T")
C = TypeVar("C", bound=sqlite3.Connection)
Job = Callable[[sqlite3.Connection], T]

# A queue this long is several seconds of work for a slow disk; a caller does better to try again.
QUEUE_LIMIT: Final = 4096
# Beyond some hundreds of jobs the flush is no longer what costs, and the first waits for the last.
GROUP_LIMIT: Final = 256
_READERS: Final = 2


class _Writer(sqlite3.Connection):
    """The writer's connection.

    `due`: what is to be called when the transaction is committed.
    """

    due: list[Callable[[], None]]


def after_commit(connection: sqlite3.Connection, call: Callable[[], None]) -> None:
    """Have something done once the job of this connection stands; nothing, when it does not or is no `write`'s job."""
    if isinstance(connection, _Writer):
        connection.due.append(call)


class Database:
    """One file. `write` and `read` take a job, a function of a connection, which must not keep the connection."""

    def __init__(self, path: Path, queue_limit: int) -> None:
        """Use `open`."""
        self._path = path
        self._jobs: queue.Queue[tuple[Job[Any], Future[Any]] | None] = queue.Queue(queue_limit)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)

    @classmethod
    def open(cls, path: Path, schema: str, queue_limit: int = QUEUE_LIMIT) -> "Database":
        """Open or create the file (mode 0600) and bring its schema (a folder of `exchange.storage.sql`) up to date.

        Raises StoreFault when the file is damaged or of a newer version.
        """
        path.touch(mode=0o600)
        try:
            with closing(_connect(path, sqlite3.Connection)) as connection:
                _migrate(connection, schema)
        except sqlite3.DatabaseError as fault:
            raise StoreFault("store-damaged", f"{path} cannot be used ({fault}): restore it from a backup") from None
        database = cls(path, queue_limit)
        database._writer.start()
        return database

    async def write(self, job: Job[T]) -> T:
        """Run `job` in the writer's next transaction; returns after its commit.

        Raises what the job raised (it alone is undone), StoreFault when the store cannot be written, or Unavailable
        when too much waits already.
        """
        future: Future[T] = Future()
        try:
            self._jobs.put_nowait((job, future))
        except queue.Full:
            raise Unavailable("store-busy", "the store has too much to write: try again in a moment") from None
        return await asyncio.wrap_future(future)

    async def read(self, job: Job[T]) -> T:
        """Run `job` on a reader's connection. Raises what the job raised, or StoreFault."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    async def fold_log(self) -> bool:
        """Have nothing in the write-ahead log any more, so that deleted content is not there either.

        False when somebody was reading: it goes at a later checkpoint.
        """
        return await asyncio.to_thread(_fold, self._path)

    async def close(self) -> None:
        """Finish what was accepted, then close."""
        self._jobs.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        for connection in self._connections:
            connection.close()

    def _read(self, job: Job[T]) -> T:
        try:
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = _connect(self._path, sqlite3.Connection)
                connection.execute("PRAGMA query_only = 1")
                self._local.connection = connection
                self._connections.append(connection)
            return job(connection)
        except sqlite3.Error as fault:
            raise StoreFault("store-failed", f"the store cannot be read ({fault}): check the disk") from None

    def _write_loop(self) -> None:
        connection = _connect(self._path, _Writer)
        connection.due = []
        stopped = False
        while not stopped:
            first = self._jobs.get()
            if first is None:
                break
            group = [first]
            while len(group) < GROUP_LIMIT:
                try:
                    item = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    stopped = True
                    break
                group.append(item)
            _commit_group(connection, group)
        connection.close()


def _commit_group(connection: _Writer, group: list[tuple[Job[Any], Future[Any]]]) -> None:
    """One transaction for all; nobody is answered before the commit."""
    done: list[tuple[Future[Any], Any]] = []
    failed: list[tuple[Future[Any], BaseException]] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for job, future in group:
            connection.execute("SAVEPOINT job")
            before = len(connection.due)
            try:
                done.append((future, job(connection)))
            except BaseException as fault:  # noqa: BLE001  # whatever it is, it is the caller's
                connection.execute("ROLLBACK TO job")
                del connection.due[before:]
                failed.append((future, _not_written(fault) if isinstance(fault, sqlite3.OperationalError) else fault))
            connection.execute("RELEASE job")
        connection.execute("COMMIT")
    except sqlite3.Error as fault:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        error = _not_written(fault)
        done, failed = [], [(future, error) for _, future in group]
        connection.due.clear()
    # A caller that was cancelled no longer waits; what it wrote stays committed.
    for future, result in done:
        if future.set_running_or_notify_cancel():
            future.set_result(result)
    for future, cause in failed:
        if future.set_running_or_notify_cancel():
            future.set_exception(cause)
    for call in connection.due:
        # A log that cannot be written keeps nothing from being stored.
        with suppress(OSError):
            call()
    connection.due.clear()


def _fold(path: Path) -> bool:
    with closing(_connect(path, sqlite3.Connection)) as connection:
        try:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
    return not busy


def _not_written(fault: sqlite3.Error) -> StoreFault:
    return StoreFault("store-failed", f"the store cannot be written ({fault}): check disk space and permissions")


def _connect(path: Path, kind: type[C]) -> C:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=kind)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    # Deleted content is overwritten, not only unlinked.
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _migrate(connection: sqlite3.Connection, schema: str) -> None:
    folder = resources.files("exchange.storage") / "sql" / schema
    scripts = sorted((file.name, file.read_text("utf-8")) for file in folder.iterdir() if file.name.endswith(".sql"))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(scripts):
        raise StoreFault(
            "store-newer", f"the store has version {version}, this program knows {len(scripts)}: update it"
        )
    for number, (_, script) in enumerate(scripts[version:], version + 1):
        # One transaction with its version number: a half-done upgrade cannot be left behind.
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
