"""What a node knows of records, with the evidence about them, and for whom; and how it learns of older ones."""

import sqlite3
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import Invalid, StoreFault, TooLarge
from exchange.node.config import load_declaration
from exchange.node.indexing import index_stored
from exchange.node.shelf import Shelf
from exchange.records.facts import Action, Box
from exchange.storage.node_values import IndexRow
from keys.errors import Undecryptable
from tests.support.attacks import delivered
from tests.support.hostile_relay import HostileRelay
from tests.support.node import MEASURE, TestNode, bare_record, manifest_of, ministry, node, sealed_by
from tests.support.world import World


async def told(kaz: TestNode, **changes: object) -> bytes:
    """A notification to MNG; `changes` are members of its record."""
    return await kaz.write(["MNG"], record={**bare_record(), **changes})


async def record_id(kaz: TestNode, message: bytes) -> str:
    found = await kaz.parts.stores.views.message(message)
    assert found is not None
    return (await Shelf(kaz.parts).of(found)).record_id


async def test_a_sent_record_comes_with_its_evidence(kaz: TestNode, world: World, relay: HostileRelay) -> None:
    message = await told(kaz)
    shelf = Shelf(kaz.parts)
    (fact,) = await shelf.about()
    assert (fact.message, fact.box, fact.evidenced_at, fact.delivered) == (message.hex(), Box.OUTBOX, None, ())
    assert (fact.sender, fact.originators, fact.recipients) == ("KAZ", ("KAZ",), ("MNG",))
    await kaz.send()
    relay.notify("KAZ", world.acknowledgement(relay.posted[0], "MNG", time=world.now))
    await kaz.pull()
    (fact,) = await shelf.around((fact.record_id,))
    assert (fact.evidenced_at, fact.delivered) == (world.now, (("MNG", world.now),))


async def test_a_received_record_counts_from_its_first_receipt(
    kaz: TestNode, world: World, relay: HostileRelay
) -> None:
    sealed = sealed_by(world, "MNG", ("KAZ",))
    await delivered(kaz, relay, sealed, time=world.now - 5)
    again = world.forward(sealed, "MNG", ["KAZ"])
    relay.accept(again, ("KAZ",), time=world.now - 2)
    await kaz.pull()
    assert [outcome for outcome, _ in kaz.outcomes()] == ["delivered", "repeated"]
    (fact,) = await Shelf(kaz.parts).about()
    assert (fact.box, fact.sender, fact.evidenced_at, fact.recipients) == (Box.INBOX, "MNG", world.now - 5, ("KAZ",))


async def test_a_caller_sees_what_its_token_is_for(kaz: TestNode, world: World, relay: HostileRelay) -> None:
    first = await record_id(kaz, await told(kaz))
    await delivered(kaz, relay, sealed_by(world, "MNG", ("KAZ",)))
    await told(kaz, action="correction", references=[first])
    shelf = Shelf(kaz.parts)
    assert [fact.action for fact in await shelf.around((first,), ministry())] == [Action.NEW, Action.CORRECTION]
    assert await shelf.around((first,), ministry("interior")) == ()
    assert len(await shelf.about((MEASURE,), ministry("interior"))) == 1
    assert await shelf.about((MEASURE,), ministry("defence", ("2.4.*",))) == ()
    assert await shelf.about(("2.4.3",)) == ()


async def test_a_forward_is_a_record_that_this_member_sent(kaz: TestNode, world: World, relay: HostileRelay) -> None:
    manifest = manifest_of(world, "MNG")
    provision = world.signed_provision(manifest, ("MNG",), ["KAZ", "UZB"])
    name = await delivered(kaz, relay, world.envelope(["KAZ"], "MNG", manifest=manifest, provisions=[provision]))
    source = await kaz.parts.stores.views.message(name)
    assert source is not None
    await kaz.composer.forward(source, {"to": ["UZB"]}, ministry(), None)
    received, passed_on = await Shelf(kaz.parts).about()
    assert (passed_on.box, passed_on.sender, passed_on.originators) == (Box.OUTBOX, "KAZ", ("MNG",))
    assert (passed_on.record_id, passed_on.digest) == (received.record_id, received.digest)
    assert passed_on.evidenced_at is None
    assert [row["record_id"] for row in kaz.rows("records")] == [received.record_id] * 2


async def test_more_than_can_be_read_is_told(kaz: TestNode, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await record_id(kaz, await told(kaz))
    await told(kaz, action="correction", references=[first])
    shelf = Shelf(kaz.parts)
    for bound, value in (("MOST_AROUND", 1), ("MOST_ABOUT", 1), ("MOST_BYTES_ABOUT", 1000)):
        with monkeypatch.context() as patched:
            patched.setattr(f"exchange.node.shelf.{bound}", value)
            with pytest.raises(TooLarge) as caught:
                await (shelf.around((first,)) if bound == "MOST_AROUND" else shelf.about())
            assert caught.value.code == "too-many-records"
    assert len(await shelf.around((first,))) == 2


async def test_a_record_that_was_exchanged_on_the_disk_is_no_fact(kaz: TestNode) -> None:
    one, other = await told(kaz), await told(kaz)
    await kaz.database.write(
        lambda c: c.execute(
            "UPDATE messages SET sealed_manifest = (SELECT sealed_manifest FROM messages WHERE id = ?) WHERE id = ?",
            (one, other),
        )
    )
    with pytest.raises(Undecryptable):
        await Shelf(kaz.parts).about()


# What was stored before there was an index.


def as_version_2(folder: Path) -> None:
    """Take a closed node's store back to what version 2 would have left: no more tables, columns and triggers."""
    scripts = resources.files("exchange.storage") / "sql" / "node"
    before = sqlite3.connect(":memory:")
    for number in (1, 2):
        before.executescript((scripts / f"{number:04}.sql").read_text("utf-8"))
    connection = sqlite3.connect(folder / "node.db", isolation_level=None)
    known = _schema(before)
    # Triggers and indexes first: a column that one of them names is not dropped.
    for kind in ("trigger", "index", "table"):
        for of, name in sorted(_schema(connection) - known):
            if of == kind and not name.startswith("sqlite_"):
                connection.execute(f"DROP {kind} {name}")
    for _, table in sorted(one for one in known if one[0] == "table" and not one[1].startswith("sqlite_")):
        for column in sorted(_columns(connection, table) - _columns(before, table)):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    before.close()


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return {(row[0], row[1]) for row in connection.execute("SELECT type, name FROM sqlite_master")}


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


def index_of(kaz: TestNode) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return kaz.rows("records"), kaz.rows("record_names")


async def filled(folder: Path, world: World, relay: HostileRelay) -> tuple[Any, Path]:
    """A node of the version before with four messages, sent and received, and what its index would have held."""
    async with node(folder, world, "KAZ", relay) as kaz:
        first = await record_id(kaz, await told(kaz))
        await told(kaz, action="correction", references=[first])
        await told(kaz)
        await delivered(kaz, relay, sealed_by(world, "MNG", ("KAZ",)))
        index = index_of(kaz)
    as_version_2(kaz.folder)
    return index, kaz.folder


async def test_older_messages_are_indexed_at_start(tmp_path: Path, world: World, relay: HostileRelay) -> None:
    index, _ = await filled(tmp_path, world, relay)
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        assert index_of(kaz) == ([], [])
        assert await index_stored(kaz.parts) == 4
        assert index_of(kaz) == index
        assert kaz.rows("records_due") == []
        assert await index_stored(kaz.parts) == 0


async def test_a_start_that_is_cut_short_goes_on_where_it_stopped(
    tmp_path: Path, world: World, relay: HostileRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = await filled(tmp_path, world, relay)
    monkeypatch.setattr("exchange.node.indexing._BATCH", 1)
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        records = kaz.parts.stores.records
        store, calls = records.index, []

        async def dies_at_the_third(rows: tuple[IndexRow, ...]) -> None:
            calls.append(rows)
            if len(calls) == 3:
                raise StoreFault("store-failed", "the process ends here")
            await store(rows)

        monkeypatch.setattr(records, "index", dies_at_the_third)
        with pytest.raises(StoreFault):
            await index_stored(kaz.parts)
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        assert (len(kaz.rows("records")), len(kaz.rows("records_due"))) == (2, 2)
        # What is new meanwhile is in the index at once, and not due.
        await told(kaz)
        assert len(kaz.rows("records_due")) == 2
        assert await index_stored(kaz.parts) == 2
        assert len(kaz.rows("records")) == len(index[0]) + 1
        assert kaz.rows("records_due") == []


async def test_a_damaged_message_keeps_no_other_from_the_index(
    tmp_path: Path, world: World, relay: HostileRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, folder = await filled(tmp_path, world, relay)
    connection = sqlite3.connect(folder / "node.db", isolation_level=None)
    connection.execute("UPDATE messages SET sealed_manifest = x'00' WHERE seq = 1")
    connection.close()
    monkeypatch.setattr("exchange.node.indexing._BATCH", 1)
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        for expected in (3, 0):
            assert await index_stored(kaz.parts) == expected
            assert len(kaz.rows("records_due")) == 1


# The state's declaration.

GOOD = """
member = "KAZ"
catalogue = "cica-catalogue-draft-2021-09-27"
[[agreement]]
measure = "2.1.1.d"
partners = ["MNG"]
since = 2026-01-01
"""


def test_a_declaration_is_read_if_there_is_one(tmp_path: Path) -> None:
    assert load_declaration(tmp_path, "KAZ") is None
    (tmp_path / "participation.toml").write_text(GOOD, "utf-8")
    declared = load_declaration(tmp_path, "KAZ")
    assert declared is not None
    assert [agreement.measure for agreement in declared.agreements] == ["2.1.1.d"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("KAZ", "MNG").replace('["MNG"]', '["UZB"]'), "member: it is the declaration of MNG, not KAZ"),
        (GOOD.replace("2.1.1.d", "9.9.9"), "agreement/0/measure: write a measure of section 2"),
        (GOOD + "colour = 1\n", "agreement/0/colour: there is no such setting"),
        ("member = ", "is not TOML"),
        ("\udcff", "is not TOML"),
    ],
)
def test_a_bad_declaration_names_the_file_and_what_is_wrong(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "participation.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Invalid) as caught:
        load_declaration(tmp_path, "KAZ")
    assert caught.value.code == "bad-participation"
    assert str(path) in caught.value.detail
    assert told in caught.value.detail


def test_a_declaration_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "participation.toml").mkdir()
    with pytest.raises(Invalid, match="cannot be read"):
        load_declaration(tmp_path, "KAZ")
