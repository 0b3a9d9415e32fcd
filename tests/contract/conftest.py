"""A node's store for its suites; another engine becomes a parameter here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.node_rows import NodeStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[NodeStore]:
    """An empty one."""
    made = NodeStore(tmp_path)
    yield made
    await made.database.close()
