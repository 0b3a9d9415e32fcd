"""Fixtures that every folder of tests may ask for."""

import os
import secrets
from dataclasses import replace

import pytest

from tests.support.token import SoftToken, new_token
from tests.support.world import NOW, World

pytest_plugins = ("tests.support.settling", "tests.support.states")


@pytest.fixture
def now() -> int:
    """The present of the test world, Unix seconds."""
    return NOW


@pytest.fixture
def world() -> World:
    """Four Member States with a relay; fresh streams and the same keys for every test."""
    return World()


@pytest.fixture(scope="session")
def one_token(tmp_path_factory: pytest.TempPathFactory) -> SoftToken:
    """The PKCS#11 token of this process, made before its driver is loaded."""
    made = new_token(tmp_path_factory.mktemp("softhsm"))
    os.environ.update(made.environment)
    return made


@pytest.fixture
def token(one_token: SoftToken) -> SoftToken:
    """The token, with a key's label that nobody has used."""
    return replace(one_token, place=replace(one_token.place, key=f"key-{secrets.token_hex(4)}"))
