"""KAZ's node with its real API, and a relay in memory."""

from collections.abc import AsyncIterator

import pytest

from tests.support.node import Api, TestNode, api_of


@pytest.fixture
async def api(kaz: TestNode) -> AsyncIterator[Api]:
    """Its API, over HTTP on loopback."""
    async with api_of(kaz) as opened:
        yield opened


@pytest.fixture
async def token(kaz: TestNode) -> str:
    """Of a ministry that may send and read everything."""
    return await kaz.token("defence", ("send", "read"))
