"""One suite for every engine behind a node's evidence: states only move forward, voids and heads are owed."""

import json

import pytest

from schemas.content import VoidReason
from tests.support.node_rows import HEADS, NOW, NodeStore, envelope, message, name, place


async def test_an_accepted_envelope_keeps_its_receipt_and_not_its_body(store: NodeStore) -> None:
    one = await store.sealed(1)
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.reopen()
    found = await store.evidence.envelope(one)
    assert found is not None
    assert (found.state, found.receipt, found.body, found.fault) == ("accepted", b"receipt", None, None)
    assert await store.state(name(1)) == "accepted"
    assert await store.recipients(name(1)) == {"MNG": "accepted"}
    assert await store.outbox.to_send(NOW, 10) == ()


async def test_accepting_once_more_changes_nothing(store: NodeStore) -> None:
    one = await store.sealed(1)
    await store.outbox.save_accepted(one, b"receipt", NOW)
    before = await store.dump()
    await store.outbox.save_accepted(one, b"another receipt", NOW + 5)
    await store.outbox.save_failed(one, "late", NOW + 5)
    await store.outbox.save_final(one, "refused", VoidReason.REFUSED, "late", NOW + 5)
    assert await store.dump() == before


async def test_a_message_is_delivered_when_all_have_acknowledged(store: NodeStore) -> None:
    one = await store.sealed(1, ("MNG", "UZB"))
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW + 1)
    assert await store.state(name(1)) == "accepted"
    await store.evidence.save_acknowledgement(one, "UZB", "delivered", b"ack", NOW + 2)
    assert await store.state(name(1)) == "delivered"


async def test_acknowledgements_may_overtake_the_receipt(store: NodeStore) -> None:
    one = await store.sealed(1)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW)
    assert (await store.state(name(1)), await store.recipients(name(1))) == ("sealed", {"MNG": "delivered"})
    await store.outbox.save_accepted(one, b"receipt", NOW)
    assert (await store.state(name(1)), await store.recipients(name(1))) == ("delivered", {"MNG": "delivered"})


@pytest.mark.parametrize(("first", "second"), [("delivered", "refused"), ("refused", "delivered")])
async def test_the_first_acknowledgement_stands(store: NodeStore, first: str, second: str) -> None:
    one = await store.sealed(1)
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
    one = await store.sealed(1)
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
        await store.sealed(number)
    await store.outbox.save_accepted(name(1, "e"), b"receipt", NOW)
    await store.outbox.save_accepted(name(3, "e"), b"receipt", NOW)
    assert (await store.evidence.settled(stream)).last == 1
    await store.outbox.save_final(name(2, "e"), "expired", VoidReason.EXPIRED, "late", NOW)
    settled = await store.evidence.settled(stream)
    assert (settled.last, settled.digest, settled.voids) == (3, name(3, "d") * 2, ((2, VoidReason.EXPIRED),))


async def test_a_head_that_was_brought_forward_is_not_put_off_again(store: NodeStore) -> None:
    one = await store.sealed(1)
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
    two = await store.sealed(2, ("MNG", "UZB"))
    await store.outbox.save_accepted(two, b"receipt", NOW)
    await store.evidence.save_acknowledgement(two, "MNG", "delivered", b"ack", NOW)
    await store.sealed(3)
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
    one = await store.sealed(1, ("MNG", "UZB"))
    await store.outbox.save_accepted(one, b"receipt", NOW)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW + 1)
    assert await store.evidence.undelivered(NOW) == ()
    assert await store.evidence.undelivered(NOW + 1) == ((name(1), "UZB"),)


async def test_events_tell_every_move_once(store: NodeStore) -> None:
    one = await store.sealed(1)
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


async def test_a_recipient_that_has_what_the_relay_refused(store: NodeStore) -> None:
    one = await store.sealed(1, ("MNG", "UZB"))
    await store.outbox.save_final(one, "refused", VoidReason.REFUSED, "no-consent", NOW)
    await store.evidence.save_acknowledgement(one, "UZB", "refused", b"own refusal", NOW + 1)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW + 1)
    assert await store.recipients(name(1)) == {"MNG": "delivered", "UZB": "refused"}
    assert await store.state(name(1)) == "refused"
    await store.evidence.save_acknowledgement(one, "UZB", "delivered", b"another word", NOW + 2)
    rows = {row.member: row.acknowledgement for row in await store.views.recipients(name(1))}
    assert rows == {"MNG": b"ack", "UZB": b"own refusal"}
    assert await store.state(name(1)) == "refused"


async def test_what_has_expired_before_the_relay_had_it(store: NodeStore) -> None:
    one, two = await store.sealed(1), await store.sealed(2)
    await store.outbox.save_accepted(two, b"receipt", NOW)
    assert await store.outbox.to_expire(NOW + 999, 10) == ()
    assert await store.outbox.to_expire(NOW + 1000, 10) == (one,)
