"""One suite for every engine behind what a node trusts: checkpoints, cosignatures, holds, proofs of acceptance."""

import asyncio
from dataclasses import replace

import pytest

from exchange.storage.node_values import Alarm
from exchange.storage.trust_port import DueOrigin, Heard, KeptCheckpoint, StoredOrigin, Witnessed
from schemas.limits import MAX_LIFE
from tests.support.node_rows import NOW, NodeStore, name, received

FIRST = KeptCheckpoint(2, b"r" * 32, NOW, NOW, b"first note")
LOG = "cbm.exchange/directory/0123456789abcdef"
ORIGIN = StoredOrigin(b"leaf", 7, b"p" * 64, b"note")


def alarm(fact: str = "fact") -> Alarm:
    return Alarm(fact, "split-view", "MNG", "detail", NOW)


class TestCheckpoints:
    async def test_entries_and_checkpoint_come_together(self, store: NodeStore) -> None:
        await store.trust.adopt(0, (b"one", b"two"), FIRST, (alarm(),))
        await store.reopen()
        assert await store.access.directory() == (b"one", b"two")
        assert await store.trust.checkpoints() == (FIRST,)
        assert [told.fact for told in await store.inbox.latest_alarms(9)] == ["fact"]

    async def test_a_later_note_of_one_size_keeps_the_first(self, store: NodeStore) -> None:
        await store.trust.adopt(0, (b"one", b"two"), FIRST, ())
        for later in (5, 9, 7):
            note = f"note of {later}".encode()
            await store.trust.adopt(2, (), replace(FIRST, first=NOW + later, latest=NOW + later, note=note), ())
        (kept,) = await store.trust.checkpoints()
        assert kept == replace(FIRST, latest=NOW + 9, note=b"note of 9", first_note=b"first note")

    async def test_the_notes_of_old_checkpoints_go_and_their_times_stay(self, store: NodeStore) -> None:
        await store.trust.adopt(0, (b"one",), replace(FIRST, size=1), ())
        await store.trust.adopt(1, (b"two",), replace(FIRST, latest=NOW + MAX_LIFE), ())
        assert [kept.note for kept in await store.trust.checkpoints()] == [b"first note", b"first note"]
        await store.trust.adopt(2, (b"three",), replace(FIRST, size=3, latest=NOW + MAX_LIFE + 1), ())
        notes = [(kept.size, kept.first, kept.note) for kept in await store.trust.checkpoints()]
        assert notes == [(1, NOW, None), (2, NOW, b"first note"), (3, NOW, b"first note")]

    async def test_the_later_notes_of_those_that_last_stay(self, store: NodeStore) -> None:
        for size in (1, 2):
            await store.trust.adopt(size - 1, (b"entry",), replace(FIRST, size=size), ())
            again = replace(FIRST, size=size, latest=NOW + 1, note=b"later note")
            await store.trust.adopt(size, (), again, ())
        newest = replace(FIRST, size=3, latest=NOW + MAX_LIFE + 2)
        for _ in range(2):
            await store.trust.adopt(2, (b"three",), newest, (), lasting={1})
        notes = [(kept.size, kept.note, kept.first_note) for kept in await store.trust.checkpoints()]
        assert notes == [(1, b"later note", None), (2, None, None), (3, b"first note", None)]


class TestWitnessed:
    async def test_it_is_replaced_only_by_who_has_seen_it(self, store: NodeStore) -> None:
        one, two = Witnessed(1, b"a" * 32, b"one", NOW), Witnessed(2, b"b" * 32, b"two", NOW + 1)
        assert await store.trust.witnessed(LOG) is None
        assert not await store.trust.save_witnessed(LOG, one, two)
        assert await store.trust.save_witnessed(LOG, None, one)
        assert not await store.trust.save_witnessed(LOG, None, two)
        assert await store.trust.save_witnessed(LOG, one, two)
        await store.reopen()
        assert await store.trust.witnessed(LOG) == two
        assert await store.trust.witnessed("another") is None

    async def test_of_many_at_once_one_succeeds(self, store: NodeStore) -> None:
        tries = [Witnessed(number, bytes([number]) * 32, b"note", NOW) for number in range(1, 20)]
        saved = await asyncio.gather(*(store.trust.save_witnessed(LOG, None, each) for each in tries))
        assert sum(saved) == 1
        assert await store.trust.witnessed(LOG) == tries[saved.index(True)]


async def test_of_what_a_member_had_the_first_is_kept_until_it_is_settled(store: NodeStore) -> None:
    one = Heard("KAZ", 5, b"r" * 32, b"note", NOW)
    await store.trust.save_heard(one)
    await store.trust.save_heard(replace(one, size=6, time=NOW + 1))
    await store.trust.save_heard(replace(one, member="UZB"))
    assert await store.trust.heard() == (one, replace(one, member="UZB"))
    await store.trust.forget_heard(["KAZ", "MNG"])
    assert await store.trust.heard() == (replace(one, member="UZB"),)


class TestHolds:
    async def test_an_alarm_and_its_hold_come_together_and_once(self, store: NodeStore) -> None:
        assert await store.trust.save_alarm(alarm(), "MNG")
        (hold,) = await store.hand.holds()
        assert (hold.member, hold.since, hold.kind, hold.detail) == ("MNG", NOW, "split-view", "detail")
        assert await store.hand.release("MNG", NOW)
        assert not await store.hand.release("MNG", NOW)
        # The same fact holds nothing back again; a new one does.
        assert not await store.trust.save_alarm(alarm(), "MNG")
        assert await store.hand.holds() == ()
        assert await store.trust.save_alarm(alarm("another"), "MNG")
        assert len(await store.hand.holds()) == 1

    async def test_an_alarm_about_nobody_holds_nothing_back(self, store: NodeStore) -> None:
        await store.trust.save_alarm(alarm(), None)
        assert await store.hand.holds() == ()

    async def test_what_is_obeyed_is_kept_once(self, store: NodeStore) -> None:
        for _ in range(2):
            await store.hand.obey(b"entry", NOW)
        await store.reopen()
        assert await store.hand.obeyed() == (b"entry",)


async def test_when_it_was_restored(store: NodeStore) -> None:
    assert await store.trust.restored() is None
    mark, rows = "INSERT INTO restores (restored, taken) VALUES (?, ?)", [(NOW, NOW - 5), (NOW + 50, NOW - 3)]
    await store.database.write(lambda c: c.executemany(mark, rows))
    assert await store.trust.restored() == (NOW - 5, NOW + 50)


class TestOrigins:
    async def test_a_proof_is_due_when_an_envelope_is_accepted(self, store: NodeStore) -> None:
        one = await store.sealed(1)
        assert await store.origins.due(NOW, 9) == ()
        await store.outbox.save_accepted(one, b"receipt", NOW)
        assert await store.origins.due(NOW, 9) == (DueOrigin(None, one, 0),)
        await store.origins.save(None, one, ORIGIN)
        await store.reopen()
        assert await store.origins.due(NOW, 9) == ()
        assert await store.origins.origin(None, one) == ORIGIN

    @pytest.mark.parametrize(("outcome", "due"), [("delivered", 1), ("refused", 0), ("head", 0), ("resend", 0)])
    async def test_a_proof_is_due_of_what_was_taken(self, store: NodeStore, outcome: str, due: int) -> None:
        await store.inbox.save_received(replace(received(1), outcome=outcome), None, None, ())
        assert len(await store.origins.due(NOW, 9)) == due

    async def test_a_forward_that_has_its_proof_is_not_due(self, store: NodeStore) -> None:
        evidence = received(1)
        await store.origins.save(evidence.sender, evidence.envelope, ORIGIN)
        await store.inbox.save_received(evidence, None, None, ())
        assert await store.origins.due(NOW, 9) == ()

    async def test_what_was_tried_in_vain_comes_later_and_is_counted(self, store: NodeStore) -> None:
        await store.inbox.save_received(received(1), None, None, ())
        (due,) = await store.origins.due(NOW, 9)
        await store.origins.put_off(due, NOW + 60)
        assert await store.origins.due(NOW + 59, 9) == ()
        assert await store.origins.due(NOW + 60, 9) == (replace(due, tries=1),)
        await store.origins.give_up(due)
        assert await store.origins.due(NOW + 99, 9) == ()

    async def test_the_longest_due_come_first(self, store: NodeStore) -> None:
        for number in (1, 2, 3):
            await store.inbox.save_received(replace(received(number), time=NOW - number), None, None, ())
        found = await store.origins.due(NOW, 2)
        assert [due.envelope for due in found] == [received(3).envelope, received(2).envelope]

    async def test_many_proofs_share_one_note(self, store: NodeStore) -> None:
        for number in (1, 2):
            await store.origins.save("KAZ", name(number), replace(ORIGIN, position=number))
        assert len((await store.dump())["origin_notes"]) == 1

    async def test_those_of_a_provision_are_found_by_every_way_that_it_took(self, store: NodeStore) -> None:
        evidence = received(1)
        await store.inbox.save_received(evidence, None, None, ())
        await store.origins.save(evidence.sender, evidence.envelope, ORIGIN)
        assert await store.origins.of_provision(evidence.provision, 2) == (ORIGIN,)
        sent = await store.sealed(2)
        await store.outbox.save_accepted(sent, b"receipt", NOW)
        await store.origins.save(None, sent, replace(ORIGIN, position=8))
        provision = name(2, "p") * 2
        assert await store.origins.of_provision(provision, 2) == (replace(ORIGIN, position=8),)

    async def test_of_a_provision_that_came_without_end_the_earliest_are_enough(self, store: NodeStore) -> None:
        for number in (1, 2, 3):
            evidence = replace(received(number), provision=name(9, "p") * 2, time=NOW - number)
            await store.inbox.save_received(evidence, None, None, ())
            await store.origins.save(evidence.sender, evidence.envelope, replace(ORIGIN, position=number))
        found = await store.origins.of_provision(name(9, "p") * 2, 2)
        assert [origin.position for origin in found] == [3, 2]
        assert len(await store.views.received_of(name(9, "p") * 2, 2)) == 2
