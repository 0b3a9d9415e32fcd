"""The audit log in a node's store: an act and its entry are one, entries are found, and nothing of them is lost."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

import pytest

from exchange.consent.four_eyes import ActState
from exchange.errors import Conflict, StoreFault
from exchange.storage.audit_port import AuditCheckpoint, AuditFact, AuditLeaf, AuditPlace, AuditQuery
from exchange.storage.audit_sqlite import prune_entries
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_backup import begin_again
from exchange.storage.node_values import Alarm
from exchange.storage.withdrawal_port import Destruction, StoredStatement
from schemas.audit import AuditEntry, AuditKind, read_entry
from schemas.content import VoidReason
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
    token,
)

ALARM = Alarm("missing:KAZ", "missing", "KAZ", "look", NOW)
SUBJECT = name(7, "r")


def event(kind: str, official: str | None = "defence/1") -> ConsentEvent:
    return ConsentEvent(NOW, kind, SUBJECT.hex(), "MNG", official, "{}")


async def entries(store: NodeStore) -> list[AuditEntry]:
    return [read_entry(leaf.leaf or b"") for leaf in await store.audit.leaves(0, 1000)]


async def nothing(_store: NodeStore) -> None:
    return None


async def one_message(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)


async def one_sealed(store: NodeStore) -> None:
    await store.sealed(1)


async def one_accepted(store: NodeStore) -> None:
    await store.outbox.save_accepted(await store.sealed(1), b"receipt", NOW)


async def one_received(store: NodeStore) -> None:
    await store.inbox.save_received(received(1), received_message(1), arrival(1), ())


async def one_token(store: NodeStore) -> None:
    await store.access.add_token(token(1))


async def one_hold(store: NodeStore) -> None:
    await store.trust.save_alarm(ALARM, "MNG")


async def destroy(store: NodeStore) -> None:
    said = StoredStatement("KAZ", b"w" * 16, "MNG", NOW, 1, b"signed")
    what = Destruction(name(1, "p") * 2)
    done = await store.destroyed.state(said, message(9), "defence/1", what, event("withdrawal.stated"))
    assert done == ("file1",)


@dataclass(frozen=True)
class Done:
    """An act, what has to be there before, and which entries it leaves: kind, reason, actor."""

    before: Callable[[NodeStore], Awaitable[None]]
    act: Callable[[NodeStore], Awaitable[object]]
    left: tuple[tuple[AuditKind, str | None, str | None], ...]


E = name(1, "e")
ACTS = {
    "submit": Done(
        nothing,
        lambda s: s.outbox.add_message(message(1, official="defence/1"), None),
        ((AuditKind.SUBMITTED, "record", "defence/1"),),
    ),
    "forward": Done(
        nothing,
        lambda s: s.outbox.add_message(message(1, path=("MNG", "KAZ")), None),
        ((AuditKind.FORWARDED, "record", "defence"),),
    ),
    "seal": Done(
        one_message,
        lambda s: s.outbox.save_sealed(envelope(1), (place(1), place(1, "UZB"))),
        ((AuditKind.SEALED, None, "node"),) * 2,
    ),
    "relay": Done(
        one_sealed, lambda s: s.outbox.save_accepted(E, b"receipt", NOW, 5), ((AuditKind.RELAYED, None, "node"),)
    ),
    "refused by the relay": Done(
        one_sealed,
        lambda s: s.outbox.save_final(E, "refused", VoidReason.REFUSED, "no-consent: UZB", NOW),
        ((AuditKind.RELAY_REFUSED, "no-consent", "node"),),
    ),
    "not relayed in time": Done(
        one_sealed,
        lambda s: s.outbox.save_final(E, "expired", VoidReason.EXPIRED, "it expired", NOW),
        ((AuditKind.EXPIRED, "not-relayed", "node"),),
    ),
    "superseded": Done(
        one_sealed,
        lambda s: s.outbox.save_superseded(E, "why", NOW),
        ((AuditKind.RELAY_REFUSED, "superseded", "node"),),
    ),
    "answered": Done(
        one_accepted,
        lambda s: s.evidence.save_acknowledgement(E, "MNG", "delivered", b"ack", NOW),
        ((AuditKind.ANSWERED, "delivered", "node"),),
    ),
    "expire": Done(
        one_accepted, lambda s: s.evidence.expire(NOW + 1000), ((AuditKind.EXPIRED, "not-delivered", "node"),)
    ),
    "receive": Done(
        nothing,
        lambda s: s.inbox.save_received(received(1), received_message(1), arrival(1), (), relay_time=5),
        ((AuditKind.RECEIVED, "delivered", "node"),),
    ),
    "receive again": Done(
        one_received,
        lambda s: s.inbox.save_received(received(2, 1), received_message(1), None, ()),
        ((AuditKind.RECEIVED, "repeated", "node"),),
    ),
    "refuse": Done(
        nothing,
        lambda s: s.inbox.save_received(
            received(1, outcome="refused", reason="no-consent"), None, None, (ALARM,), (message(3),)
        ),
        (
            (AuditKind.RECEIVE_REFUSED, "no-consent", "node"),
            (AuditKind.ALARM, "missing", "node"),
            (AuditKind.SUBMITTED, "record", "defence"),
        ),
    ),
    "consent": Done(
        nothing,
        lambda s: s.consent.add_event(event("grant.given", "rule Relief at once")),
        ((AuditKind.CONSENT, "grant.given", "rule:relief-at-once"),),
    ),
    "release": Done(
        nothing,
        lambda s: s.consent.add_event(event("act.approved")),
        ((AuditKind.RELEASE, "act.approved", "defence/1"),),
    ),
    "export": Done(
        nothing,
        lambda s: s.consent.add_event(event("message.exported")),
        ((AuditKind.EXPORTED, "message.exported", "defence/1"),),
    ),
    "destroy": Done(
        one_received,
        destroy,
        (
            (AuditKind.SUBMITTED, "record", "defence"),
            (AuditKind.CONSENT, "withdrawal.stated", "defence/1"),
            (AuditKind.PURGED, "withdrawn", "defence/1"),
        ),
    ),
    "alarm": Done(nothing, lambda s: s.inbox.add_alarm(ALARM), ((AuditKind.ALARM, "missing", "node"),)),
    "add a token": Done(
        nothing, lambda s: s.access.add_token(token(1)), ((AuditKind.OPERATOR, "token-added", "operator"),)
    ),
    "revoke a token": Done(
        one_token,
        lambda s: s.access.revoke_token(token(1).id, NOW),
        ((AuditKind.OPERATOR, "token-revoked", "operator"),),
    ),
    "release a hold": Done(
        one_hold, lambda s: s.hand.release("MNG", NOW), ((AuditKind.OPERATOR, "hold-released", "operator"),)
    ),
    "obey": Done(nothing, lambda s: s.hand.obey(b"entry", NOW), ((AuditKind.KEY, "revocation-obeyed", "operator"),)),
    "restore": Done(
        one_sealed,
        lambda s: begin_again(s.database, NOW, NOW + 50, token(2)),
        ((AuditKind.OPERATOR, "restored", "operator"),),
    ),
}


@pytest.mark.parametrize("done", ACTS.values(), ids=ACTS)
async def test_an_act_leaves_its_entries(store: NodeStore, done: Done) -> None:
    await done.before(store)
    before = await store.audit.size()
    await done.act(store)
    made = (await entries(store))[before:]
    assert tuple((entry.kind, entry.reason, entry.actor) for entry in made) == done.left
    # Once more changes nothing, and so leaves nothing; what has no name of its own happens again.
    if done.left[0][0] not in (AuditKind.CONSENT, AuditKind.RELEASE, AuditKind.EXPORTED) and done.act is not destroy:
        await done.act(store) if done is not ACTS["restore"] else None
        assert await store.audit.size() == before + len(done.left)


@pytest.mark.parametrize("done", ACTS.values(), ids=ACTS)
async def test_an_act_whose_entry_cannot_be_written_is_not_done(store: NodeStore, done: Done) -> None:
    await done.before(store)
    await store.database.write(
        lambda c: c.execute(
            "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    )
    before = await store.dump()
    with pytest.raises((StoreFault, sqlite3.Error)):
        await done.act(store)
    assert await store.dump() == before
    await store.reopen()
    assert await store.dump() == before


async def test_an_act_that_fails_leaves_no_entry(store: NodeStore) -> None:
    await store.sealed(1)
    await store.outbox.add_message(message(2), None)
    before = await store.dump()
    with pytest.raises(Conflict):
        # The first number is free and has its entry by the time that the second one fails.
        await store.outbox.save_sealed(envelope(2), (place(1, "UZB"), place(1, "MNG")))
    assert await store.dump() == before


async def test_an_act_that_fails_takes_nothing_of_those_that_share_its_commit(store: NodeStore) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM audit")
        raise Conflict("no", "no")

    done = await asyncio.gather(
        *(store.outbox.add_message(message(number), None) for number in range(20)),
        *(store.database.write(fail) for _ in range(5)),
        *(store.inbox.add_alarm(Alarm(f"fact {number}", "missing", None, "look", NOW)) for number in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, Conflict) for one in done) == 5
    leaves = await store.audit.leaves(0, 100)
    assert [leaf.index for leaf in leaves] == list(range(40))


async def test_an_entry_says_what_its_act_was_about(store: NodeStore) -> None:
    one = await store.sealed(1)
    await store.outbox.save_accepted(one, b"receipt", NOW + 1, 7)
    await store.evidence.save_acknowledgement(one, "MNG", "delivered", b"ack", NOW + 2)
    _, sealed, relayed, answered = await entries(store)
    assert (sealed.member, sealed.envelope, sealed.header_digest, sealed.subject, sealed.count) == (
        "MNG",
        one,
        name(1, "d") * 2,
        name(1),
        1,
    )
    assert (relayed.time, relayed.relay_time, relayed.evidence) == (NOW + 1, 7, sha256(b"receipt").digest())
    assert (answered.member, answered.subject, answered.evidence) == ("MNG", name(1), sha256(b"ack").digest())
    assert len({entry.salt for entry in await entries(store)}) == 4


async def test_what_is_written_down_is_brought_into_the_form_of_codes(store: NodeStore) -> None:
    long = "Rule with  spaces, „quotes“ and a name " * 5
    await store.audit.add((AuditFact(AuditKind.CONSENT, NOW, actor=long, reason="_Odd Reason"),))
    (entry,) = await entries(store)
    assert entry.actor is not None
    assert len(entry.actor) == 80
    assert entry.reason == "0odd-reason"


async def test_entries_have_places_without_a_gap_across_restarts(store: NodeStore) -> None:
    facts = (AuditFact(AuditKind.LOGIN, NOW), AuditFact(AuditKind.LOGIN, NOW - 5))
    assert await store.audit.add(facts) == 0
    await store.reopen()
    assert await store.audit.add(facts[:1]) == 2
    assert await store.audit.size() == 3
    assert [leaf.index for leaf in await store.audit.leaves(1, 10)] == [1, 2]
    assert len(await store.audit.leaves(0, 2)) == 2


def about(index: int) -> AuditFact:
    """Thirty entries of three members, two kinds and two ministries; one clock stepped back."""
    return AuditFact(
        kind=AuditKind.SEALED if index % 2 else AuditKind.OPENED,
        time=NOW + index - (10 if index == 25 else 0),
        actor="defence/1" if index % 5 else "health/2",
        member=("MNG", "UZB", None)[index % 3],
        envelope=name(index // 3, "e"),
        subject=name(index // 2),
        reason="late" if index % 7 == 0 else None,
    )


CASES = [
    (AuditQuery(), lambda f: True),
    (AuditQuery(kinds=(AuditKind.OPENED,)), lambda f: f.kind is AuditKind.OPENED),
    (AuditQuery(kinds=(AuditKind.OPENED, AuditKind.SEALED), member="MNG"), lambda f: f.member == "MNG"),
    (AuditQuery(kinds=()), lambda f: False),
    (AuditQuery(actor="health/2"), lambda f: f.actor == "health/2"),
    (AuditQuery(actor="defence/", member="UZB"), lambda f: f.actor == "defence/1" and f.member == "UZB"),
    (AuditQuery(actor="defence"), lambda f: False),
    (AuditQuery(reason="late"), lambda f: f.reason == "late"),
    (AuditQuery(envelope=name(3, "e")), lambda f: f.envelope == name(3, "e")),
    (AuditQuery(subject=name(5), member="UZB"), lambda f: f.subject == name(5) and f.member == "UZB"),
    (AuditQuery(envelope=name(3, "e"), subject=name(5)), lambda f: (f.envelope, f.subject) == (name(3, "e"), name(5))),
    (AuditQuery(since=NOW + 10, until=NOW + 20), lambda f: NOW + 10 <= f.time < NOW + 20),
    (AuditQuery(member="MNG", since=NOW + 16), lambda f: f.member == "MNG" and f.time >= NOW + 16),
]


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize(("query", "holds"), CASES)
async def test_a_search_finds_what_it_asks_for_in_order_page_by_page(
    store: NodeStore, query: AuditQuery, holds: Callable[[AuditFact], bool], newest: bool
) -> None:
    facts = [about(index) for index in range(30)]
    await store.audit.add(tuple(facts))
    expected = sorted(((f.time, i) for i, f in enumerate(facts) if holds(f)), reverse=newest)
    asked = AuditQuery(**{**{k: getattr(query, k) for k in query.__slots__}, "newest": newest})
    found: list[AuditLeaf] = []
    while page := await store.audit.search(asked, AuditPlace(found[-1].time, found[-1].index) if found else None, 4):
        assert len(page) <= 4
        found += page
    assert [(leaf.time, leaf.index) for leaf in found] == expected


async def test_a_pruned_entry_keeps_its_place_and_its_hash(store: NodeStore) -> None:
    await store.audit.add(tuple(about(index) for index in range(3)))
    before = await store.audit.leaves(0, 9)
    assert await store.database.write(lambda c: prune_entries(c, [(1, b"h" * 32)])) == 1
    assert await store.database.write(lambda c: prune_entries(c, [(1, b"x" * 32), (7, b"x" * 32)])) == 0
    gone = AuditLeaf(1, before[1].time, None, b"h" * 32)
    assert await store.audit.leaves(0, 9) == (before[0], gone, before[2])
    assert await store.audit.search(AuditQuery(kinds=(AuditKind.SEALED,)), None, 9) == ()
    assert await store.audit.search(AuditQuery(reason="pruned"), None, 9) == (gone,)


async def test_a_released_act_is_told_by_who_did_it(store: NodeStore) -> None:
    assert not await store.acts.end(name(1, "a"), ActState.DONE, None, None, event("act.done"))
    assert await store.audit.size() == 0


async def test_what_a_backup_did_not_have_takes_its_place_again(store: NodeStore) -> None:
    """Three entries of before, two lost ones, then what was written since the restore, in its order."""
    await store.audit.add(tuple(about(index) for index in range(5)))
    await store.audit_heads.save(AuditCheckpoint(3, b"r" * 32, b"note", NOW, NOW))
    await store.audit_heads.save(AuditCheckpoint(5, b"r" * 32, b"note", NOW))
    before = await store.audit.leaves(0, 9)
    lost = (b"x" * 32, b"y" * 32)
    await store.audit.take_lost(3, lost, NOW + 90)
    after = await store.audit.leaves(0, 9)
    assert [leaf.index for leaf in after] == list(range(8))
    assert [leaf.leaf for leaf in after[:3]] == [leaf.leaf for leaf in before[:3]]
    assert list(after[3:5]) == [AuditLeaf(3 + n, NOW + 90, None, one, lost=True) for n, one in enumerate(lost)]
    assert [leaf.leaf for leaf in after[5:7]] == [leaf.leaf for leaf in before[3:]]
    said = read_entry(after[7].leaf or b"")
    assert (said.kind, said.reason, said.count, said.subject) == (
        AuditKind.OPERATOR,
        "entries-lost",
        2,
        bytes(7) + b"\x03",
    )
    newest = await store.audit_heads.newest()
    assert newest is not None
    assert newest.size == 3
    found = await store.audit.search(AuditQuery(member="UZB"), None, 9)
    assert [leaf.index for leaf in found] == [1, 6]
