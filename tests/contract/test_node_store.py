"""One suite for every engine behind a node's outbox: durable, all or nothing, a number used once."""

import pytest

from exchange.errors import Conflict
from exchange.storage.node_values import Idempotency, StoredAttachment
from tests.support.node_rows import HEADS, MESSAGES, NOW, NodeStore, envelope, message, name, place

KEY = Idempotency("token", "key", b"request")


# Messages.


async def test_a_message_comes_back_as_it_was(store: NodeStore) -> None:
    given = message(
        1, ("MNG", "UZB"), attachments=(StoredAttachment(0, "a"), StoredAttachment(1, "b")), path=("KAZ", "MNG")
    )
    assert await store.outbox.add_message(given, None) == given.id
    await store.reopen()
    (found,) = await store.outbox.queued(NOW, 10)
    assert found.seq == 1
    assert [getattr(found, slot) for slot in given.__slots__ if slot != "seq"] == [
        getattr(given, slot) for slot in given.__slots__ if slot != "seq"
    ]
    assert await store.recipients(given.id) == {"MNG": "pending", "UZB": "pending"}


async def test_a_repeated_key_gives_the_first_message_and_adds_nothing(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), KEY)
    before = await store.dump()
    assert await store.outbox.add_message(message(2), KEY) == name(1)
    assert await store.dump() == before


async def test_a_key_that_was_used_for_another_request_adds_nothing(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), KEY)
    before = await store.dump()
    with pytest.raises(Conflict) as caught:
        await store.outbox.add_message(message(2), Idempotency("token", "key", b"another request"))
    assert caught.value.code == "idempotency-key-used"
    assert await store.dump() == before


async def test_a_key_belongs_to_its_token(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), KEY)
    assert await store.outbox.add_message(message(2), Idempotency("another", "key", b"request")) == name(2)


async def test_a_message_once_more_changes_nothing(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)
    before = await store.dump()
    await store.outbox.add_message(message(1), None)
    assert await store.dump() == before


async def test_what_is_due_comes_most_urgent_first(store: NodeStore) -> None:
    rows = (
        message(1),
        message(2, precedence=0),
        message(3, due=NOW + 1),
        message(4, expires=NOW),
        message(5),
    )
    for row in rows:
        await store.outbox.add_message(row, None)
    assert [found.id for found in await store.outbox.queued(NOW, 10)] == [name(2), name(1), name(5)]
    assert [found.id for found in await store.outbox.queued(NOW, 1)] == [name(2)]
    assert name(3) in [found.id for found in await store.outbox.queued(NOW + 1, 10)]


async def test_a_queued_message_says_why_it_waits(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)
    await store.outbox.set_waits(name(1), "MNG has no epoch")
    assert await store.outbox.queued(NOW, 10) == ()
    (found,) = await store.outbox.waiting(NOW, 0, 10)
    assert found.waits == "MNG has no epoch"
    assert await store.outbox.waiting(NOW, found.seq, 10) == ()
    await store.outbox.save_sealed(envelope(1), (place(1),))
    await store.outbox.set_waits(name(1), "too late")
    after = await store.views.message(name(1))
    assert after is not None
    assert after.waits is None


# Sealing and numbers.


async def test_a_sealed_envelope_takes_its_numbers(store: NodeStore) -> None:
    await store.sealed(1, ("MNG", "UZB"))
    assert await store.state(name(1)) == "sealed"
    streams = await store.outbox.streams_out(MESSAGES)
    assert {code: (stream.last, stream.digest) for code, stream in streams.items()} == {
        "MNG": (1, name(1, "d") * 2),
        "UZB": (1, name(1, "d") * 2),
    }
    assert await store.outbox.streams_out(HEADS) == {}
    (found,) = await store.outbox.to_send(NOW, 10)
    assert (found.header, found.body, found.attempts, found.receipt) == (b"header", b"ciphertext", 0, None)


async def test_sealing_once_more_changes_nothing(store: NodeStore) -> None:
    await store.sealed(1)
    before = await store.dump()
    await store.outbox.save_sealed(envelope(1), (place(1),))
    assert await store.dump() == before


async def test_a_number_is_used_once(store: NodeStore) -> None:
    await store.sealed(1)
    await store.outbox.add_message(message(2, ("MNG", "UZB")), None)
    before = await store.dump()
    with pytest.raises(Conflict) as caught:
        # The place at UZB is free; all of it fails all the same.
        await store.outbox.save_sealed(envelope(2), (place(1, "UZB"), place(1, "MNG")))
    assert caught.value.code == "number-used"
    assert await store.dump() == before


async def test_another_envelope_under_a_used_id_is_refused(store: NodeStore) -> None:
    await store.sealed(1)
    before = await store.dump()
    with pytest.raises(Conflict):
        await store.outbox.save_sealed(envelope(1, header_digest=b"x" * 32), (place(2),))
    assert await store.dump() == before


async def test_what_is_sealed_is_sent_most_urgent_first(store: NodeStore) -> None:
    for number, precedence in ((1, 3), (2, 0), (3, 3)):
        await store.outbox.add_message(message(number), None)
        await store.outbox.save_sealed(envelope(number, precedence=precedence, created=NOW + number), (place(number),))
    assert [found.envelope for found in await store.outbox.to_send(NOW, 10)] == [name(n, "e") for n in (2, 1, 3)]


async def test_a_failed_try_waits_and_is_counted(store: NodeStore) -> None:
    one = await store.sealed(1)
    await store.outbox.save_failed(one, "the relay is away", NOW + 8)
    assert await store.outbox.to_send(NOW + 7, 10) == ()
    (found,) = await store.outbox.to_send(NOW + 8, 10)
    assert (found.attempts, found.fault) == (1, "the relay is away")
    await store.outbox.save_failed(one, "again", NOW + 99)
    await store.outbox.try_now()
    assert len(await store.outbox.to_send(NOW, 10)) == 1
