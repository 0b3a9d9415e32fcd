"""The colluding relay of every attack, and the four nodes of its world, opened when a test asks for them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.attacks import honest_relay
from tests.support.hostile_relay import HostileRelay
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode, node
from tests.support.relay import Server
from tests.support.world import World


@pytest.fixture
async def xaa(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of XAA, in a few attacks the fourth state, or another provider."""
    async with node(tmp_path, world, "XAA", relay) as opened:
        yield opened


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    """An honest relay."""
    async with honest_relay(tmp_path, world) as running:
        yield running


@pytest.fixture
def hostile(world: World) -> HostileServer:
    """A relay's HTTP and WebSocket side that answers as a test says."""
    return HostileServer(world)


@pytest.fixture
async def wired(tmp_path: Path, world: World, hostile: HostileServer) -> AsyncIterator[TestNode]:
    """MNG's node with the real client, pointed at the hostile server."""
    async with hostile.running("MNG") as client, node(tmp_path, world, "MNG", client) as opened:
        yield opened
