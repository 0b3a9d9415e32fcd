"""One suite for every engine behind a node's outbox and evidence: durable, all or nothing, forward only."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.errors import Conflict
from exchange.storage.node_values import Idempotency, StoredAttachment
from schemas.content import VoidReason
from tests.support.node_rows import HEADS, MESSAGES, NOW, NodeStore, envelope, message, name, place

KEY = Idempotency("token", "key", b"request")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[NodeStore]:
    made = NodeStore(tmp_path)
    yield made
    await made.database.close()


async def sealed(store: NodeStore, number: int, to: tuple[str, ...] = ("MNG",)) -> bytes:
    """A message, sealed under the same number; the envelope's id."""
    await store.outbox.add_message(message(number, to), None)
    await store.outbox.save_sealed(envelope(number), tuple(place(number, member) for member in to))
    return name(number, "e")


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
    for number, fields in enumerate(
        ({"precedence": 3}, {"precedence": 0}, {"due": NOW + 1}, {"expires": NOW}, {"precedence": 3}), 1
    ):
        await store.outbox.add_message(message(number, **fields), None)
    assert [found.id for found in await store.outbox.queued(NOW, 10)] == [name(2), name(1), name(5)]
    assert [found.id for found in await store.outbox.queued(NOW, 1)] == [name(2)]
    assert name(3) in [found.id for found in await store.outbox.queued(NOW + 1, 10)]


async def test_a_queued_message_says_why_it_waits(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)
    await store.outbox.set_waits(name(1), "MNG has no epoch")
    (found,) = await store.outbox.queued(NOW, 10)
    assert found.waits == "MNG has no epoch"
    await store.outbox.save_sealed(envelope(1), (place(1),))
    await store.outbox.set_waits(name(1), "too late")
    after = await store.views.message(name(1))
    assert after is not None
    assert after.waits is None


# Sealing and numbers.


async def test_a_sealed_envelope_takes_its_numbers(store: NodeStore) -> None:
    await sealed(store, 1, ("MNG", "UZB"))
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
    await sealed(store, 1)
    before = await store.dump()
    await store.outbox.save_sealed(envelope(1), (place(1),))
    assert await store.dump() == before


async def test_a_number_is_used_once(store: NodeStore) -> None:
    await sealed(store, 1)
    await store.outbox.add_message(message(2, ("MNG", "UZB")), None)
    before = await store.dump()
    with pytest.raises(Conflict) as caught:
        # The place at UZB is free; all of it fails all the same.
        await store.outbox.save_sealed(envelope(2), (place(1, "UZB"), place(1, "MNG")))
    assert caught.value.code == "number-used"
    assert await store.dump() == before


async def test_another_envelope_under_a_used_id_is_refused(store: NodeStore) -> None:
    await sealed(store, 1)
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
    one = await sealed(store, 1)
    await store.outbox.save_failed(one, "the relay is away", NOW + 8)
    assert await store.outbox.to_send(NOW + 7, 10) == ()
    (found,) = await store.outbox.to_send(NOW + 8, 10)
    assert (found.attempts, found.fault) == (1, "the relay is away")
    await store.outbox.save_failed(one, "again", NOW + 99)
    await store.outbox.try_now()
    assert len(await store.outbox.to_send(NOW, 10)) == 1


# Acceptance, acknowledgements, ends.


async def test_an_accepted_envelope_keeps_its_receipt_and_not_its_body(store: NodeStore) -> None:
    one = await sealed(store, 1)
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.reopen()
    found = await store.evidence.envelope(one)
    assert found is not None
    assert (found.state, found.receipt, found.body, found.fault) == ("accepted", b"receipt", None, None)
    assert await store.state(name(1)) == "accepted"
    assert await store.recipients(name(1)) == {"MNG": "accepted"}
    assert await store.outbox.to_send(NOW, 10) == ()


async def test_accepting_once_more_changes_nothing(store: NodeStore) -> None:
    one = await sealed(store, 1)
    await store.outbox.save_accepted(one, b"receipt", NOW)
    before = await store.dump()
    await store.outbox.save_accepted(one, b"another receipt", NOW + 5)
    await store.outbox.save_failed(one, "late", NOW + 5)
    await store.outbox.save_final(one, "refused", VoidReason.REFUSED, "late", NOW + 5)
    assert await store.dump() == before


async def test_a_message_is_delivered_when_all_have_acknowledged(store: NodeStore) -> None:
    one = await sealed(store, 1, ("MNG", "UZB"))
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW + 1)
    assert await store.state(name(1)) == "accepted"
    await store.evidence.save_acknowledgement(one, "UZB", "delivered", b"ack", NOW + 2)
    assert await store.state(name(1)) == "delivered"


async def test_acknowledgements_may_overtake_the_receipt(store: NodeStore) -> None:
    one = await sealed(store, 1)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW)
    assert (await store.state(name(1)), await store.recipients(name(1))) == ("sealed", {"MNG": "delivered"})
    await store.outbox.save_accepted(one, b"receipt", NOW)
    assert (await store.state(name(1)), await store.recipients(name(1))) == ("delivered", {"MNG": "delivered"})


@pytest.mark.parametrize(("first", "second"), [("delivered", "refused"), ("refused", "delivered")])
async def test_the_first_acknowledgement_stands(store: NodeStore, first: str, second: str) -> None:
    one = await sealed(store, 1)
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.evidence.save_acknowledgement(one, "MNG", first, b"first", NOW)
    before = await store.dump()
    await store.evidence.save_acknowledgement(one, "MNG", second, b"second", NOW + 1)
    await store.evidence.save_acknowledgement(one, "MNG", first, b"first", NOW + 1)
    await store.evidence.save_acknowledgement(one, "XAA", "delivered", b"not a recipient", NOW + 1)
    await store.evidence.save_acknowledgement(name(9, "e"), "MNG", "delivered", b"no such envelope", NOW + 1)
    assert await store.dump() == before
    (row,) = await store.views.recipients(name(1))
    assert (row.state, row.acknowledgement, row.changed) == (first, b"first", NOW)


@pytest.mark.parametrize(("state", "reason"), [("refused", VoidReason.REFUSED), ("expired", VoidReason.EXPIRED)])
async def test_an_envelope_that_will_never_be_accepted_leaves_a_void(
    store: NodeStore, state: str, reason: VoidReason
) -> None:
    one = await sealed(store, 1)
    stream = place(1).stream
    assert (await store.evidence.settled(stream)).last == 0
    await store.outbox.save_final(one, state, reason, "why", NOW + 5)
    assert (await store.state(name(1)), await store.recipients(name(1))) == (state, {"MNG": state})
    settled = await store.evidence.settled(stream)
    assert (settled.last, settled.digest, settled.voids) == (1, name(1, "d") * 2, ((1, reason),))
    # Its receivers are told soon, or they would take it for a loss.
    assert [due.stream for due in await store.evidence.heads_due(NOW + 5)] == [stream]
    await store.outbox.add_message(message(2), None)
    await store.outbox.save_sealed(envelope(2), (place(2, head_due=NOW + 9_999),))
    assert [due.head_due for due in await store.evidence.heads_due(NOW + 5)] == [NOW + 5]


async def test_a_head_announces_only_what_is_settled(store: NodeStore) -> None:
    stream = place(1).stream
    for number in (1, 2, 3):
        await sealed(store, number)
    await store.outbox.save_accepted(name(1, "e"), b"receipt", NOW)
    await store.outbox.save_accepted(name(3, "e"), b"receipt", NOW)
    assert (await store.evidence.settled(stream)).last == 1
    await store.outbox.save_final(name(2, "e"), "expired", VoidReason.EXPIRED, "late", NOW)
    settled = await store.evidence.settled(stream)
    assert (settled.last, settled.digest, settled.voids) == (3, name(3, "d") * 2, ((2, VoidReason.EXPIRED),))


async def test_a_head_that_was_brought_forward_is_not_put_off_again(store: NodeStore) -> None:
    one = await sealed(store, 1)
    stream = place(1).stream
    assert await store.evidence.heads_due(NOW + 3599) == ()
    (due,) = await store.evidence.heads_due(NOW + 3600)
    await store.evidence.move_head_due(stream, due.head_due, NOW + 86_400)
    assert await store.evidence.heads_due(NOW + 86_399) == ()
    await store.outbox.save_final(one, "refused", VoidReason.REFUSED, "why", NOW)
    await store.evidence.move_head_due(stream, NOW + 86_400, NOW + 999_999)
    assert [due.head_due for due in await store.evidence.heads_due(NOW)] == [NOW]


async def test_a_head_has_no_message_and_no_head(store: NodeStore) -> None:
    await store.outbox.save_sealed(envelope(1, message=None), (place(1, kind=HEADS, head_due=None),))
    await store.outbox.save_accepted(name(1, "e"), b"receipt", NOW)
    await store.evidence.save_acknowledgement(name(1, "e"), "MNG", "delivered", b"ack", NOW)
    assert await store.evidence.heads_due(NOW + 10**6) == ()
    assert (await store.outbox.streams_out(HEADS))["MNG"].last == 1
    assert await store.events() == []


async def test_what_is_not_settled_in_time_expires(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)
    two = await sealed(store, 2, ("MNG", "UZB"))
    await store.outbox.save_accepted(two, b"receipt", NOW)
    await store.evidence.save_acknowledgement(two, "MNG", "delivered", b"ack", NOW)
    await sealed(store, 3)
    await store.evidence.expire(NOW + 999)
    assert [await store.state(name(number)) for number in (1, 2, 3)] == ["queued", "accepted", "sealed"]
    await store.evidence.expire(NOW + 1000)
    # What is sealed is the sender's to end: its numbers have to become voids.
    assert [await store.state(name(number)) for number in (1, 2, 3)] == ["expired", "expired", "sealed"]
    assert await store.recipients(name(2)) == {"MNG": "delivered", "UZB": "expired"}
    before = await store.dump()
    await store.evidence.expire(NOW + 1001)
    assert await store.dump() == before
    await store.evidence.save_acknowledgement(two, "UZB", "delivered", b"late, but in time there", NOW + 2000)
    assert await store.recipients(name(2)) == {"MNG": "delivered", "UZB": "delivered"}


async def test_recipients_that_stay_silent(store: NodeStore) -> None:
    one = await sealed(store, 1, ("MNG", "UZB"))
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW + 1)
    assert await store.evidence.undelivered(NOW) == ()
    assert await store.evidence.undelivered(NOW + 1) == ((name(1), "UZB"),)


async def test_events_tell_every_move_once(store: NodeStore) -> None:
    one = await sealed(store, 1)
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW)
    told = [(kind, json.loads(data)["state"]) for _, kind, data in await store.events()]
    assert told == [
        ("message.state", "queued"),
        ("message.state", "sealed"),
        ("message.state", "accepted"),
        ("message.recipient", "delivered"),
        ("message.state", "delivered"),
    ]
