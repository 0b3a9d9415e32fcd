"""Fixtures that every folder of tests may ask for."""

import pytest

from tests.support.world import NOW, World


@pytest.fixture
def now() -> int:
    """The present of the test world, Unix seconds."""
    return NOW


@pytest.fixture
def world() -> World:
    """Four Member States with a relay; fresh streams and the same keys for every test."""
    return World()
