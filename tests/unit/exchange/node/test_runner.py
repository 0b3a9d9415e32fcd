"""A node that runs: what it takes before it is certified, and what becomes of it when one of its loops fails."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.errors import Unavailable
from exchange.node.compose import date_text
from exchange.node.config import Listen
from exchange.node.runner import Node
from exchange.storage.node_values import Alarm
from keys.directory import begin
from schemas.limits import DAY
from schemas.statement import read_entry
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, ministry, node, request_of
from tests.support.world import World


@pytest.fixture
async def kaz(tmp_path: Path, world: World) -> AsyncIterator[TestNode]:
    async with node(tmp_path, world, "KAZ", HostileRelay(world)) as tested:
        yield tested


async def test_before_its_key_is_published_a_node_asks_to_try_later(kaz: TestNode, world: World) -> None:
    kaz.parts.directory.current = begin(read_entry(world.entries[0]), world.charter_digest)
    before = kaz.facts()
    with pytest.raises(Unavailable, match="is it certified"):
        await kaz.composer.send(request_of(["MNG"]), (), ministry(), "key")
    assert kaz.facts() == before


async def test_messages_of_an_earlier_version_are_indexed_before_the_node_answers(kaz: TestNode) -> None:
    message = await kaz.write(["MNG"])
    indexed = kaz.rows("records")
    await kaz.database.write(
        lambda c: (c.execute("DELETE FROM records"), c.execute("INSERT INTO records_due VALUES (?)", (message,)))
    )
    config = kaz.parts.config.model_copy(update={"listen": Listen(port=0)})
    running = Node(replace(kaz.parts, config=config), None)
    stop = asyncio.Event()
    found: list[object] = []

    def ready(_url: str) -> None:
        found.append(kaz.rows("records"))
        stop.set()

    async with asyncio.timeout(20):
        await running.serve(kaz.folder, ready, stop)
    assert found == [indexed]
    assert kaz.rows("records_due") == []


async def test_a_loop_that_fails_is_told_and_begins_again_while_the_others_go_on(
    kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.node.runner._FIRST_PAUSE", 0.01)
    config = kaz.parts.config.model_copy(update={"listen": Listen(port=0)})
    running = Node(replace(kaz.parts, config=config), None)
    calls: list[str] = []
    stop = asyncio.Event()

    async def fail() -> None:
        calls.append("sealer")
        if len(calls) == 3:
            stop.set()
        raise ZeroDivisionError

    running.sealer.run = fail  # type: ignore[method-assign]  # a loop that fails
    told: list[str] = []
    async with asyncio.timeout(20):
        await running.serve(kaz.folder, told.append, stop)
    assert (len(told), len(calls) >= 3, kaz.alarms()) == (1, True, ["fault"])
    assert "ZeroDivisionError" in kaz.rows("alarms")[0]["detail"]


async def test_the_status_says_how_long_the_directory_serves_and_whom_nothing_is_sent(kaz: TestNode) -> None:
    hold = Alarm("fact", "split-view", "MNG", "MNG was shown another directory", kaz.clock.now())
    await kaz.parts.stores.trust.save_alarm(hold, "MNG")
    told = await Node(kaz.parts, None).status()
    assert told["directory"] == {
        "size": kaz.parts.directory.current.size,
        "updated": date_text(kaz.clock.now()),
        "sends_until": date_text(kaz.clock.now() + 7 * DAY),
        "fault": None,
    }
    since = date_text(kaz.clock.now())
    assert told["held"] == [{"member": "MNG", "since": since, "kind": "split-view", "detail": hold.detail}]
