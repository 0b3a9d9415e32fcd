"""Withdrawals of consent in a node's store: once, with what they cause, and what is left when content is destroyed."""

from dataclasses import replace

import pytest

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Alarm
from exchange.storage.withdrawal_port import Destruction, Named, Notice, OwnWithdrawal, SeenWithdrawal, StoredStatement
from tests.support.node_rows import (
    NOW,
    NodeStore,
    arrival,
    envelope,
    message,
    name,
    place,
    received,
    received_message,
)

CONSENT = 4
ID = b"w" * 16
ALARM = Alarm("consent-withdrawn:x", "consent-withdrawn", "KAZ", "look", NOW)


def event(kind: str = "withdrawal.made") -> ConsentEvent:
    """A line of the log."""
    return ConsentEvent(NOW, kind, ID.hex(), None, "ministry/token", "{}")


def own(**changes: object) -> OwnWithdrawal:
    """A withdrawal of this state's own."""
    made = OwnWithdrawal(
        ID, 2, name(1, "p") * 2, "2.1.1.d", "notice", b"entry", b"sealed reason", "ministry/token", NOW
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # as the test says


def notice(number: int, member: str) -> Notice:
    """What tells a member."""
    return Notice(member, message(number, (member,), kind=CONSENT))


def seen(**changes: object) -> SeenWithdrawal:
    """A withdrawal of KAZ."""
    return replace(SeenWithdrawal("KAZ", ID, 2, name(1, "p") * 2, b"sealed", NOW, None, NOW), **changes)  # type: ignore[arg-type]


def stated(holder: str = "MNG", conduct: int = 1, provider: str = "KAZ", time: int = NOW) -> StoredStatement:
    """A statement."""
    return StoredStatement(provider, ID, holder, time, conduct, b"signed")


async def due(store: NodeStore, number: int) -> bytes:
    """A message about consent that waits for its effect."""
    row = received_message(number, kind=CONSENT, attachments=())
    assert await store.inbox.save_received(received(number), row, arrival(number), ())
    return row.id


class TestOwn:
    """This state's own."""

    async def test_it_is_stored_once_with_what_tells_of_it(self, store: NodeStore) -> None:
        assert await store.withdrawals.add(own(), (notice(1, "MNG"), notice(2, "UZB")), event())
        before = await store.dump()
        assert not await store.withdrawals.add(own(created=NOW + 1), (), event())
        assert await store.dump() == before
        assert [told.member for told in await store.withdrawals.told(ID)] == ["MNG", "UZB"]
        assert [row.id for row in await store.outbox.queued(NOW, 10)] == [name(1), name(2)]
        assert await store.withdrawals.withdrawal(ID) == own()
        assert [row.kind for row in await store.consent.events(0, 10)] == ["withdrawal.made"]

    async def test_pending_until_it_is_placed(self, store: NodeStore) -> None:
        await store.withdrawals.add(own(), (), event())
        await store.withdrawals.fail(ID, "the relay is away")
        await store.withdrawals.renew(ID, b"entry 2")
        assert await store.withdrawals.pending() == (own(entry=b"entry 2", fault="the relay is away"),)
        assert await store.held.beside("XAA", [("XAA", ID), ("KAZ", ID), ("XAA", b"o" * 16)]) == {("XAA", ID)}
        await store.reopen()
        for position in (7, 8):
            await store.withdrawals.place(ID, position, NOW + 5, event("withdrawal.in-force"))
        assert await store.withdrawals.pending() == ()
        assert await store.withdrawals.withdrawals() == (own(entry=b"entry 2", position=7, since=NOW + 5),)
        assert await store.held.beside("XAA", [("XAA", ID)]) == frozenset()
        await store.withdrawals.renew(ID, b"too late")
        await store.withdrawals.fail(ID, "too late")
        assert await store.withdrawals.withdrawals() == (own(entry=b"entry 2", position=7, since=NOW + 5),)
        assert len(await store.consent.events(0, 10)) == 2

    async def test_a_statement_is_taken_once_and_tells_others(self, store: NodeStore) -> None:
        await store.withdrawals.add(own(), (notice(1, "MNG"),), event())
        letter = await due(store, 5)
        others = (notice(2, "UZB"), notice(3, "MNG"))
        said = stated(provider="XAA")
        assert await store.withdrawals.take_statement(letter, said, others, event("withdrawal.statement"))
        before = await store.dump()
        assert not await store.withdrawals.take_statement(letter, said, others, event())
        assert await store.dump() == before
        assert await store.held.statements("XAA", ID) == (said,)
        assert [told.member for told in await store.withdrawals.told(ID)] == ["MNG", "UZB"]
        assert await store.views.message(name(3)) is None, "MNG knows already"

    async def test_who_is_silent_is_told_once(self, store: NodeStore) -> None:
        await store.withdrawals.add(own(), (notice(1, "MNG"), notice(2, "UZB")), event())
        assert await store.withdrawals.unanswered(NOW + 99) == (), "it is not in force"
        await store.withdrawals.place(ID, 7, NOW, event())
        await store.withdrawals.take_statement(await due(store, 5), stated(provider="XAA"), (), event())
        assert await store.withdrawals.unanswered(NOW) == ()
        assert [silent for _, silent in await store.withdrawals.unanswered(NOW + 1)] == [("UZB",)]
        for _ in range(2):
            await store.withdrawals.remind(ID, ALARM)
        assert await store.withdrawals.unanswered(NOW + 1) == ()
        assert len(await store.inbox.latest_alarms(10)) == 1


class TestOthers:
    """Others' of what is here."""

    async def test_what_stands_under_a_provision_or_grant(self, store: NodeStore) -> None:
        for number in (1, 2):
            await store.outbox.add_message(message(number), None)
        unnamed = await store.held.unnamed(10)
        assert [row.id for row in unnamed] == [name(1), name(2)]
        rows = [Named(row.id, row.seq, (("KAZ", ID), ("UZB", row.id))) for row in unnamed]
        for _ in range(2):
            await store.held.name(rows)
        assert await store.held.unnamed(10) == ()
        asked = [("KAZ", ID), ("UZB", name(2)), ("UZB", ID)]
        assert await store.held.standing_under(asked) == {
            ("KAZ", ID): (name(1), name(2)),
            ("UZB", name(2)): (name(2),),
        }

    async def test_told_then_seen(self, store: NodeStore) -> None:
        await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
        letter = await due(store, 5)
        assert await store.held.save_told(letter, seen(), ALARM, name(1), event())
        before = await store.dump()
        assert not await store.held.save_told(letter, seen(told=NOW + 9), ALARM, name(1), event())
        assert await store.dump() == before
        assert await store.held.beside("XAA", [("KAZ", ID)]) == {("KAZ", ID)}
        for _ in range(2):
            await store.held.save_seen(seen(position=9), ALARM, name(1), event("withdrawal.seen"))
        assert await store.held.seen("KAZ", ID) == seen(position=9, alarmed=True)
        assert await store.held.beside("XAA", [("KAZ", ID)]) == frozenset()
        assert [row.kind for row in await store.consent.events(0, 10)] == ["withdrawal.made", "withdrawal.seen"]
        assert [row[1] for row in await store.events()] == ["message.received", "message.withdrawn"]

    async def test_seen_then_told(self, store: NodeStore) -> None:
        await store.held.save_seen(seen(told=None, sealed_reason=None, position=9), None, None, event())
        assert await store.held.save_told(await due(store, 5), seen(), None, None, event())
        assert await store.held.all_seen() == (seen(position=9),)
        await store.held.save_seen(seen(position=9), ALARM, None, event())
        assert await store.held.all_seen() == (seen(position=9, alarmed=True),)

    async def test_accepted_envelopes_under_a_provision(self, store: NodeStore) -> None:
        for number in (1, 2, 3):
            await store.outbox.add_message(message(number), None)
            header = b"header of a body" if number > 1 else b"header"
            await store.outbox.save_sealed(envelope(number, header=header), (place(number),))
        for number in (1, 2):
            await store.outbox.save_accepted(name(number, "e"), b"receipt %d" % number, NOW)
        assert await store.held.accepted_under(b"a body") == ((b"header of a body", b"receipt 2"),)


class TestDestroyed:
    """The end of a copy."""

    async def test_a_statement_alone_destroys_nothing(self, store: NodeStore) -> None:
        await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
        outgoing = message(9, ("KAZ",), kind=CONSENT)
        assert await store.destroyed.state(stated(), outgoing, "m/t", None, event()) == ()
        before = await store.dump()
        assert await store.destroyed.state(stated(), outgoing, "m/t", Destruction(name(1, "p") * 2), event()) is None
        assert await store.dump() == before
        assert [row.id for row in await store.destroyed.under(name(1, "p") * 2)] == [name(1)]

    async def test_only_facts_and_evidence_are_left(self, store: NodeStore) -> None:
        await store.inbox.save_received(received(1), received_message(1, record_id="r", named=("s",)), arrival(1), ())
        await store.inbox.save_received(received(2), received_message(2), arrival(2), ())
        # Passed on: an own message under the same Provision.
        await store.outbox.add_message(message(3, provision=name(1, "p") * 2), None)
        outgoing = message(9, ("KAZ",), kind=CONSENT)
        files = await store.destroyed.state(stated(conduct=2), outgoing, "m/t", Destruction(name(1, "p") * 2), event())
        assert files == ("file1",)
        assert await store.views.message(name(1)) is None
        assert await store.views.message(name(3)) is None
        assert await store.views.message(name(2)) is not None
        left = await store.destroyed.destroyed(name(1))
        assert left is not None
        assert (left.box, left.measure, left.signed_provisions) == ("inbox", "2.1.1.d", (b"signed", b""))
        assert (left.time, left.official, left.provider, left.withdrawal) == (NOW, "m/t", "KAZ", ID)
        assert {row.message for row in await store.destroyed.destroyed_under(name(1, "p") * 2)} == {name(1), name(3)}
        assert await store.records.around(("r", "s"), 10) == ()
        assert (await store.views.files())[0] == {"file2"}
        assert len(await store.views.received_of(name(1, "p") * 2)) == 1

    async def test_a_copy_that_comes_later_is_not_delivered(self, store: NodeStore) -> None:
        await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
        outgoing = message(9, ("KAZ",), kind=CONSENT)
        await store.destroyed.state(stated(conduct=2), outgoing, "m/t", Destruction(name(1, "p") * 2), event())
        again = received(7, 1)
        assert not await store.inbox.save_received(again, received_message(1, direct=True), arrival(7), ())
        found = await store.inbox.received("KAZ", again.envelope)
        assert found is not None
        assert found.outcome == "repeated"
        assert await store.views.message(name(1)) is None

    @pytest.mark.parametrize("destroy", [False, True])
    async def test_the_bytes_are_gone_from_the_disk(self, store: NodeStore, destroy: bool) -> None:
        secret = b"sealed and yet to be overwritten" * 400
        await store.inbox.save_received(received(1), received_message(1, sealed_manifest=secret), arrival(1), ())
        outgoing = message(9, ("KAZ",), kind=CONSENT)
        provision = Destruction(name(1, "p") * 2) if destroy else None
        await store.destroyed.state(stated(conduct=2), outgoing, "m/t", provision, event())
        disk = b"".join(path.read_bytes() for path in store.folder.glob("node.db*"))
        assert (secret[:32] in disk) is not destroy
