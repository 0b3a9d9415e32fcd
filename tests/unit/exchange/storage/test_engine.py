"""Group commit on SQLite: an answer after the commit, a failing job alone undone, and files that cannot be used."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import Conflict, StoreFault, Unavailable
from exchange.storage.engine import Database, Job, after_commit


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database.open(tmp_path / "node.db", "node")
    yield opened
    await opened.close()


class Gate:
    """A job that keeps the writer busy until it is opened, so that what comes after it shares one commit."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _connection: sqlite3.Connection) -> None:
        self.entered.set()
        assert self.opened.wait(30)


def insert(position: int) -> Job[int]:
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO directory VALUES (?, ?)", (position, b"entry"))
        return position

    return job


def insert_and_fail(position: int) -> Job[int]:
    def job(connection: sqlite3.Connection) -> int:
        insert(position)(connection)
        raise Conflict("test", "this job fails after it has written")

    return job


def open_to_others(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077]


def positions(connection: sqlite3.Connection) -> list[int]:
    return [row["position"] for row in connection.execute("SELECT position FROM directory ORDER BY position")]


async def behind_a_gate(database: Database, *jobs: Job[int]) -> list[int | BaseException]:
    """Run the jobs in one group."""
    gate = Gate()
    holding = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait, 30)
    waiting = [asyncio.create_task(database.write(job)) for job in jobs]
    await asyncio.sleep(0)
    gate.opened.set()
    await holding
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_write_is_there_when_it_is_answered(database: Database, tmp_path: Path) -> None:
    assert await database.write(insert(1)) == 1
    beside = sqlite3.connect(tmp_path / "node.db")
    try:
        assert beside.execute("SELECT position FROM directory").fetchall() == [(1,)]
    finally:
        beside.close()
    assert await database.read(positions) == [1]


async def test_a_failing_job_does_not_undo_its_neighbours(database: Database) -> None:
    results = await behind_a_gate(database, insert(1), insert_and_fail(2), insert(3), insert(1), insert(4))
    assert [result for result in results if isinstance(result, int)] == [1, 3, 4]
    assert isinstance(results[1], Conflict)
    assert isinstance(results[3], sqlite3.IntegrityError)
    assert await database.read(positions) == [1, 3, 4]


async def test_a_cancelled_caller_undoes_nothing(database: Database) -> None:
    gate = Gate()
    holding = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait, 30)
    waiting = asyncio.create_task(database.write(insert(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.opened.set()
    await holding
    assert await database.write(insert(2)) == 2
    assert await database.read(positions) == [1, 2]


async def test_a_full_queue_is_told_at_once(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "small.db", "node", queue_limit=2)
    gate = Gate()
    holding = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait, 30)
    waiting = [asyncio.create_task(database.write(insert(position))) for position in (1, 2)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable) as caught:
        await database.write(insert(3))
    assert caught.value.code == "store-busy"
    gate.opened.set()
    await asyncio.gather(holding, *waiting)
    assert await database.read(positions) == [1, 2]
    await database.close()


async def test_what_was_accepted_is_finished_before_it_closes(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "node.db", "node")
    waiting = [asyncio.create_task(database.write(insert(position))) for position in range(50)]
    await asyncio.sleep(0)
    await database.close()
    assert await asyncio.gather(*waiting) == list(range(50))
    again = Database.open(tmp_path / "node.db", "node")
    assert await again.read(positions) == list(range(50))
    await again.close()


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(StoreFault, match="cannot be read"):
        await database.read(insert(1))
    assert await database.read(positions) == []


async def test_a_reader_does_not_wait_for_the_writer(database: Database) -> None:
    gate = Gate()
    holding = asyncio.create_task(database.write(gate))
    await asyncio.to_thread(gate.entered.wait, 30)
    assert await database.read(positions) == []
    gate.opened.set()
    await holding


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    for position in (1, 2):
        database = Database.open(tmp_path / "node.db", "node")
        await database.write(insert(position))
        await database.close()
    database = Database.open(tmp_path / "node.db", "node")
    assert await database.read(positions) == [1, 2]
    await database.close()


async def test_the_file_is_its_owners_only(database: Database, tmp_path: Path) -> None:
    await database.write(insert(1))
    assert open_to_others(tmp_path) == []


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    await Database.open(path, "node").close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreFault) as caught:
        Database.open(path, "node")
    assert caught.value.code == "store-newer"
    assert "999" in caught.value.detail
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage", [b"this is no database, it only has its name" * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_a_corrupt_file_is_refused_and_left_alone(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "node.db"
    path.write_bytes(damage)
    with pytest.raises(StoreFault) as caught:
        Database.open(path, "node")
    assert caught.value.code == "store-damaged"
    assert "backup" in caught.value.detail
    assert path.read_bytes() == damage


async def test_a_full_disk_is_a_fault_of_the_store_and_the_next_write_counts(database: Database) -> None:
    await database.write(insert(1))
    pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO directory VALUES (?, ?)", (2, bytes(1_000_000)))

    with pytest.raises(StoreFault, match="check disk space"):
        await database.write(fill)
    await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 1000}").fetchone())
    await database.write(fill)
    assert await database.read(positions) == [1, 2]


async def test_what_cannot_be_read_is_a_fault_of_the_store(database: Database) -> None:
    with pytest.raises(StoreFault, match="cannot be read"):
        await database.read(lambda c: c.execute("SELECT * FROM no_such_table").fetchall())


async def test_what_is_due_after_the_commit_is_done_once_it_stands_and_never_for_what_failed(
    database: Database, tmp_path: Path
) -> None:
    seen: list[int] = []

    def look() -> None:
        with closing(sqlite3.connect(tmp_path / "node.db")) as beside:
            seen.append(beside.execute("SELECT count(*) FROM directory").fetchone()[0])

    def telling(job: Job[int]) -> Job[int]:
        def run(connection: sqlite3.Connection) -> int:
            after_commit(connection, look)
            return job(connection)

        return run

    results = await behind_a_gate(database, telling(insert(0)), telling(insert_and_fail(1)), telling(insert(1)))
    assert [type(result) for result in results] == [int, Conflict, int]
    await database.write(lambda _: None)
    # Once for each that stands, and each by then with all rows of its group.
    assert seen == [2, 2]


async def test_a_log_that_cannot_be_written_keeps_nothing_from_being_stored(database: Database) -> None:
    def fail() -> None:
        raise OSError("no space")

    def job(connection: sqlite3.Connection) -> None:
        after_commit(connection, fail)

    await database.write(job)
    await database.write(insert(0))
    assert await database.read(positions) == [0]


async def test_nothing_is_due_after_a_commit_that_failed(database: Database) -> None:
    done: list[int] = []

    def job(connection: sqlite3.Connection) -> None:
        after_commit(connection, lambda: done.append(1))
        connection.execute("PRAGMA defer_foreign_keys = 1")
        connection.execute("CREATE TABLE child (parent INTEGER REFERENCES directory (position))")
        connection.execute("INSERT INTO child VALUES (9)")

    with pytest.raises(StoreFault):
        await database.write(job)
    await database.write(insert(0))
    assert done == []
