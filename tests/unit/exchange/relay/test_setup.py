"""Settings and set-up of a relay: what cannot be is refused with one line that says why."""

import logging as python_logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from exchange.cli.main import run
from exchange.errors import Invalid, StoreFault
from exchange.relay.config import Limits, RelaySettings, load_settings, parse_settings
from exchange.storage.relay_sqlite import SqliteRelayStore
from exchange.wiring.relay import IDENTITY
from schemas.files import RELAY_IDENTITY, SIGNED_CHARTER, decode_file, encode_file
from schemas.statement import read_entry
from tests.support.realm import charter_entry
from tests.support.relay import relay, settings_for
from tests.support.relay_process import passphrase_file
from tests.support.world import World


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """A command that serves sends this process's log to its standard error, which here is one test's."""
    hook, handlers = threading.excepthook, python_logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    python_logging.captureWarnings(False)
    threading.excepthook, python_logging.getLogger().handlers[:] = hook, handlers


PLAIN: dict[str, Any] = {"name": "relay", "plain": True}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"plain": False}, "tls_cert and tls_key are missing"),
        ({"host": "0.0.0.0"}, "loopback only"),  # noqa: S104  # what is refused
        ({"host": "localhost.example"}, "loopback only"),
        ({"tls_cert": "a.pem", "tls_key": "b.pem"}, "exclude each other"),
        ({"plain": False, "tls_cert": "a.pem"}, "are missing"),
        ({"colour": "blue"}, "colour"),
        ({"limits": {"max_bodies": 1}}, "limits.max_bodies"),
        ({"limits": {"max_body": 0}}, "limits.max_body"),
        ({"limits": {"max_body": 2**40}}, "limits.max_body"),
        ({"limits": {"sender_bytes": 100, "mailbox_bytes": 100}}, "mailbox_bytes has to be more than sender_bytes"),
        ({"charter_digest": "AB" * 32}, "charter_digest"),
        ({"port": 65536}, "port"),
        ({"log_level": "loud"}, "log_level"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, object], told: str) -> None:
    parse_settings(PLAIN)
    with pytest.raises(Invalid, match=told):
        parse_settings({**PLAIN, **change})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1"])
def test_plain_http_is_for_loopback(host: str) -> None:
    assert parse_settings({**PLAIN, "host": host}).host == host


@pytest.mark.parametrize("model", [RelaySettings, Limits])
def test_every_setting_says_what_it_is_for(model: type[RelaySettings] | type[Limits]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def init(folder: Path, *options: str) -> int:
    secret = str(passphrase_file(folder))
    return run(["relay", "init", "--dir", str(folder / "relay"), "--passphrase-file", secret, *options])


def install(folder: Path, world: World, own: bool = True) -> int:
    """Install a charter with this relay, or the world's own charter, which names another."""
    identity = decode_file(RELAY_IDENTITY, (folder / "relay" / IDENTITY).read_bytes())
    charter = replace(world.charter, relays=(identity,)) if own else world.charter
    entry = read_entry(charter_entry(charter, world.roots))
    path = folder / f"{own}-{world.now}.cbm"
    path.write_bytes(encode_file(SIGNED_CHARTER, entry))
    return run(["relay", "charter", "--dir", str(folder / "relay"), str(path)])


def test_a_relay_is_set_up_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path, "--plain", "--name", 'r"e\\lay') == 0
    before = (tmp_path / "relay" / IDENTITY).read_bytes()
    assert load_settings(tmp_path / "relay").name == 'r"e\\lay'
    assert init(tmp_path, "--plain") == 1
    assert "never overwritten" in capsys.readouterr().err
    assert (tmp_path / "relay" / IDENTITY).read_bytes() == before


@pytest.mark.parametrize(
    ("options", "told"),
    [([], "tls_cert and tls_key are missing"), (["--plain", "--host", "192.0.2.1"], "loopback only")],
)
def test_a_relay_without_tls_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert init(tmp_path, *options) == 1
    assert told in capsys.readouterr().err
    assert not (tmp_path / "relay").exists()


def test_no_private_key_can_be_read_by_others(tmp_path: Path) -> None:
    assert init(tmp_path, "--plain") == 0
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "relay" / "keys").iterdir()}
    assert modes == {0}


def test_the_charter_that_was_installed_is_pinned(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, "--plain") == 0
    assert install(tmp_path, world) == 0
    pinned = load_settings(tmp_path / "relay").charter_digest
    assert pinned is not None
    assert install(tmp_path, world) == 0
    assert install(tmp_path, World(now=world.now + 1)) == 1
    assert "another charter is pinned" in capsys.readouterr().err
    assert load_settings(tmp_path / "relay").charter_digest == pinned


def test_a_charter_of_another_relay_is_refused(
    tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init(tmp_path, "--plain") == 0
    assert install(tmp_path, world, own=False) == 1
    assert "names another relay" in capsys.readouterr().err
    assert load_settings(tmp_path / "relay").charter_digest is None


def test_a_relay_without_a_charter_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path, "--plain") == 0
    assert (
        run(["relay", "run", "--dir", str(tmp_path / "relay"), "--passphrase-file", str(tmp_path / "passphrase")]) == 1
    )
    assert "cbm relay charter" in capsys.readouterr().err


def test_a_wrong_passphrase_opens_nothing(tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path, "--plain") == 0
    assert install(tmp_path, world) == 0
    (tmp_path / "passphrase").write_text("another one", "utf-8")
    assert (
        run(["relay", "run", "--dir", str(tmp_path / "relay"), "--passphrase-file", str(tmp_path / "passphrase")]) == 1
    )
    assert "does not open" in capsys.readouterr().err


async def test_a_relay_that_the_charter_does_not_name_does_not_start(tmp_path: Path, world: World) -> None:
    world.relay = world.roots["KAZ"]
    with pytest.raises(StoreFault, match="not in the charter"):
        async with relay(tmp_path, world):
            raise AssertionError


async def test_a_directory_under_another_charter_does_not_start(tmp_path: Path, world: World) -> None:
    with pytest.raises(StoreFault, match="pinned"):
        async with relay(tmp_path, world, charter_digest="00" * 32):
            raise AssertionError


async def test_a_damaged_directory_does_not_start(tmp_path: Path, world: World) -> None:
    store = SqliteRelayStore.open(tmp_path)
    for index, entry in enumerate((world.entries[0], world.entries[1], world.entries[1])):
        await store.append(entry, index)
    await store.close()
    with pytest.raises(StoreFault, match="does not verify"):
        async with relay(tmp_path, world):
            raise AssertionError
    assert settings_for(world).plain
