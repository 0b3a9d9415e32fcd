"""The Secretariat's node with its real API, in a world that has one, and a relay in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hostile_relay import HostileRelay
from tests.support.node import Api, TestNode, api_of, node
from tests.support.world import World


@pytest.fixture
def world() -> World:
    """Four Member States and the Secretariat."""
    return World(secretariat=True)


@pytest.fixture
async def cica(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The Secretariat's node."""
    async with node(tmp_path, world, "CICA", relay) as opened:
        yield opened


@pytest.fixture
async def api(cica: TestNode) -> AsyncIterator[Api]:
    """Its API, over HTTP on loopback."""
    async with api_of(cica) as opened:
        yield opened


@pytest.fixture
async def token(cica: TestNode) -> str:
    """Of an office that may read everything and send."""
    return await cica.token("database", ("send", "read"))
