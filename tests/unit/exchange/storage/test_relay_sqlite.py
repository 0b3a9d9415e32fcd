"""What only the SQLite engine of the relay has: query plans, a reader beside the relay, files of its own."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from exchange.errors import StoreFault
from exchange.storage.audit_port import AuditFact
from exchange.storage.log_port import AuditLeaf
from exchange.storage.port import Facts
from exchange.storage.relay_mailboxes import NEXT_IN_LANE
from exchange.storage.relay_sqlite import DATABASE, SqliteRelayStore, read_holdings
from schemas.audit import AuditKind
from schemas.ids import EnvelopeId, GrantId, ProvisionId
from tests.support.relay_store import KAZ, MNG, NOW, UZB, arrival, lanes


async def test_the_next_of_a_mailbox_is_a_step_into_an_index(tmp_path: Path) -> None:
    await SqliteRelayStore.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + NEXT_IN_LANE, ("MNG", 3, 0, 100))]
    assert plan == ["SEARCH deliveries USING COVERING INDEX mailbox (recipient=? AND precedence=? AND large=?)"]


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


# One envelope of KAZ with a small body that MNG has acknowledged and UZB has not, one with a large body, one use.
VERSION_1 = """
INSERT INTO envelopes VALUES (1, 'KAZ', zeroblob(16), zeroblob(32), x'bb', 1800000000, 1);
INSERT INTO envelopes VALUES (2, 'KAZ', randomblob(16), randomblob(32), x'dd', 1800000001, 1);
INSERT INTO contents VALUES (1, 1800000900, x'0102', x'030405', NULL), (2, 1800000900, x'0607', NULL, 'large');
INSERT INTO deliveries VALUES (1, 'MNG', 3, 1, x'ee'), (1, 'UZB', 3, 0, NULL), (2, 'UZB', 3, 0, NULL);
INSERT INTO uses VALUES ('KAZ', x'11', 'UZB', x'22'), ('KAZ', x'11', 'UZB', x'33');
PRAGMA user_version = 1;
"""


async def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    first = (resources.files("exchange.storage") / "sql" / "relay" / "0001.sql").read_text("utf-8")
    (tmp_path / "bodies").mkdir()
    (tmp_path / "bodies" / "large").write_bytes(b"large")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.executescript(first + VERSION_1)
    store = SqliteRelayStore.open(tmp_path)
    asked = replace(arrival(9, to=(MNG, UZB)), grants=((KAZ, GrantId(b"\x11"), ProvisionId(b"\x22")),))
    told = await store.facts(asked)
    assert isinstance(told, Facts)
    assert (told.sent, told.waiting, told.others) == (7, ((MNG, 0), (UZB, 7)), frozenset({(KAZ, b"\x11", 1)}))
    assert [use.provision for use in told.uses] == [b"\x22"]
    found = await store.waiting(UZB, NOW, lanes(5), (), 10**6)
    assert [(item.header, item.body) for item in found] == [(b"\x01\x02", b"\x03\x04\x05"), (b"\x06\x07", None)]
    assert await store.expire(NOW + 900) == 2
    assert not list((tmp_path / "bodies").iterdir())
    emptied = await store.facts(asked)
    assert isinstance(emptied, Facts)
    assert (emptied.sent, emptied.waiting) == (0, ((MNG, 0), (UZB, 0)))
    await store.close()


async def test_acceptances_of_before_keep_their_places(tmp_path: Path) -> None:
    """The log held nothing else then; its leaves, and so its tree, stay what they were."""
    folder = resources.files("exchange.storage") / "sql" / "relay"
    before = "".join((folder / f"000{number}.sql").read_text("utf-8") for number in range(1, 6))
    ids = {sender: bytes([number]) * 16 for number, sender in enumerate((KAZ, MNG, UZB), 1)}
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.executescript(f"{before} PRAGMA user_version = 5;")
        for number, (sender, envelope) in enumerate(ids.items(), 1):
            values = (number, sender, envelope, bytes(32), b"receipt", NOW + number, 1)
            connection.execute("INSERT INTO envelopes VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            connection.execute("INSERT INTO audit VALUES (?, ?, ?)", (number - 1, sender.encode(), number))
    store = SqliteRelayStore.open(tmp_path)
    assert await store.leaves(0, 10**6) == (b"KAZ", b"MNG", b"UZB")
    for place, (sender, envelope) in enumerate(ids.items()):
        assert await store.leaf_of(sender, EnvelopeId(envelope)) == AuditLeaf(place, sender.encode())
    await store.record([AuditFact(AuditKind.OPERATOR, NOW, actor="operator", reason="started")])
    assert await store.leaf_count() == 4
    await store.close()
