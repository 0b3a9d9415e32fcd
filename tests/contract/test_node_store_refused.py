"""One suite for every engine behind a node's evidence about refused transfers."""

from dataclasses import replace

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Alarm
from exchange.storage.refused_port import RefusedBounds, Saved, StoredRefusal
from schemas.content import ContentKind
from schemas.limits import DAY
from tests.support.node_rows import NOW, NodeStore, message, name, received

BOUNDS = RefusedBounds(daily=3, sender_bytes=100)


def row(number: int, source: str = "relay", size: int = 10, **changes: int) -> StoredRefusal:
    values = {"time": NOW - 5, "received": NOW, **changes}
    return StoredRefusal(
        digest=number.to_bytes(32, "big"),
        source=source,
        sender="MNG",
        recipients=("UZB", "XAA"),
        provisions=(b"p" * 32, b"q" * 32),
        rule="no-consent",
        header=b"h" * size,
        receipt=None if source == "relay" else b"receipt",
        judgement="agrees",
        **values,
    )


async def save(store: NodeStore, kept: StoredRefusal, due: bytes | None = None) -> Saved:
    alarm = Alarm(f"transfer-refused:{kept.digest.hex()}", "transfer-refused", "MNG", "detail", NOW)
    event = ConsentEvent(NOW, "transfer.refused", kept.digest.hex(), "MNG", None, "{}")
    return await store.refused.save(kept, alarm, event, BOUNDS, due)


async def told(store: NodeStore) -> tuple[int, int]:
    return len(await store.inbox.latest_alarms(99)), len(await store.consent.events(0, 99))


async def test_a_notice_is_kept_as_it_came_with_its_alarm(store: NodeStore) -> None:
    assert await save(store, row(1)) is Saved.NEW
    assert await save(store, row(1, "UZB")) is Saved.NEW
    await store.reopen()
    assert await store.refused.refused(0, 9) == (replace(row(1), seq=1), replace(row(1, "UZB"), seq=2))
    assert await store.refused.refused(1, 9) == (replace(row(1, "UZB"), seq=2),)
    assert await told(store) == (1, 2)


async def test_one_that_comes_again_changes_nothing(store: NodeStore) -> None:
    await save(store, row(1))
    before = await store.dump()
    assert await save(store, replace(row(1), rule="embargo", received=NOW + 9)) is Saved.KNOWN
    assert await store.dump() == before


async def test_beyond_the_bounds_nothing_is_kept(store: NodeStore) -> None:
    for number in range(1, 4):
        assert await save(store, row(number)) is Saved.NEW
    before = await store.dump()
    assert await save(store, row(4)) is Saved.FULL
    assert await store.dump() == before
    assert await save(store, row(5, received=NOW + DAY, size=71)) is Saved.FULL
    assert await save(store, row(5, received=NOW + DAY, size=70)) is Saved.NEW


async def test_the_message_that_brought_it_is_taken_with_it_and_only_once(store: NodeStore) -> None:
    brought = message(1, box="inbox", kind=int(ContentKind.CONSENT))
    await store.inbox.save_received(received(1), brought, None, ())
    assert [due.id for due in await store.consent.due(9)] == [name(1)]
    assert await save(store, row(1, "UZB"), name(1)) is Saved.NEW
    assert await store.consent.due(9) == ()
    assert await save(store, row(2, "UZB"), name(1)) is Saved.KNOWN
    assert len(await store.refused.refused(0, 9)) == 1


async def test_messages_that_a_refusal_sends_are_queued_with_it(store: NodeStore) -> None:
    queued = message(7, ("KAZ", "XAA"), kind=int(ContentKind.CONSENT))
    for _ in range(2):
        await store.inbox.save_received(received(1), None, None, (), (queued,))
    assert [found.id for found in await store.outbox.queued(NOW, 9)] == [name(7)]
