"""One suite for every engine behind a node's joint Provisions: one answer of each provider, and one end."""

from typing import Any

import pytest

from exchange.errors import Conflict
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.joint_port import Answer, DraftRow
from exchange.storage.node_values import Idempotency, StoredAttachment
from schemas.content import ContentKind
from tests.support.node_rows import NOW, NodeStore, arrival, message, name, received, received_message
from tests.support.parties import replaced

MOST = 3
KEY = Idempotency("a" * 16, "key", b"r" * 32)


def draft(number: int, **changes: object) -> DraftRow:
    values: dict[str, Any] = {
        "provision": name(number, "d") * 2,
        "body": b"body",
        "lead": "KAZ",
        "state": "collecting",
        "providers": 2,
        "ministry": None,
        "measure": "2.1.1.d",
        "record_type": "military-activity-notification",
        "created": NOW,
        "sign_by": NOW + 100,
        "sealed_manifest": b"sealed",
        "message": name(number, "c"),
        "files": (StoredAttachment(0, f"draft{number}"),),
        "answers": (answer("KAZ"),),
    }
    return DraftRow(**replaced(values, changes))


def answer(member: str, signature: bytes | None = b"signature") -> Answer:
    return Answer(member, signature, None if signature is not None else b"sealed reason", NOW)


def event(kind: str = "draft.test") -> ConsentEvent:
    return ConsentEvent(NOW, kind, "00", None, None, "{}")


async def came(store: NodeStore, number: int, **changes: object) -> DraftRow:
    """A draft that a message brought."""
    made = draft(number, message=name(number), **changes)
    await bring(store, number)
    assert await store.joint.receive(name(number), made, MOST, event())
    return made


async def bring(store: NodeStore, number: int) -> None:
    row = received_message(number, kind=ContentKind.DRAFT)
    await store.inbox.save_received(received(number), row, arrival(number), ())


async def say(store: NodeStore, made: DraftRow, said: Answer) -> bool:
    return await store.joint.answer(made.provision, said, None, None, MOST, event())


async def found(store: NodeStore, made: DraftRow) -> DraftRow:
    row = await store.joint.draft(made.provision)
    assert row is not None
    return row


async def test_a_proposal_is_stored_with_the_message_that_carries_it(store: NodeStore) -> None:
    made = draft(1, ministry="defence")
    outgoing = message(9, kind=ContentKind.DRAFT, attachments=(StoredAttachment(0, "copy"),))
    assert await store.joint.propose(made, outgoing, KEY, event("draft.proposed")) == made.id
    assert await store.joint.propose(draft(2), message(8), KEY, event()) == made.id
    await store.reopen()
    assert await found(store, made) == DraftRow(**{**_values(made), "seq": 1})
    assert await store.joint.draft(made.id) == await found(store, made)
    assert [queued.id for queued in await store.outbox.queued(NOW, 10)] == [name(9)]
    assert [line.kind for line in await store.consent.events(0, 10)] == ["draft.proposed"]
    assert (await store.views.files())[0] == {"draft1", "copy"}
    other = Idempotency(KEY.token, KEY.key, b"x" * 32)
    with pytest.raises(Conflict):
        await store.joint.propose(draft(3), message(7), other, event())
    assert await store.joint.draft(draft(3).provision) is None


async def test_a_received_draft_is_taken_once(store: NodeStore) -> None:
    made = await came(store, 1)
    assert await store.consent.due(10) == ()
    await bring(store, 2)
    assert await store.joint.receive(name(2), made, MOST, event())
    assert await store.consent.due(10) == ()
    assert len(await store.consent.events(0, 10)) == 1


async def test_a_lead_has_so_many_open_and_no_more(store: NodeStore) -> None:
    made = [await came(store, number) for number in range(1, MOST + 1)]
    await bring(store, 9)
    assert not await store.joint.receive(name(9), draft(9), MOST, event())
    assert [row.id for row in await store.consent.due(10)] == [name(9)]
    assert await store.joint.receive(name(9), draft(8, lead="UZB"), MOST, event())
    assert await store.joint.expire(made[0].provision, event())
    await bring(store, 10)
    assert await store.joint.receive(name(10), draft(10), MOST, event())


async def test_the_first_signature_counts_and_a_refusal_ends_it(store: NodeStore) -> None:
    made = await came(store, 1, providers=3)
    assert await say(store, made, answer("MNG", b"first"))
    assert not await say(store, made, answer("MNG", b"second"))
    assert (await found(store, made)).answers == (answer("KAZ"), answer("MNG", b"first"))
    assert await say(store, made, answer("MNG", None))
    after = await found(store, made)
    assert (after.state, after.answers) == ("refused", (answer("KAZ"), answer("MNG", None)))
    assert not await say(store, made, answer("UZB"))
    assert not await store.joint.complete(made.provision, message(5), event())
    assert not await store.joint.expire(made.provision, event())
    assert await found(store, made) == after
    assert await store.views.message(name(5)) is None


async def test_an_answer_goes_with_the_message_that_tells_it_and_the_mark_of_the_one_that_brought_it(
    store: NodeStore,
) -> None:
    made = await came(store, 1)
    said = message(7, kind=ContentKind.CONSENT)
    assert await store.joint.answer(made.provision, answer("MNG"), said, None, MOST, event())
    assert not await store.joint.answer(
        made.provision, answer("MNG"), message(8, kind=ContentKind.CONSENT), None, MOST, event()
    )
    assert [queued.id for queued in await store.outbox.queued(NOW, 10)] == [name(7)]
    await store.inbox.save_received(received(2), received_message(2, kind=ContentKind.CONSENT), arrival(2), ())
    lines = len(await store.consent.events(0, 10))
    assert await store.joint.answer(made.provision, answer("UZB"), None, name(2), MOST, event())
    assert await store.joint.answer(made.provision, answer("UZB", None), None, name(2), MOST, event())
    assert await store.consent.due(10) == ()
    assert len(await store.consent.events(0, 10)) == lines + 1
    assert (await found(store, made)).signed_by == {"KAZ", "MNG", "UZB"}


async def test_answers_that_come_before_their_draft_are_kept_up_to_a_bound(store: NodeStore) -> None:
    for number in range(1, MOST + 2):
        assert await say(store, draft(number), answer("MNG")) is (number <= MOST)
    assert await say(store, draft(1), answer("UZB", None))
    assert await store.joint.early(draft(1).provision) == (answer("MNG"), answer("UZB", None))
    made = await came(store, 1, answers=(answer("KAZ"), answer("MNG")))
    assert (await found(store, made)).answers == (answer("KAZ"), answer("MNG"))
    assert await say(store, draft(9), answer("MNG"))


async def test_what_all_have_signed_becomes_a_message_once(store: NodeStore) -> None:
    made = await came(store, 1)
    assert await store.joint.due(NOW, 10) == ()
    await say(store, made, answer("MNG"))
    assert [row.provision for row in await store.joint.due(NOW, 10)] == [made.provision]
    files = (StoredAttachment(0, "draft1"),)
    for first in (True, False):
        assert await store.joint.complete(made.provision, message(5, attachments=files), event()) is first
    await store.reopen()
    assert (await found(store, made)).state == "signed"
    assert [queued.id for queued in await store.outbox.queued(NOW, 10)] == [name(5)]
    assert (await store.events())[-1][:2] == (name(5), "message.state")
    assert await store.joint.due(NOW + 1000, 10) == ()


async def test_what_is_not_signed_in_time_is_due_and_ends_once(store: NodeStore) -> None:
    made = await came(store, 1)
    assert await store.joint.due(made.sign_by - 1, 10) == ()
    assert [row.provision for row in await store.joint.due(made.sign_by, 10)] == [made.provision]
    assert await store.joint.expire(made.provision, event())
    assert not await store.joint.expire(made.provision, event())
    assert not await say(store, made, answer("MNG"))
    assert (await found(store, made)).state == "expired"


async def test_each_sees_the_drafts_of_its_measures_and_of_its_own_ministry(store: NodeStore) -> None:
    await came(store, 1)
    await came(store, 2, measure="2.4.3", state="refused")
    await store.joint.propose(draft(3, ministry="defence"), message(9, kind=ContentKind.DRAFT), None, event())

    async def seen(open_only: bool, measures: tuple[str, ...], ministry: str, before: int = 2**62) -> list[bytes]:
        rows = await store.joint.drafts(open_only, before, 2, measures, ministry)
        return [row.provision for row in rows]

    one, two, three = (draft(number).provision for number in (1, 2, 3))
    assert await seen(False, ("*",), "defence") == [three, two]
    assert await seen(False, ("*",), "defence", 2) == [one]
    assert await seen(True, ("*",), "defence") == [three, one]
    assert await seen(False, ("2.4.*",), "defence") == [two]
    assert await seen(True, ("*",), "interior") == [one]


def _values(row: DraftRow) -> dict[str, Any]:
    return {field: getattr(row, field) for field in row.__dataclass_fields__}
