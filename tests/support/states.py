"""A relay in memory, and the nodes of its world, opened when a test asks for them; folders may have their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, node
from tests.support.world import World


@pytest.fixture
def relay(world: World) -> HostileRelay:
    """A relay that judges nothing."""
    return HostileRelay(world)


@pytest.fixture
async def kaz(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of KAZ, in most attacks the provider."""
    async with node(tmp_path, world, "KAZ", relay) as opened:
        yield opened


@pytest.fixture
async def mng(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of MNG, in most attacks the audience."""
    async with node(tmp_path, world, "MNG", relay) as opened:
        yield opened


@pytest.fixture
async def uzb(tmp_path: Path, world: World, relay: HostileRelay) -> AsyncIterator[TestNode]:
    """The node of UZB, in most attacks the third state."""
    async with node(tmp_path, world, "UZB", relay) as opened:
        yield opened
