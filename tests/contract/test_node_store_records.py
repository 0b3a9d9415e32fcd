"""One suite for every engine behind a node's index of records: found by ids alone, in the message's own transaction."""

from typing import Any

import pytest

from exchange.errors import Conflict
from exchange.storage.node_values import Idempotency, IndexRow, Message, RecordRow
from tests.support.node_rows import NOW, NodeStore, arrival, envelope, message, name, place, received, received_message

MANY = 100


def sent(number: int, record_id: str, *named: str, **changes: Any) -> Message:  # noqa: ANN401  # as `message`
    return message(number, **{"record_id": record_id, "named": named, **changes})


async def add(store: NodeStore, *messages: Message) -> None:
    for one in messages:
        await store.outbox.add_message(one, None)


def ids(rows: tuple[RecordRow, ...] | None) -> list[bytes]:
    assert rows is not None
    return [row.message for row in rows]


async def test_a_record_is_found_with_all_that_it_names_and_all_that_name_it(store: NodeStore) -> None:
    await add(store, sent(1, "a"), sent(2, "b", "a"), sent(3, "c", "b"), sent(4, "d", "c", "elsewhere"), sent(5, "e"))
    await store.reopen()
    for start in ("a", "b", "c", "d"):
        assert ids(await store.records.around((start,), MANY)) == [name(1), name(2), name(3), name(4)]
    assert ids(await store.records.around(("e",), MANY)) == [name(5)]
    assert ids(await store.records.around(("e", "a"), MANY)) == [name(number) for number in range(1, 6)]


async def test_what_is_not_here_finds_what_names_it(store: NodeStore) -> None:
    await add(store, sent(1, "b", "a"))
    assert ids(await store.records.around(("a",), MANY)) == [name(1)]
    assert await store.records.around(("unknown",), MANY) == ()


async def test_nobody_joins_two_matters_by_naming_both(store: NodeStore) -> None:
    await add(store, sent(1, "a"), sent(2, "z"), sent(3, "both", "a", "z"))
    assert ids(await store.records.around(("a",), MANY)) == [name(1), name(3)]
    assert ids(await store.records.around(("both",), MANY)) == [name(1), name(2), name(3)]


async def test_references_in_a_circle_end(store: NodeStore) -> None:
    await add(store, sent(1, "a", "b"), sent(2, "b", "a"))
    assert ids(await store.records.around(("a",), MANY)) == [name(1), name(2)]


async def test_all_messages_that_hold_one_id_are_found(store: NodeStore) -> None:
    await add(store, sent(1, "a"))
    await store.inbox.save_received(received(2), received_message(2, record_id="a"), arrival(1), ())
    found = await store.records.around(("a",), MANY)
    assert found is not None
    assert [(row.message, row.ministry) for row in found] == [(name(1), "defence"), (name(2), None)]
    assert [(row.measure, row.record_type, row.size) for row in found] == [
        ("2.1.1.d", "military-activity-notification", len(b"sealed manifest"))
    ] * 2


@pytest.mark.parametrize(("limit", "enough"), [(4, False), (5, True)])
async def test_a_matter_beyond_the_limit_is_told(store: NodeStore, limit: int, enough: bool) -> None:
    """Ids count that are not here, so that a record that names thousands ends the search as well."""
    await add(store, sent(1, "a", "x", "y", "z"), sent(2, "b", "a"))
    assert (await store.records.around(("a",), limit) is not None) is enough
    assert (await store.records.around(("b",), limit) is not None) is enough


@pytest.mark.parametrize(("limit", "enough"), [(2, False), (3, True)])
async def test_an_id_in_too_many_messages_is_told(store: NodeStore, limit: int, enough: bool) -> None:
    await add(store, *(sent(number, "a") for number in (1, 2, 3)))
    assert (await store.records.around(("a",), limit) is not None) is enough


async def test_records_are_listed_by_measure_and_type(store: NodeStore) -> None:
    await add(
        store,
        sent(1, "a"),
        sent(2, "b", measure="3.B", record_type="expert-nomination"),
        sent(3, "c", measure="3.B", record_type="working-paper"),
    )
    assert ids(await store.records.about(None, None, 3)) == [name(1), name(2), name(3)]
    assert ids(await store.records.about(("3.B", "9.9"), None, 3)) == [name(2), name(3)]
    assert ids(await store.records.about(("3.B",), "expert-nomination", 3)) == [name(2)]
    assert await store.records.about((), None, 3) == ()
    assert await store.records.about(None, None, 2) is None


async def test_what_the_relay_never_accepted_is_no_record(store: NodeStore) -> None:
    await add(store, sent(1, "a"), sent(2, "b"), sent(3, "c"))
    for number in (1, 2):
        await store.outbox.save_sealed(envelope(number), (place(number),))
    await store.outbox.save_final(name(1, "e"), "refused", 1, "the relay does not like it", NOW)
    await store.outbox.save_accepted(name(2, "e"), b"receipt", NOW)
    await store.evidence.expire(NOW + 5000)
    assert [await store.state(name(number)) for number in (1, 2, 3)] == ["refused", "expired", "expired"]
    assert ids(await store.records.about(None, None, MANY)) == [name(2)]
    assert await store.records.around(("a",), MANY) == ()


async def test_a_record_comes_with_its_evidence(store: NodeStore) -> None:
    await store.sealed(1, ("MNG", "UZB"))
    await store.outbox.save_accepted(name(1, "e"), b"its receipt", NOW)
    await store.evidence.save_acknowledgement(name(1, "e"), "UZB", "delivered", b"ack of UZB", NOW)
    await store.inbox.save_received(received(2), received_message(2), arrival(1), ())
    again = received(3, provision=2, time=NOW + 9, receipt=b"a later receipt")
    await store.inbox.save_received(again, received_message(2), arrival(2), ())
    refused = received(4, provision=2, outcome="refused", receipt=b"of a refused one")
    await store.inbox.save_received(refused, None, None, ())
    mine, theirs = await store.records.held((name(1), b"unknown", name(2)))
    assert (mine.message.id, mine.receipts, mine.acknowledgements) == (name(1), (b"its receipt",), (b"ack of UZB",))
    assert (theirs.message.id, theirs.receipts, theirs.acknowledgements) == (
        name(2),
        (b"receipt", b"a later receipt"),
        (),
    )


async def test_a_message_of_an_unknown_record_is_due_until_it_is_known(store: NodeStore) -> None:
    await add(store, message(1), sent(2, "b"), message(3))
    assert await store.records.due(b"", MANY) == (name(1), name(3))
    assert await store.records.due(b"", 1) == (name(1),)
    assert await store.records.due(name(1), MANY) == (name(3),)
    await store.records.index((IndexRow(name(1), "a", ("b", "b")),))
    await store.reopen()
    assert await store.records.due(b"", MANY) == (name(3),)
    assert ids(await store.records.around(("b",), MANY)) == [name(1), name(2)]


async def test_what_is_known_is_left_as_it_is(store: NodeStore) -> None:
    await add(store, sent(1, "a", "b"))
    before = await store.dump()
    await store.records.index((IndexRow(name(1), "another", ("c",)),))
    assert await store.dump() == before


async def test_a_request_that_stores_nothing_leaves_nothing_in_the_index(store: NodeStore) -> None:
    key = Idempotency("token", "key", b"request")
    assert await store.outbox.stored_for(key) is None
    await store.outbox.add_message(sent(1, "a"), key)
    await store.inbox.save_received(received(5), received_message(5, record_id="r"), arrival(1), ())
    before = await store.dump()
    assert await store.outbox.add_message(sent(2, "b"), key) == await store.outbox.stored_for(key) == name(1)
    other = Idempotency("token", "key", b"another request")
    with pytest.raises(Conflict):
        await store.outbox.add_message(sent(3, "c"), other)
    with pytest.raises(Conflict):
        await store.outbox.stored_for(other)
    assert not await store.inbox.save_received(received(5), received_message(6, record_id="s"), arrival(2), ())
    assert await store.dump() == before
