"""The node's clock against the relay's: what differs is told once a day, entered with both times, and ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.errors import ExchangeError
from exchange.node.runner import Node
from schemas.audit import AuditEntry, AuditKind, read_entry
from schemas.limits import DAY, MAX_CLOCK_AHEAD
from tests.support.hostile_relay import HostileRelay
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode, node, sealed_by
from tests.support.world import World


@pytest.fixture
async def uzb(tmp_path: Path, world: World) -> AsyncIterator[TestNode]:
    """UZB's node with its real client; the relay's clock stands at `world.now`."""
    async with HostileServer(world).running("UZB") as client, node(tmp_path, world, "UZB", client) as opened:
        yield opened


@pytest.fixture
def relay(world: World) -> HostileRelay:
    """It signs receipts of any time."""
    return HostileRelay(world)


@pytest.fixture
async def mng(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """MNG's node, which has no sessions."""
    async with node(tmp_path, world, "MNG", relay) as opened:
        yield opened


async def session(tested: TestNode) -> str:
    """How it ended."""
    with pytest.raises(ExchangeError) as ended:
        await tested.link._session()
    await tested.housekeeper.tick()
    return ended.value.code


async def entries(tested: TestNode, kind: AuditKind = AuditKind.ALARM) -> list[AuditEntry]:
    leaves = await tested.parts.stores.audit.leaves(0, 100)
    found = [read_entry(leaf.leaf) for leaf in leaves if leaf.leaf is not None]
    return [entry for entry in found if entry.kind is kind]


@pytest.mark.parametrize("skew", [MAX_CLOCK_AHEAD + 1, -MAX_CLOCK_AHEAD - 1])
async def test_a_clock_that_is_off_is_an_alarm_with_both_times(world: World, uzb: TestNode, skew: int) -> None:
    uzb.clock.time += skew
    assert await session(uzb) == "clock-differs"
    # A quorum of members states its time too, when this clock is behind.
    assert uzb.alarms() == ["clock-skew", "clock"][: 1 if skew > 0 else 2]
    entry = (await entries(uzb))[0]
    assert (entry.reason, entry.time, entry.relay_time) == ("clock-skew", world.now + skew, world.now)
    clock = (await Node(uzb.parts, None).status())["clock"]
    assert isinstance(clock, dict)
    assert (clock["ahead_of_relay"], "121 s" in str(clock["fault"])) == (skew, True)


async def test_it_is_told_once_a_day_for_as_long_as_it_lasts(uzb: TestNode) -> None:
    uzb.clock.time += 2 * DAY
    for _ in range(3):
        await session(uzb)
    assert uzb.alarms() == ["clock-skew"]
    uzb.clock.time += DAY
    for _ in range(3):
        await session(uzb)
    assert uzb.alarms() == ["clock-skew", "clock-skew"]


async def test_it_has_ended_when_the_clock_is_right_again(world: World, uzb: TestNode) -> None:
    uzb.clock.time += MAX_CLOCK_AHEAD + 1
    await session(uzb)
    # Set by somebody, a little too early; the next session compares.
    uzb.clock.time = world.now - 3
    assert await session(uzb) == "session-closed"
    found = [(entry.reason, entry.time, entry.relay_time) for entry in await entries(uzb)]
    assert found[1:] == [("clock-skew-ended", world.now - 3, world.now)]
    assert (await Node(uzb.parts, None).status())["clock"] == {"ahead_of_relay": -3, "fault": None}
    for _ in range(3):
        await session(uzb)
    assert len(await entries(uzb)) == 2


@pytest.mark.parametrize("skew", [MAX_CLOCK_AHEAD, -MAX_CLOCK_AHEAD])
async def test_within_the_limit_nothing_is_told(uzb: TestNode, skew: int) -> None:
    uzb.clock.time += skew
    assert await session(uzb) == "session-closed"
    assert await entries(uzb) == []


async def test_a_clock_that_is_set_within_a_session_is_told_too(uzb: TestNode) -> None:
    await session(uzb)
    uzb.clock.time += MAX_CLOCK_AHEAD + 2
    await uzb.housekeeper.tick()
    assert uzb.alarms() == ["clock-skew"]


async def test_a_receipt_from_the_future_tells_of_the_clock_without_a_session(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    """Where no session gets through there are receipts, which the relay signs."""
    ahead = world.now + MAX_CLOCK_AHEAD + 1
    relay.accept(sealed_by(world, "KAZ", ("MNG",)), time=ahead)
    await mng.pull()
    await mng.housekeeper.tick()
    assert mng.alarms() == ["receipt-date", "clock-skew"]
    assert (await entries(mng))[-1].relay_time == ahead


async def test_a_sender_learns_of_its_clock_by_the_receipt(world: World, relay: HostileRelay, mng: TestNode) -> None:
    await mng.write(["KAZ"])
    relay.answer = lambda posted: world.receipt(posted, time=world.now + MAX_CLOCK_AHEAD + 1)
    await mng.send()
    await mng.housekeeper.tick()
    assert mng.alarms() == ["clock-skew"]


async def test_an_old_receipt_tells_nothing(world: World, mng: TestNode) -> None:
    mng.parts.clocks.passed(world.now - DAY)
    await mng.housekeeper.tick()
    assert (mng.alarms(), mng.parts.clocks.ahead()) == ([], None)


async def test_what_is_refused_is_entered_with_the_relay_s_time_as_well(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    """It was not for this node."""
    relay.accept(sealed_by(world, "KAZ", ("UZB",)), ("MNG",), time=world.now + 7)
    await mng.pull()
    (refused,) = await entries(mng, AuditKind.RECEIVE_REFUSED)
    assert (refused.time, refused.relay_time) == (world.now, world.now + 7)
