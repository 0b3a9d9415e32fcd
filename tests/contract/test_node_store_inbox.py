"""One suite for every engine behind a node's inbox, views and access: delivered once, all or nothing."""

from dataclasses import replace

from exchange.delivery.streams import MAX_OPEN, MAX_STREAMS, StreamState
from exchange.storage.node_values import Alarm, StoredAttachment
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

STREAM = ("KAZ", b"s" * 16)


async def accounts(store: NodeStore) -> dict[tuple[str, bytes], tuple[int, int]]:
    """Floor and top of every stream."""
    return {(row[0], row[1]): (row[2], row[3]) for row in (await store.dump())["streams_in"]}


async def late(store: NodeStore, before: int) -> dict[tuple[str, bytes], StreamState]:
    return {(found.sender, found.stream): found.state for found in await store.inbox.late_streams(before, 10)}


def alarm(fact: str, time: int = NOW) -> Alarm:
    return Alarm(fact, "kind", "KAZ", "what happened", time)


# The inbox.


async def test_a_message_and_its_evidence_are_one(store: NodeStore) -> None:
    assert await store.inbox.save_received(received(1), received_message(1), arrival(1), (alarm("a"),))
    await store.reopen()
    assert await store.inbox.received("KAZ", name(1, "e")) == received(1)
    found = await store.views.message(name(1))
    assert found is not None
    assert (found.box, found.state, found.attachments) == ("inbox", "received", (StoredAttachment(0, "file1"),))
    assert [kind for _, kind, _ in await store.events()] == ["message.received"]
    assert await accounts(store) == {STREAM: (1, 1)}
    assert [told.fact for told in await store.inbox.latest_alarms(10)] == ["a"]


async def test_the_same_envelope_once_more_changes_nothing(store: NodeStore) -> None:
    await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
    before = await store.dump()
    assert not await store.inbox.save_received(received(1), received_message(1), arrival(1), (alarm("again"),))
    assert not await store.inbox.save_received(
        received(1, acknowledgement=b"another answer"), received_message(2), arrival(2), ()
    )
    assert await store.dump() == before


async def test_an_answer_is_given_anew(store: NodeStore) -> None:
    await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
    await store.inbox.save_answer("KAZ", name(1, "e"), b"under another key")
    await store.inbox.save_answer("UZB", name(1, "e"), b"of another's envelope")
    await store.reopen()
    assert await store.inbox.received("KAZ", name(1, "e")) == replace(received(1), acknowledgement=b"under another key")


async def test_an_id_is_its_senders_own(store: NodeStore) -> None:
    await store.inbox.save_received(received(1, sender="UZB"), None, None, ())
    assert await store.inbox.received("KAZ", name(1, "e")) is None
    assert await store.inbox.save_received(received(1), received_message(1), arrival(1), ())


async def test_a_provision_is_delivered_once(store: NodeStore) -> None:
    """Another envelope with the same Provision is evidence and a path, its number counts, and it is no message."""
    await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
    again = replace(received_message(1), attachments=(StoredAttachment(0, "another file"),))
    assert not await store.inbox.save_received(received(2, provision=1), again, arrival(2), ())
    assert [found.id for found in await store.views.messages("inbox", 0, 10, ("*",), None)] == [name(1)]
    assert [found.outcome for found in await store.views.received_of(name(1, "p") * 2)] == ["delivered", "repeated"]
    assert await accounts(store) == {STREAM: (2, 2)}
    assert len(await store.events()) == 1
    assert (await store.views.files())[0] == {"file1"}


async def test_an_own_message_that_comes_back_is_no_new_one(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)
    assert not await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
    assert await store.state(name(1)) == "queued"
    assert await store.views.messages("inbox", 0, 10, ("*",), None) == ()


async def test_a_refusal_is_evidence_only(store: NodeStore) -> None:
    refused = received(1, outcome="refused", reason="no-consent")
    assert not await store.inbox.save_received(refused, None, None, (alarm("refused"),))
    assert await store.inbox.received("KAZ", name(1, "e")) == refused
    assert await accounts(store) == {}
    assert await store.events() == []
    assert await store.views.received_of(refused.provision) == ()


async def test_numbers_keep_the_digest_that_came_first(store: NodeStore) -> None:
    await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
    await store.inbox.save_received(
        received(2), received_message(2), replace(arrival(1), digest=b"another".ljust(32)), ()
    )
    assert await store.inbox.digest_at(*STREAM, 1) == name(1, "d") * 2
    assert await store.inbox.digest_at(*STREAM, 2) is None
    assert await store.inbox.digest_at("UZB", STREAM[1], 1) is None


async def test_gaps_survive_a_restart(store: NodeStore) -> None:
    await store.inbox.save_received(received(3, time=NOW), received_message(3), arrival(3), ())
    await store.inbox.save_received(received(5, time=NOW + 9), received_message(5), arrival(5), ())
    await store.reopen()
    assert await late(store, NOW) == {STREAM: StreamState(0, frozenset({3, 5}), 5, ((3, NOW), (5, NOW + 9)))}
    assert await late(store, NOW - 1) == {}
    await store.inbox.save_received(received(6), None, arrival(None, voids=(1, 2, 4), last=7), ())
    state = (await late(store, NOW + 9))[STREAM]
    assert (state.floor, state.missing()) == (5, (6, 7))
    assert await store.inbox.digest_at(*STREAM, 2) is None


async def test_what_was_told_is_not_late_any_more_until_more_is_missing(store: NodeStore) -> None:
    await store.inbox.save_received(received(3, time=NOW), received_message(3), arrival(3), ())
    (found,) = await store.inbox.late_streams(NOW, 10)
    assert (found.sender, found.stream, found.told) == (*STREAM, 0)
    await store.inbox.save_told(((found, 3),), (alarm("missing"),))
    await store.reopen()
    assert await store.inbox.late_streams(NOW + 99, 10) == ()
    assert [told.fact for told in await store.inbox.latest_alarms(9)] == ["missing"]
    await store.inbox.save_received(received(5, time=NOW + 9), received_message(5), arrival(5), ())
    assert await store.inbox.late_streams(NOW + 8, 10) == ()
    (again,) = await store.inbox.late_streams(NOW + 9, 10)
    assert (again.told, again.state.missing()) == (3, (1, 2, 4))
    await store.inbox.save_received(received(6), None, arrival(None, voids=(1, 2, 4)), ())
    assert await store.inbox.late_streams(NOW + 99, 10) == ()


async def test_the_streams_of_one_sender_are_bounded(store: NodeStore) -> None:
    for number in range(MAX_STREAMS + 2):
        place = replace(arrival(1), stream=f"{number}".encode().ljust(16, b"."))
        assert await store.inbox.save_received(received(number), received_message(number), place, ())
    assert len(await accounts(store)) == MAX_STREAMS
    assert [told.kind for told in await store.inbox.latest_alarms(10)] == ["stream-jump"]
    # Those that are kept go on, and another sender has its own.
    first = replace(arrival(2), stream=b"0".ljust(16, b"."))
    await store.inbox.save_received(received(500), received_message(500), first, ())
    await store.inbox.save_received(received(501, sender="UZB"), None, replace(arrival(1), sender="UZB"), ())
    assert (await accounts(store))["KAZ", b"0".ljust(16, b".")] == (2, 2)
    assert ("UZB", STREAM[1]) in await accounts(store)


async def test_a_providers_own_copy_puts_right_what_anothers_said(store: NodeStore) -> None:
    forwarded = received_message(1, signed_provisions=(b"own", b"added"), path=("KAZ", "UZB"), precedence=3)
    own = received_message(1, signed_provisions=(b"own",), path=("KAZ",), precedence=0, direct=True)
    await store.inbox.save_received(received(1), forwarded, arrival(1), ())
    assert not await store.inbox.save_received(received(2, provision=1), own, arrival(2), ())
    found = await store.views.message(name(1))
    assert found is not None
    assert (found.signed_provisions, found.path, found.precedence) == ((b"own",), ("KAZ",), 0)
    assert [kind for _, kind, _ in await store.events()] == ["message.received", "message.state"]
    # Neither a later copy of another, nor one of the provider with more terms.
    for number, copy in enumerate((forwarded, replace(own, signed_provisions=(b"own", b"more"))), 3):
        await store.inbox.save_received(received(number, provision=1), copy, arrival(number), ())
    assert await store.views.message(name(1)) == found


async def test_a_jump_out_of_all_proportion_is_an_alarm_and_no_account(store: NodeStore) -> None:
    await store.inbox.save_received(received(1), received_message(1), arrival(1), ())
    before = await accounts(store)
    assert await store.inbox.save_received(received(2), received_message(2), arrival(MAX_OPEN + 2), ())
    assert await accounts(store) == before
    assert [told.kind for told in await store.inbox.latest_alarms(10)] == ["stream-jump"]


async def test_one_fact_is_one_alarm(store: NodeStore) -> None:
    assert await store.inbox.add_alarm(alarm("a"))
    assert not await store.inbox.add_alarm(alarm("a", NOW + 1))
    assert await store.inbox.add_alarm(alarm("b", NOW + 2))
    assert [(told.fact, told.time) for told in await store.inbox.latest_alarms(10)] == [("b", NOW + 2), ("a", NOW)]
    assert [told.fact for told in await store.inbox.latest_alarms(1)] == ["b"]


# Views.


async def test_a_page_is_of_one_box_some_measures_and_one_ministry(store: NodeStore) -> None:
    rows = (
        message(1),
        message(2, ministry="health", measure="2.4.3"),
        message(3, measure="2.1.1.b"),
        message(4, measure="2.1"),
    )
    for row in rows:
        await store.outbox.add_message(row, None)
    await store.inbox.save_received(received(9), received_message(9), arrival(1), ())

    async def ids(
        box: str, measures: tuple[str, ...], ministry: str | None = None, after: int = 0, limit: int = 9
    ) -> list[bytes]:
        return [found.id for found in await store.views.messages(box, after, limit, measures, ministry)]

    assert await ids("outbox", ("*",)) == [name(n) for n in (1, 2, 3, 4)]
    assert await ids("outbox", ("2.1.*",)) == [name(1), name(3)]
    assert await ids("outbox", ("2.1", "2.4.3")) == [name(2), name(4)]
    assert await ids("outbox", ("*",), "health") == [name(2)]
    assert await ids("outbox", ("*",), after=2, limit=1) == [name(3)]
    assert await ids("inbox", ("*",)) == [name(9)]
    assert await ids("inbox", ("2.4.3",)) == []


async def test_a_page_of_a_measure_that_says_nothing_is_by_record_type(store: NodeStore) -> None:
    for number, record_type in ((1, "defence-budget"), (2, "disaster-alert")):
        await store.outbox.add_message(message(number, measure="1.5", record_type=record_type), None)

    async def ids(*measures: str) -> list[bytes]:
        return [found.id for found in await store.views.messages("outbox", 0, 9, measures, None)]

    assert await ids("1.5:disaster-alert") == [name(2)]
    assert await ids("1.5:defence-*", "2.1.*") == [name(1)]
    assert await ids("1.5*") == await ids("*") == [name(1), name(2)]
    assert await ids("1.5", "disaster-alert", "2.4.3") == []


async def test_there_is_no_message_by_another_id(store: NodeStore) -> None:
    assert await store.views.message(name(1)) is None
    assert await store.views.recipients(name(1)) == ()


async def test_events_go_on_after_a_number(store: NodeStore) -> None:
    for number in (1, 2, 3):
        await store.outbox.add_message(message(number), None)
    page = await store.views.events(0, 2)
    rest = await store.views.events(page[-1].seq, 2)
    assert [event.message for event in (*page, *rest)] == [name(1), name(2), name(3)]
    assert {(event.measure, event.ministry) for event in page} == {("2.1.1.d", "defence")}


async def test_files_in_use(store: NodeStore) -> None:
    await store.outbox.add_message(message(1, attachments=(StoredAttachment(0, "mine"),)), None)
    await store.outbox.save_sealed(envelope(1, body=None), (place(1),))
    await store.outbox.add_message(message(2), None)
    await store.outbox.save_sealed(envelope(2), (place(2),))
    await store.inbox.save_received(received(3), received_message(3), arrival(1), ())
    assert await store.views.files() == (frozenset({"mine", "file3"}), frozenset({name(1, "e")}))
    await store.outbox.save_accepted(name(1, "e"), b"receipt", NOW)
    assert (await store.views.files())[1] == frozenset()


async def test_counts(store: NodeStore) -> None:
    await store.outbox.add_message(message(1), None)
    await store.outbox.add_message(message(2), None)
    await store.inbox.save_received(received(3), received_message(3), arrival(1), (alarm("a"),))
    assert await store.views.counts() == {"outbox.queued": 2, "inbox.received": 1, "alarms": 1}


# Access.


async def test_tokens(store: NodeStore) -> None:
    for number in (2, 1):
        await store.access.add_token(token(number))
    await store.access.add_token(token(1, ministry="another"))
    await store.reopen()
    assert await store.access.tokens() == (token(1), token(2))
    assert await store.access.token(token(1).id) == token(1)
    assert await store.access.token("0" * 16) is None


async def test_a_token_is_revoked_once(store: NodeStore) -> None:
    await store.access.add_token(token(1))
    assert not await store.access.revoke_token("0" * 16, NOW)
    assert await store.access.revoke_token(token(1).id, NOW)
    assert not await store.access.revoke_token(token(1).id, NOW + 1)
    assert await store.access.token(token(1).id) == token(1, revoked=NOW)


async def test_the_directory_only_grows(store: NodeStore) -> None:
    await store.access.append_directory(0, (b"0", b"1"))
    await store.access.append_directory(2, (b"2",))
    await store.access.append_directory(0, (b"another", b"1"))
    await store.reopen()
    assert await store.access.directory() == (b"0", b"1", b"2")
