"""What a node's store keeps of heads and openings as evidence."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.node.parts import Stores
from exchange.storage.engine import Database
from exchange.storage.head_port import KeptHead
from exchange.storage.opening_port import DueOpening, StoredOpening
from exchange.wiring.stores import node_stores
from tests.support.node_rows import message, name


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Stores]:
    database = Database.open(tmp_path / "node.db", "node")
    yield node_stores(database)
    await database.close()


def due(number: int, sender: str = "KAZ", when: int = 100) -> DueOpening:
    return DueOpening(bytes([number]) * 16, sender, bytes([number]) * 16, bytes([number]) * 32, 0, when)


async def test_the_first_opening_of_a_message_counts(store: Stores) -> None:
    await store.openings.note(due(1))
    await store.openings.note(due(1, when=50))
    assert await store.openings.due(99, 10) == ()
    assert await store.openings.due(100, 10) == (due(1),)
    assert (await store.openings.noted(due(1).message), await store.openings.noted(bytes(16))) == (True, False)


async def test_what_is_told_is_due_no_longer_and_is_told_once(store: Stores) -> None:
    for number, sender in ((1, "MNG"), (2, "KAZ"), (3, "MNG")):
        await store.openings.note(due(number, sender))
    found = await store.openings.due(100, 10)
    assert [one.sender for one in found] == ["KAZ", "MNG", "MNG"]
    for number in (8, 9):
        await store.openings.tell((due(1).message, due(3).message), message(number, kind=4))
    assert await store.openings.due(100, 10) == (due(2, "KAZ"),)
    assert await store.views.message(name(8)) is not None
    assert await store.views.message(name(9)) is None


async def test_a_message_is_taken_once_and_the_first_word_counts(store: Stores) -> None:
    told = StoredOpening(b"e" * 16, "MNG", b"signed")
    await store.openings.take(b"never came", (told,))
    assert await store.openings.of_envelope(b"e" * 16) == ()


async def test_a_head_without_its_envelope_is_none(store: Stores) -> None:
    for sender in (None, "KAZ"):
        await store.heads.keep(KeptHead(sender, b"h" * 16, "KAZ", b"s" * 16, 3, b"manifest"))
    assert await store.heads.with_partner("KAZ", 10) == ()
    assert await store.heads.naming(bytes(32), 10) == ()
