"""What is lost and sent again: asked once, at most once a day, with its number; what a restore leaves in a store."""

import pytest

from exchange.storage.node_backup import begin_again
from schemas.content import VoidReason
from schemas.limits import DAY
from tests.support.node_rows import HEADS, MESSAGES, NOW, NodeStore, envelope, message, name, place, token

LATER = NOW + 10
PARTNERS = ("MNG", "UZB")


async def delivered(store: NodeStore, number: int, to: tuple[str, ...] = ("MNG",), state: str = "delivered") -> None:
    """A message that its recipients have answered at LATER."""
    await store.outbox.add_message(message(number, to, expires=NOW + 5 * DAY), None)
    await store.outbox.save_sealed(envelope(number), tuple(place(number, member) for member in to))
    await store.outbox.save_accepted(name(number, "e"), b"receipt", NOW)
    for member in to:
        await store.evidence.save_acknowledgement(name(number, "e"), member, state, b"first answer", LATER)


async def settled(store: NodeStore, number: int, member: str = "MNG") -> int:
    """What became of a number."""

    rows = await store.database.read(
        lambda c: c.execute(
            "SELECT settled FROM numbers_out WHERE number = ? AND recipient = ?", (number, member)
        ).fetchall()
    )
    return int(rows[0]["settled"])


async def test_what_was_answered_since_is_wanted_by_who_answered(store: NodeStore) -> None:
    await delivered(store, 1, ("MNG", "UZB"))
    await store.resends.want("MNG", LATER, LATER + 100)
    (due,) = await store.resends.due(10)
    assert (due.message.id, due.member, due.replaces, due.waits) == (name(1), "MNG", name(1, "e"), False)
    assert due.replaced == b"header"


@pytest.mark.parametrize(("since", "wanted"), [(LATER + 120, 1), (LATER + 121, 0)])
async def test_what_was_answered_before_is_not_wanted(store: NodeStore, since: int, wanted: int) -> None:
    """The two clocks may differ by what the protocol allows."""
    await delivered(store, 1)
    await store.resends.want("MNG", since, LATER + 500)
    assert len(await store.resends.due(10)) == wanted


async def test_what_nobody_answered_is_still_under_way(store: NodeStore) -> None:
    await store.sealed(1)
    await store.outbox.save_accepted(name(1, "e"), b"receipt", NOW)
    await store.resends.want("MNG", 0, LATER)
    assert await store.resends.due(10) == ()


async def test_at_most_once_a_day(store: NodeStore) -> None:
    await delivered(store, 1)
    for now in (LATER, LATER + 1, LATER + DAY - 1):
        await store.resends.want("MNG", 0, now)
        await store.resends.want_anew(name(1, "e"), "MNG", now)
    assert len(await store.resends.due(10)) == 1
    await store.resends.want("MNG", 0, LATER + DAY)
    assert len(await store.resends.due(10)) == 2


async def test_what_is_sent_again_takes_a_number_and_voids_the_one_before(store: NodeStore) -> None:
    await delivered(store, 1)
    await store.resends.want("MNG", 0, LATER)
    (due,) = await store.resends.due(10)
    again = envelope(2, message=None)
    await store.resends.save_resent(due, again, (place(2),))
    await store.reopen()
    assert await store.resends.due(10) == ()
    assert await settled(store, 1) == VoidReason.SUPERSEDED + 1
    assert [item.envelope for item in await store.outbox.to_send(LATER, 10)] == [name(2, "e")]
    (stream,) = (await store.outbox.streams_out(MESSAGES)).values()
    assert (stream.last, stream.head_due) == (2, NOW)
    assert await store.state(name(1)) == "delivered"


async def test_a_delivery_after_a_refusal_counts_when_it_was_sent_again(store: NodeStore) -> None:
    await delivered(store, 1, state="refused")
    assert await store.recipients(name(1)) == {"MNG": "refused"}
    # Of the first envelope the first answer is final.
    await store.evidence.save_acknowledgement(name(1, "e"), "MNG", "delivered", b"another answer", LATER)
    assert await store.recipients(name(1)) == {"MNG": "refused"}
    await store.resends.want_anew(name(1, "e"), "MNG", LATER)
    (due,) = await store.resends.due(10)
    assert due.waits
    await store.resends.save_resent(due, envelope(2, message=None), (place(2),))
    await store.outbox.save_accepted(name(2, "e"), b"receipt", LATER)
    await store.evidence.save_acknowledgement(name(2, "e"), "UZB", "delivered", b"of another", LATER)
    assert await store.recipients(name(1)) == {"MNG": "refused"}
    await store.evidence.save_acknowledgement(name(2, "e"), "MNG", "delivered", b"second answer", LATER)
    assert await store.recipients(name(1)) == {"MNG": "delivered"}
    assert await store.state(name(1)) == "delivered"


async def test_what_cannot_be_sent_again_says_why_and_is_void_as_lost(store: NodeStore) -> None:
    await delivered(store, 1)
    await store.resends.want("MNG", 0, LATER)
    (due,) = await store.resends.due(10)
    await store.resends.save_not_resent(due, "first-sending-over", LATER)
    assert await store.resends.due(10) == ()
    assert await settled(store, 1) == VoidReason.LOST + 1


async def test_a_refusal_that_stays_one_leaves_its_number(store: NodeStore) -> None:
    await delivered(store, 1, state="refused")
    await store.resends.want_anew(name(1, "e"), "MNG", LATER)
    (due,) = await store.resends.due(10)
    await store.resends.save_not_resent(due, "the key is in force", LATER)
    assert await settled(store, 1) == 1


async def test_what_has_expired_is_lost_at_once(store: NodeStore) -> None:
    await delivered(store, 1)
    await store.resends.want("MNG", 0, NOW + 5 * DAY)
    assert await store.resends.due(10) == ()
    assert await settled(store, 1) == VoidReason.LOST + 1


async def test_a_head_and_an_unknown_envelope_are_never_sent_again(store: NodeStore) -> None:
    await store.outbox.save_sealed(envelope(1, message=None), (place(1, kind=HEADS, head_due=None),))
    for known in (name(1, "e"), name(9, "e")):
        await store.resends.want_anew(known, "MNG", LATER)
    assert await store.resends.due(10) == ()


async def test_a_store_that_was_never_restored_asks_nobody(store: NodeStore) -> None:
    assert await store.resends.lost_since() is None
    assert await store.resends.asks(PARTNERS) == ()


async def test_a_restored_store_asks_every_partner_once_and_ends_its_streams(store: NodeStore) -> None:
    await delivered(store, 1)
    await store.access.add_token(token(1, scopes=("admin",), ministry="operator"))
    await store.access.add_token(token(2))
    await begin_again(store.database, LATER, LATER + 50, token(3, scopes=("admin",), ministry="operator"))
    await store.reopen()
    assert await store.resends.lost_since() == LATER
    assert [(ask.member, ask.since) for ask in await store.resends.asks(PARTNERS)] == [("MNG", LATER), ("UZB", LATER)]
    await store.resends.save_asked("MNG", LATER + 60)
    assert [ask.member for ask in await store.resends.asks((*PARTNERS, "XAA"))] == ["UZB"]
    assert await store.outbox.streams_out(MESSAGES) == {}
    (ended,) = (await store.outbox.streams_out(3)).values()
    assert (ended.last, ended.digest) == (1, name(1, "d") * 2)
    assert [stream.stream for stream in await store.evidence.heads_due(LATER + 50)] == [ended.stream]
    tokens = {row.id: row.revoked for row in await store.access.tokens()}
    assert tokens == {f"{1:016x}": LATER + 50, f"{2:016x}": None, f"{3:016x}": None}


async def test_restored_twice_it_asks_for_what_the_older_backup_lacks(store: NodeStore) -> None:
    await begin_again(store.database, LATER, LATER + 50, token(1))
    for ask in await store.resends.asks(PARTNERS):
        await store.resends.save_asked(ask.member, LATER + 60)
    await begin_again(store.database, LATER + 100, LATER + 150, token(2))
    assert [(ask.member, ask.since) for ask in await store.resends.asks(("MNG",))] == [("MNG", LATER)]


async def test_what_was_sealed_to_an_ended_epoch_is_queued_again_with_what_it_replaces(store: NodeStore) -> None:
    await store.sealed(1, ("MNG", "UZB"))
    for _ in range(2):
        await store.outbox.save_superseded(name(1, "e"), "epoch-ended", LATER)
    await store.reopen()
    (queued,) = await store.outbox.queued(LATER, 10)
    assert (queued.id, queued.replaces, queued.waits) == (name(1), name(1, "e"), None)
    assert await settled(store, 1) == await settled(store, 1, "UZB") == VoidReason.SUPERSEDED + 1
    assert {stream.head_due for stream in (await store.outbox.streams_out(MESSAGES)).values()} == {LATER}
    assert await store.outbox.to_send(LATER, 10) == ()
    assert await store.recipients(name(1)) == {"MNG": "pending", "UZB": "pending"}
    await store.outbox.save_sealed(envelope(2, of=1), (place(2), place(2, "UZB")))
    await store.outbox.save_superseded(name(1, "e"), "epoch-ended", LATER)
    assert await store.state(name(1)) == "sealed"
    await store.outbox.save_accepted(name(2, "e"), b"receipt", LATER)
    assert await store.state(name(1)) == "accepted"


async def test_an_accepted_envelope_is_not_given_up(store: NodeStore) -> None:
    await delivered(store, 1)
    before = await store.dump()
    await store.outbox.save_superseded(name(1, "e"), "epoch-ended", LATER)
    assert await store.dump() == before


async def test_a_refusal_of_an_envelope_that_was_given_up_does_not_close_the_one_in_its_place(store: NodeStore) -> None:
    await store.sealed(1)
    await store.outbox.save_superseded(name(1, "e"), "epoch-ended", LATER)
    await store.evidence.save_acknowledgement(name(1, "e"), "MNG", "refused", b"of what was given up", LATER)
    await store.outbox.save_sealed(envelope(2, of=1), (place(2),))
    await store.outbox.save_accepted(name(2, "e"), b"receipt", LATER)
    await store.evidence.save_acknowledgement(name(2, "e"), "MNG", "delivered", b"answer", LATER)
    assert await store.state(name(1)) == "delivered"


async def test_what_is_sent_again_is_due_anew_in_place_of_what_was_given_up(store: NodeStore) -> None:
    await delivered(store, 1)
    await store.resends.want("MNG", 0, LATER)
    (due,) = await store.resends.due(10)
    await store.resends.save_resent(due, envelope(2, message=None), (place(2),))
    await store.outbox.save_superseded(name(2, "e"), "epoch-ended", LATER)
    (again,) = await store.resends.due(10)
    assert (again.message.id, again.member, again.replaces) == (name(1), "MNG", name(2, "e"))
    await store.resends.save_resent(again, envelope(3, message=None), (place(3),))
    assert await settled(store, 2) == VoidReason.SUPERSEDED + 1
    assert await store.resends.due(10) == ()


async def test_a_request_and_a_head_that_were_given_up_are_made_anew(store: NodeStore) -> None:
    await store.sealed(1)
    await begin_again(store.database, LATER, LATER + 50, token(1))
    assert len(await store.resends.asks(PARTNERS)) == 2
    sealed = envelope(2, message=None, created=LATER + 60)
    await store.outbox.save_sealed(sealed, (place(1, kind=HEADS, head_due=None),))
    for member in PARTNERS:
        await store.resends.save_asked(member, LATER + 60)
    assert await store.evidence.heads_due(LATER + 50) != ()
    (ended,) = (await store.outbox.streams_out(3)).values()
    await store.evidence.move_head_due(ended.stream, ended.head_due, LATER + DAY)
    await store.outbox.save_superseded(name(2, "e"), "epoch-ended", LATER + 70)
    assert [ask.member for ask in await store.resends.asks(PARTNERS)] == ["MNG"]
    assert [stream.recipient for stream in await store.evidence.heads_due(LATER + 70)] == ["MNG"]
