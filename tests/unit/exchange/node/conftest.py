"""KAZ's node with its real API, and a relay in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, node
from tests.support.world import World


@pytest.fixture
def relay(world: World) -> HostileRelay:
    """It delivers what it is given."""
    return HostileRelay(world)


@pytest.fixture
async def kaz(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of KAZ."""
    async with node(tmp_path, world, "KAZ", relay) as opened:
        yield opened


@pytest.fixture
async def mng(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of MNG, which holds what KAZ provides."""
    async with node(tmp_path, world, "MNG", relay) as opened:
        yield opened


@pytest.fixture
async def uzb(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of UZB, a third state."""
    async with node(tmp_path, world, "UZB", relay) as opened:
        yield opened


@pytest.fixture
async def api(kaz: TestNode) -> AsyncIterator[Api]:
    """Its API, over HTTP on loopback."""
    async with api_of(kaz) as opened:
        yield opened


@pytest.fixture
async def token(kaz: TestNode) -> str:
    """Of a ministry that may send and read everything."""
    return await kaz.token("defence", ("send", "read"))
