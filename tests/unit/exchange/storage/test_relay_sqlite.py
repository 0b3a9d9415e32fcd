"""What only the SQLite engine of the relay has: query plans, a reader beside the relay, files of its own."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from exchange.errors import StoreFault
from exchange.storage.relay_rows import NEXT_IN_MAILBOX
from exchange.storage.relay_sqlite import DATABASE, SqliteRelayStore, read_holdings


async def test_the_next_of_a_mailbox_is_a_step_into_an_index(tmp_path: Path) -> None:
    await SqliteRelayStore.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + NEXT_IN_MAILBOX, ("MNG", 100))]
    assert plan == ["SEARCH deliveries USING COVERING INDEX mailbox (recipient=?)"]


async def test_holdings_are_read_beside_a_relay_that_runs(tmp_path: Path) -> None:
    store = SqliteRelayStore.open(tmp_path)
    await store.append(b"entry", 0)
    assert read_holdings(tmp_path) == await store.holdings()
    assert read_holdings(tmp_path).directory_size == 1
    await store.close()


@pytest.mark.parametrize("content", [None, b"no database at all" * 100])
def test_what_is_no_store_is_said_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / DATABASE).write_bytes(content)
    with pytest.raises(StoreFault):
        read_holdings(tmp_path)


async def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    store = SqliteRelayStore.open(tmp_path)
    staged = store.stage(10**6)
    await staged.write(b"b" * 700_000)
    names = [tmp_path / DATABASE, tmp_path / "bodies", *(tmp_path / "bodies").iterdir()]
    assert [path.stat().st_mode & 0o077 for path in names] == [0, 0, 0]
    await staged.discard()
    await store.close()
