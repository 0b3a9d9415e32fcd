"""The contract of the stores of requests and Grants: every change with its message and its line, once."""

from typing import Any

import pytest

from exchange.errors import Conflict
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import GrantUse, Idempotency, Message
from exchange.storage.request_port import (
    EXPIRED,
    GIVEN,
    GRANTED,
    HELD,
    IN,
    OPEN,
    OUT,
    REFUSED,
    Reply,
    StoredAnswer,
    StoredGrant,
    StoredRequest,
)
from tests.support.node_rows import NOW, NodeStore, arrival, envelope, message, name, place, received, received_message
from tests.support.parties import replaced


def request(box: str = OUT, number: int = 1, *providers: str, **changes: object) -> StoredRequest:
    """A request of MNG, of KAZ if nobody else is named."""
    values: dict[str, Any] = {
        "box": box,
        "id": name(number, "r"),
        "member": "MNG",
        "provision": name(number, "p") * 2,
        "message": name(number),
        "measure": "2.1.1.d",
        "record_type": "military-activity-notification",
        "sealed_request": b"sealed",
        "state": OPEN,
        "created": NOW,
        "answer_by": NOW + 100,
        "answers": tuple(StoredAnswer(provider) for provider in providers or ("KAZ",)),
    }
    return StoredRequest(**replaced(values, changes))


def grant(box: str = GIVEN, number: int = 1, **changes: object) -> StoredGrant:
    """A Grant of KAZ for MNG."""
    values: dict[str, Any] = {
        "box": box,
        "provider": "KAZ",
        "id": name(number, "g"),
        "holder": "MNG",
        "provision": name(number, "v"),
        "class_tag": None,
        "until": NOW + 1000,
        "uses": 2,
        "signed": b"signed",
        "request": None,
        "message": None,
        "measure": None,
        "record_type": None,
        "created": NOW,
    }
    return StoredGrant(**replaced(values, changes))


def event(kind: str = "request.received", number: int = 1) -> ConsentEvent:
    """A line of the log."""
    return ConsentEvent(NOW, kind, name(number, "r").hex(), "MNG", None, "{}")


def said(number: int) -> Message:
    """A message about consent, to be sealed."""
    return message(number, kind=4)


async def came(store: NodeStore, number: int) -> bytes:
    """A message about consent that was received; its id."""
    row = received_message(number, kind=4, attachments=())
    await store.inbox.save_received(received(number), row, arrival(number), ())
    return row.id


def answer(provider: str, state: str, **changes: object) -> StoredAnswer:
    values: dict[str, Any] = {"provider": provider, "state": state, "time": NOW}
    return StoredAnswer(**replaced(values, changes))


async def kinds(store: NodeStore) -> list[str]:
    return [line.kind for line in await store.consent.events(0, 100)]


async def test_a_request_is_stored_with_its_message_and_its_line_once_for_a_key(store: NodeStore) -> None:
    key = Idempotency("token", "key", b"digest")
    assert await store.requests.add_request(request(), said(50), event("request.made"), key) == name(1, "r")
    again = await store.requests.add_request(request(number=2), said(51), event("request.made", 2), key)
    assert again == name(1, "r")
    assert await store.state(name(50)) == "queued"
    assert await store.views.message(name(51)) is None
    assert await kinds(store) == ["request.made"]
    found = await store.requests.request(OUT, name(1, "r"))
    assert found is not None
    assert found.answers == (StoredAnswer("KAZ"),)
    with pytest.raises(Conflict):
        await store.requests.add_request(
            request(number=3), said(52), event(number=3), Idempotency("token", "key", b"other")
        )
    assert [row.id for row in await store.requests.requests(OUT, 0, 10)] == [name(1, "r")]
    assert await store.requests.requests(IN, 0, 10) == ()


async def test_what_is_due_comes_in_turns_of_the_senders_without_what_rests(store: NodeStore) -> None:
    for number, path in ((1, ("KAZ",)), (2, ("KAZ",)), (3, ("KAZ",)), (4, ("MNG",)), (5, ("MNG",))):
        row = received_message(number, kind=4, attachments=(), path=path)
        await store.inbox.save_received(received(number), row, arrival(number), ())

    async def due(limit: int, *skip: int) -> list[bytes]:
        return [row.id for row in await store.consent.due(limit, [name(number) for number in skip])]

    assert await due(9) == [name(number) for number in (1, 4, 2, 5, 3)]
    assert await due(2) == [name(1), name(4)]
    assert await due(2, 1, 5) == [name(2), name(4)]


async def test_a_received_request_is_taken_once_with_the_answer_of_a_rule(store: NodeStore) -> None:
    due = await came(store, 7)
    reply = Reply(answer("KAZ", GRANTED, grant=name(1, "g")), said(50), event("request.granted"), grant())
    assert await store.requests.save_request(due, request(IN), event(), reply)
    assert not await store.requests.save_request(due, request(IN), event(), reply)
    assert await store.consent.due(10) == ()
    found = await store.requests.request(IN, name(1, "r"))
    assert found is not None
    assert (found.state, found.answers[0].state, found.answers[0].grant) == (GRANTED, GRANTED, name(1, "g"))
    assert await kinds(store) == ["request.received", "request.granted"]
    assert len(await store.grants.grants(GIVEN, 0, 10)) == 1
    assert await store.state(name(50)) == "queued"


async def test_what_comes_before_the_commit_is_lost_together_and_taken_again(store: NodeStore) -> None:
    """The outgoing message cannot be stored: then nothing is, and the letter is due as before."""
    due = await came(store, 7)
    await store.outbox.add_message(message(50), None)
    twice = said(50)
    reply = Reply(answer("KAZ", REFUSED), twice, event("request.refused"))
    before = await store.dump()
    with pytest.raises(Exception, match="UNIQUE"):
        await store.requests.save_request(due, request(IN), event(), reply)
    assert await store.dump() == before
    await store.reopen()
    assert [row.id for row in await store.consent.due(10)] == [due]
    assert await store.requests.save_request(due, request(IN), event(), None)


async def test_a_second_request_of_one_id_changes_nothing(store: NodeStore) -> None:
    assert await store.requests.save_request(await came(store, 7), request(IN), event(), None)
    other = request(IN, member="XAA", sealed_request=b"other")
    assert not await store.requests.save_request(await came(store, 8), other, event(), None)
    found = await store.requests.request(IN, name(1, "r"))
    assert found is not None
    assert (found.member, found.sealed_request) == ("MNG", b"sealed")
    assert await kinds(store) == ["request.received"]


async def test_a_request_is_answered_once(store: NodeStore) -> None:
    await store.requests.save_request(await came(store, 7), request(IN), event(), None)
    key = Idempotency("token", "key", b"digest")
    granted = Reply(answer("KAZ", GRANTED, grant=name(1, "g")), said(50), event("request.granted"), grant())
    refused = Reply(answer("KAZ", REFUSED), said(51), event("request.refused"))
    assert await store.requests.answer(name(1, "r"), granted, key) == name(1, "g")
    before = await store.dump()
    assert await store.requests.answer(name(1, "r"), granted, key) == name(1, "g")
    assert await store.requests.answer(name(1, "r"), refused, None) is None
    assert await store.requests.answer(name(9, "r"), refused, None) is None
    assert await store.dump() == before


async def test_a_request_is_granted_by_all_and_refused_by_one(store: NodeStore) -> None:
    for number, second in ((1, GRANTED), (2, REFUSED)):
        await store.requests.add_request(request(OUT, number, "KAZ", "XAA"), said(50 + number), event(), None)
        ident = name(number, "r")
        given = grant(HELD, number, request=ident)
        assert await store.grants.save_given(await came(store, 10 * number), given, event("grant.received"))
        found = await store.requests.request(OUT, ident)
        assert found is not None
        assert (found.state, [one.state for one in found.answers]) == (OPEN, [GRANTED, OPEN])
        due = await came(store, 10 * number + 1)
        if second == GRANTED:
            other = grant(HELD, number, provider="XAA", request=ident)
            assert await store.grants.save_given(due, other, event("grant.received"))
        else:
            assert await store.requests.save_refused(due, ident, answer("XAA", REFUSED), event("request.refused"))
        found = await store.requests.request(OUT, ident)
        assert found is not None
        assert found.state == second


async def test_answers_after_the_first_have_no_effect(store: NodeStore) -> None:
    await store.requests.add_request(request(), said(50), event(), None)
    ident = name(1, "r")
    assert await store.requests.save_refused(await came(store, 7), ident, answer("KAZ", REFUSED), event())
    again = answer("KAZ", REFUSED, time=NOW + 5)
    assert not await store.requests.save_refused(await came(store, 8), ident, again, event())
    # A Grant is one all the same: it is held, and the request stays refused.
    assert await store.grants.save_given(await came(store, 9), grant(HELD, request=ident), event())
    assert not await store.grants.save_given(await came(store, 10), grant(HELD, request=ident), event())
    found = await store.requests.request(OUT, ident)
    assert found is not None
    assert (found.state, found.answers[0].time) == (REFUSED, NOW)
    assert await store.consent.due(10) == ()
    assert not await store.requests.save_refused(await came(store, 11), ident, answer("UZB", REFUSED), event())


async def test_time_reminds_once_and_ends_what_is_open(store: NodeStore) -> None:
    await store.requests.save_request(await came(store, 7), request(IN), event(), None)
    await store.requests.add_request(request(OUT, 2), said(50), event(), None)
    assert await store.requests.due_requests(IN, NOW + 99, NOW, 10) == ()
    (soon,) = await store.requests.due_requests(IN, NOW + 100, NOW, 10)
    await store.requests.timed(soon, OPEN, event("request.reminded"))
    assert await store.requests.due_requests(IN, NOW + 100, NOW, 10) == ()
    assert await store.requests.due_requests(IN, NOW + 200, NOW + 100, 10) == ()
    (over,) = await store.requests.due_requests(IN, NOW + 200, NOW + 101, 10)
    for _ in range(2):
        await store.requests.timed(over, EXPIRED, event("request.expired"))
    assert await store.requests.due_requests(IN, NOW + 900, NOW + 900, 10) == ()
    assert (await kinds(store)).count("request.expired") == 1
    refused = Reply(answer("KAZ", REFUSED), said(51), event("request.refused"))
    assert await store.requests.answer(name(1, "r"), refused, None) is None


async def test_what_a_member_has_waiting_is_counted(store: NodeStore) -> None:
    for number in (1, 2):
        await store.requests.save_request(
            await came(store, number), request(IN, number, created=NOW + number), event(), None
        )
    assert await store.requests.waiting_from("MNG", NOW + 2) == (2, 1)
    assert await store.requests.waiting_from("UZB", 0) == (0, 0)


async def test_an_unasked_grant_is_given_once_for_a_key(store: NodeStore) -> None:
    key = Idempotency("token", "key", b"digest")
    assert await store.grants.give(grant(), said(50), event("grant.given"), key) == name(1, "g")
    before = await store.dump()
    assert await store.grants.give(grant(number=2), said(51), event("grant.given"), key) == name(1, "g")
    assert await store.dump() == before


async def test_grants_are_found_by_provision_and_class_until_they_end(store: NodeStore) -> None:
    tag = name(1, "t")
    of_class = grant(HELD, 2, provision=None, class_tag=tag)
    for number, held in enumerate((grant(HELD, 1), of_class, grant(HELD, 3, until=NOW - 1)), 10):
        await store.grants.save_given(await came(store, number), held, event())
    names = (name(1, "v"), tag, name(3, "v"))
    found = await store.grants.about(HELD, "KAZ", names, NOW, 10)
    assert [row.id for row in found] == [name(2, "g"), name(1, "g")]
    assert len(await store.grants.about(HELD, "KAZ", names, 0, 10)) == 3
    assert await store.grants.about(HELD, "XAA", names, NOW, 10) == ()
    assert await store.grants.about(GIVEN, "KAZ", names, NOW, 10) == ()
    assert await store.grants.unasked("KAZ", NOW) == 2


async def test_uses_come_with_a_transfer_and_go_with_one_that_was_not_accepted(store: NodeStore) -> None:
    await store.grants.save_given(await came(store, 7), grant(HELD), event())
    first, second = (GrantUse("KAZ", name(1, "g"), to, name(1, "v")) for to in ("UZB", "XAA"))
    for number, uses in ((1, (first,)), (2, (first, second)), (3, (second,))):
        await store.outbox.add_message(message(number, uses=uses), None)
    of_grant = (("KAZ", name(1, "g")),)
    assert set(await store.grants.uses(of_grant)) == {first, second}
    found = await store.grants.grant(HELD, "KAZ", name(1, "g"))
    assert found is not None
    assert found.used == 2
    await store.outbox.save_sealed(envelope(2), (place(2),))
    await store.outbox.save_final(name(2, "e"), "refused", 2, "no-consent", NOW)
    assert set(await store.grants.uses(of_grant)) == {first, second}
    await store.outbox.save_sealed(envelope(3), (place(3),))
    await store.outbox.save_final(name(3, "e"), "expired", 1, "late", NOW)
    assert await store.grants.uses(of_grant) == (first,)
    await store.evidence.expire(NOW + 5000)
    assert await store.grants.uses(of_grant) == ()


async def test_what_the_relay_accepted_has_used_its_grant_for_good(store: NodeStore) -> None:
    use = GrantUse("KAZ", name(1, "g"), "UZB", name(1, "v"))
    await store.outbox.add_message(message(1, ("UZB",), uses=(use,)), None)
    await store.outbox.save_sealed(envelope(1), (place(1, "UZB"),))
    await store.outbox.save_accepted(name(1, "e"), b"receipt", NOW)
    await store.evidence.save_acknowledgement(name(1, "e"), "UZB", "refused", b"ack", NOW)
    await store.evidence.expire(NOW + 5000)
    assert await store.grants.uses((("KAZ", name(1, "g")),)) == (use,)


async def test_a_record_is_found_by_what_stands_in_its_provision(store: NodeStore) -> None:
    row = received_message(1, signed_provisions=(b"before" + name(1, "v") + b"after",))
    await store.inbox.save_received(received(1), row, arrival(1), ())
    await came(store, 2)
    assert [found.id for found in await store.grants.under(name(1, "v"), 5)] == [row.id]
    assert await store.grants.under(name(2, "v"), 5) == ()
