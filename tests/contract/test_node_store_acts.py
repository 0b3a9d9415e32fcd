"""Acts that wait for other officials, groups and class tags: durable, decided once, whatever comes at the same time."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from exchange.consent.four_eyes import ActState, Approval, Obstacle
from exchange.errors import Conflict, TooMany
from exchange.storage.act_port import Act, ActBounds, Change
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_backup import begin_again
from exchange.storage.node_values import Idempotency
from tests.support.node_rows import NOW, NodeStore, message, name, token
from tests.support.parties import replaced

MOST = ActBounds(pending=10, of_token=6)
OTHERS = {number: f"{number:016x}" for number in range(1, 5)}


def act(number: int = 1, **changes: object) -> Act:
    values: dict[str, Any] = {
        "id": name(number, "a"),
        "kind": "send",
        "token": f"{9:016x}",
        "ministry": "defence",
        "scopes": ("send",),
        "measures": ("2.1.*",),
        "measure": "2.1.1.d",
        "record_type": "military-activity-notification",
        "sealed_request": b"sealed request",
        "digest": b"d" * 32,
        "needed": 2,
        "state": ActState.PENDING,
        "created": NOW,
        "expires": NOW + 1000,
        "files": (f"file{number}", f"annex{number}"),
    }
    return Act(**replaced(values, changes))


def event(kind: str = "act.held", time: int = NOW) -> ConsentEvent:
    return ConsentEvent(time, kind, name(1, "a").hex(), None, "defence/1", "{}")


def approval(number: int, digest: bytes = b"d" * 32, time: int = NOW) -> Approval:
    return Approval(OTHERS[number], "defence", digest, time)


@pytest.fixture
async def held(store: NodeStore) -> NodeStore:
    """A store with one act and the tokens of its officials."""
    for number in OTHERS:
        await store.access.add_token(token(number, scopes=("release",)))
    await store.acts.add(act(), None, MOST, event())
    return store


async def approve(store: NodeStore, given: Approval) -> Obstacle | None:
    return await store.acts.approve(name(1, "a"), given, event("act.approved", given.time))


async def state(store: NodeStore) -> ActState:
    found = await store.acts.act(name(1, "a"))
    assert found is not None
    return found.state


async def test_an_act_is_kept_whole_and_listed_without_its_request(held: NodeStore) -> None:
    await held.reopen()
    assert await held.acts.act(name(1, "a")) == act()
    assert await held.acts.acts((ActState.PENDING,), 5) == (replace(act(), sealed_request=b""),)
    assert await held.acts.acts((ActState.DONE,), 5) == ()
    assert await held.acts.act(name(2, "a")) is None


async def test_its_files_are_in_use_until_it_ends(held: NodeStore) -> None:
    assert (await held.views.files())[0] == {"file1", "annex1"}
    await held.acts.end(name(1, "a"), ActState.REFUSED, None, b"sealed why", event("act.refused"))
    assert (await held.views.files())[0] == frozenset()
    found = await held.acts.act(name(1, "a"))
    assert found is not None
    assert (found.state, found.sealed_request, found.sealed_fault) == (ActState.REFUSED, b"", b"sealed why")


async def test_one_key_keeps_one_act_and_shares_its_keys_with_messages(store: NodeStore) -> None:
    key = Idempotency("t" * 16, "k", b"r" * 32)
    assert await store.acts.add(act(1), key, MOST, event()) == name(1, "a")
    before = await store.dump()
    assert await store.acts.add(act(2), key, MOST, event()) == name(1, "a")
    assert await store.outbox.stored_for(key) == name(1, "a")
    assert await store.outbox.add_message(message(3), key) == name(1, "a")
    with pytest.raises(Conflict, match="another request"):
        await store.acts.add(act(2), replace(key, request=b"s" * 32), MOST, event())
    assert await store.dump() == before


async def test_there_are_only_so_many(store: NodeStore) -> None:
    for number in range(MOST.pending):
        author = f"{number % 2:016x}"
        await store.acts.add(act(number, token=author), None, MOST, event())
    before = await store.dump()
    with pytest.raises(TooMany):
        await store.acts.add(act(MOST.pending), None, MOST, event())
    assert await store.dump() == before


async def test_one_token_leaves_room_to_others_and_all_of_it_once_it_is_revoked(store: NodeStore) -> None:
    await store.access.add_token(token(9))
    for number in range(MOST.of_token):
        await store.acts.add(act(number), None, MOST, event())
    before = await store.dump()
    with pytest.raises(TooMany):
        await store.acts.add(act(20), None, MOST, event())
    assert await store.dump() == before
    await store.acts.add(act(20, token=OTHERS[1]), None, MOST, event())
    await store.access.revoke_token(f"{9:016x}", NOW)
    for number in range(30, 30 + MOST.of_token - 1):
        await store.acts.add(act(number, token=OTHERS[1]), None, MOST, event())
    for number in range(50, 50 + MOST.pending - MOST.of_token):
        await store.acts.add(act(number, token=OTHERS[2]), None, MOST, event())


async def test_the_last_approval_releases_it(held: NodeStore) -> None:
    assert await approve(held, approval(1)) is None
    assert await state(held) is ActState.PENDING
    assert await approve(held, approval(1)) is None
    assert await state(held) is ActState.PENDING
    assert await approve(held, approval(2)) is None
    assert await state(held) is ActState.APPROVED
    await held.reopen()
    assert await state(held) is ActState.APPROVED
    kinds = [line.kind for line in await held.consent.events(0, 10)]
    assert kinds == ["act.held", "act.approved", "act.approved"]


async def test_an_approval_of_a_stale_digest_changes_nothing(held: NodeStore) -> None:
    before = await held.dump()
    assert await approve(held, approval(1, b"x" * 32)) is Obstacle.STALE
    assert await approve(held, replace(approval(1), token=act().token)) is Obstacle.OWN
    assert await approve(held, approval(1, time=NOW + 1000)) is Obstacle.ENDED
    assert await held.acts.approve(name(7, "a"), approval(1), event()) is Obstacle.ENDED
    assert await held.dump() == before


async def test_the_approval_of_a_token_that_was_revoked_does_not_count(held: NodeStore) -> None:
    await approve(held, approval(1))
    await held.access.revoke_token(OTHERS[1], NOW)
    await approve(held, approval(2))
    assert await state(held) is ActState.PENDING
    assert [one.token for one in await held.acts.approvals(name(1, "a"))] == [OTHERS[2]]
    await approve(held, approval(3))
    assert await state(held) is ActState.APPROVED


async def test_a_change_takes_every_approval_away(held: NodeStore) -> None:
    await approve(held, approval(1))
    change = Change(b"another", b"e" * 32, ("file7",), "2.1.1.b", "defence-budget", 2, NOW + 2000)
    before = await held.dump()
    assert await held.acts.change(name(1, "a"), OTHERS[1], change, event("act.changed")) is Obstacle.NOT_AUTHOR
    assert await held.dump() == before
    assert await held.acts.change(name(1, "a"), act().token, change, event("act.changed")) is None
    found = await held.acts.act(name(1, "a"))
    assert found is not None
    assert (found.sealed_request, found.digest, found.files) == (b"another", b"e" * 32, ("file7",))
    assert await held.acts.approvals(name(1, "a")) == ()
    assert (await held.views.files())[0] == {"file7"}
    assert await approve(held, approval(1)) is Obstacle.STALE


async def test_what_was_released_is_neither_changed_nor_refused(held: NodeStore) -> None:
    await approve(held, approval(1))
    await approve(held, approval(2))
    before = await held.dump()
    change = Change(b"another", b"e" * 32, (), "2.1.1.b", "defence-budget", 2, NOW + 2000)
    assert await held.acts.change(name(1, "a"), act().token, change, event()) is Obstacle.ENDED
    assert not await held.acts.end(name(1, "a"), ActState.REFUSED, None, b"why", event())
    assert not await held.acts.end(name(1, "a"), ActState.EXPIRED, None, b"why", event())
    assert await held.dump() == before
    assert await held.acts.end(name(1, "a"), ActState.DONE, name(5), None, event("act.done"))
    assert not await held.acts.end(name(1, "a"), ActState.FAILED, None, b"why", event())


async def test_a_refusal_and_the_last_approval_at_once_have_one_outcome(held: NodeStore) -> None:
    await approve(held, approval(1))
    refused, obstacle = await asyncio.gather(
        held.acts.end(name(1, "a"), ActState.REFUSED, None, b"why", event("act.refused")), approve(held, approval(2))
    )
    expected = (ActState.REFUSED, Obstacle.ENDED) if refused else (ActState.APPROVED, None)
    assert (await state(held), obstacle) == expected


async def test_many_approvals_at_once_release_it_once(held: NodeStore) -> None:
    results = await asyncio.gather(*(approve(held, approval(number)) for number in OTHERS))
    assert sorted(map(str, results)) == ["None", "None", "act-ended", "act-ended"]
    assert await state(held) is ActState.APPROVED


@pytest.mark.parametrize("approvals", [0, 2])
async def test_a_restored_node_performs_nothing_that_may_have_been_performed_since(
    held: NodeStore, approvals: int
) -> None:
    for number in range(1, approvals + 1):
        await approve(held, approval(number))
    await begin_again(held.database, NOW, NOW + 10, token(8))
    assert await state(held) is ActState.EXPIRED
    assert await held.acts.acts((ActState.PENDING, ActState.APPROVED), 5) == ()
    assert (await held.views.files())[0] == frozenset()


async def test_groups_are_kept_by_name(store: NodeStore) -> None:
    await store.groups.put("caspian", b"one")
    await store.groups.put("aral", b"two")
    await store.groups.put("caspian", b"three")
    await store.reopen()
    assert await store.groups.groups() == (b"two", b"three")
    assert (await store.groups.group("caspian"), await store.groups.group("none")) == (b"three", None)
    assert await store.groups.remove("caspian")
    assert not await store.groups.remove("caspian")
    assert await store.groups.groups() == (b"two",)


async def test_a_class_keeps_its_first_tag(store: NodeStore) -> None:
    tags = await asyncio.gather(*(store.classes.tag(b"n", bytes([n]) * 16, b"sealed", NOW) for n in range(5)))
    assert len(set(tags)) == 1
    await store.reopen()
    assert await store.classes.find(b"n") == tags[0]
    assert await store.classes.find(b"m") is None
    assert await store.classes.classes() == ((b"n", tags[0], b"sealed"),)
