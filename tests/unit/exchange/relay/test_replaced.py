"""A relay that takes over from another: its directory begins with exactly the entries of the old one, or not at all."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from exchange.cli.main import run
from exchange.errors import Conflict, Malformed
from exchange.relay.config import load_settings
from exchange.storage.relay_sqlite import SqliteRelayStore, read_entries
from exchange.wiring.relay_directory import fill_store, read_directory, verified_directory, write_directory
from keys.directory import begin, extend, handover_of
from keys.identity import SigningIdentity
from keys.view import Directory
from schemas.charter import Handover
from schemas.files import DIRECTORY_LINE, RELAY_IDENTITY, SIGNED_CHARTER, decode_file, encode_file
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_DIRECTORY_ENTRY
from schemas.statement import read_entry
from tests.support.charters import amendment, relay_change
from tests.support.relay_process import passphrase_file
from tests.support.world import World


@pytest.fixture
def new(tmp_path: Path) -> Path:
    """The folder of a relay that was just set up."""
    folder = tmp_path / "new"
    secret = str(passphrase_file(tmp_path))
    assert run(["relay", "init", "--dir", str(folder), "--plain", "--passphrase-file", secret]) == 0
    return folder


@pytest.fixture
def old(tmp_path: Path, world: World) -> Path:
    """The directory of the world's relay as a file."""
    write_directory(tmp_path / "old.cbm", world.entries)
    return tmp_path / "old.cbm"


def charter_for(new: Path, world: World, view: Directory | None = None, **changes: object) -> bytes:
    """The version that names the new relay, as a directory entry."""
    identity = decode_file(RELAY_IDENTITY, (new / "relay-identity.cbm").read_bytes())
    stands_for = SigningIdentity.from_entropy(MemberId("CICA"), bytes(96))
    return relay_change(world, stands_for, view, **{"relays": (identity,), **changes})


def install(new: Path, charter: bytes, *options: str) -> int:
    path = new.parent / "charter-2.cbm"
    path.write_bytes(encode_file(SIGNED_CHARTER, read_entry(charter)))
    return run(["relay", "charter", "--dir", str(new), str(path), *options])


async def stored(folder: Path, entries: Sequence[bytes]) -> None:
    store = SqliteRelayStore.open(folder)
    for index, entry in enumerate(entries):
        await store.append(entry, index)
    await store.close()


def holds_nothing(folder: Path) -> bool:
    """No entry, and no charter pinned, so that it does not run."""
    return load_settings(folder).charter_digest is None and not (folder / "relay.db").exists()


def test_the_new_directory_begins_with_exactly_the_old_one(
    new: Path, old: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    charter = charter_for(new, world)
    capsys.readouterr()
    assert install(new, charter, "--directory", str(old), "--json") == 0
    assert list(read_entries(new)) == [*world.entries, charter]
    told = json.loads(capsys.readouterr().out)["charter"].replace(" ", "")
    assert told == load_settings(new).charter_digest == world.charter_digest.hex()
    # Once more, as after a crash before the charter was pinned.
    assert install(new, charter, "--directory", str(old)) == 0
    assert list(read_entries(new)) == [*world.entries, charter]


def changed(path: Path, entries: Sequence[bytes]) -> None:
    path.unlink()
    write_directory(path, entries)


def handover(view: Directory, size: int = 0, root: Digest | None = None) -> Handover:
    true = handover_of(view)
    return Handover(true.size + size, root or true.root_hash)


@pytest.mark.parametrize("change", ["one-less", "one-more", "another-order", "another-root", "another-size"])
def test_a_directory_that_is_not_the_one_of_the_handover_is_refused(
    new: Path, old: Path, world: World, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    view = world.directory
    charter = charter_for(new, world)
    if change == "one-less":
        changed(old, world.entries[:-1])
    elif change == "one-more":
        charter = charter_for(new, world, before(world))
    elif change == "another-order":
        changed(old, [*world.entries[:-2], world.entries[-1], world.entries[-2]])
    elif change == "another-root":
        charter = charter_for(new, world, handover=handover(view, root=Digest(b"r" * 32)))
    else:
        charter = charter_for(new, world, handover=handover(view, size=1))
    assert install(new, charter, "--directory", str(old)) == 1
    assert "takes over another directory" in capsys.readouterr().err
    assert holds_nothing(new)


def before(world: World) -> Directory:
    """The directory without its last entry, as it stood then."""
    entries = [read_entry(entry) for entry in world.entries[:-1]]
    return extend(begin(entries[0], world.charter_digest), entries[1:])


def test_a_later_version_without_the_old_directory_is_refused(
    new: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert install(new, charter_for(new, world)) == 1
    assert "does not begin with version 1" in capsys.readouterr().err
    assert holds_nothing(new)


def test_a_charter_that_names_another_relay_is_refused(
    new: Path, old: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    other = SigningIdentity.from_entropy(MemberId("CICA"), b"o" * 96)
    assert install(new, relay_change(world, other), "--directory", str(old)) == 1
    assert "names another relay" in capsys.readouterr().err
    assert install(new, amendment(world), "--directory", str(old)) == 1
    assert holds_nothing(new)


def test_a_folder_with_another_directory_is_left_as_it_is(new: Path, old: Path, world: World) -> None:
    other = World(now=world.now + 1)
    asyncio.run(stored(new, other.entries[:1]))
    assert install(new, charter_for(new, world), "--directory", str(old)) == 1
    assert list(read_entries(new)) == [other.entries[0]]


async def test_filling_goes_on_where_it_was_interrupted(tmp_path: Path, world: World) -> None:
    await stored(tmp_path, world.entries[:5])
    await fill_store(tmp_path, world.entries)
    assert tuple(read_entries(tmp_path)) == world.entries
    with pytest.raises(Conflict):
        await fill_store(tmp_path, world.entries[:3] + world.entries[:1])


class TestFile:
    def test_it_is_read_as_it_was_written(self, old: Path, world: World) -> None:
        assert tuple(read_directory(old)) == world.entries
        assert verified_directory(old, world.charter_digest) == world.directory
        with pytest.raises(FileExistsError):
            write_directory(old, [])

    @pytest.mark.parametrize(
        "harm",
        [
            lambda data: data[:-1],
            lambda data: data[: len(DIRECTORY_LINE) + 2],
            lambda data: data + b"\x00\x00\x00\x00",
            lambda data: data + (MAX_DIRECTORY_ENTRY + 1).to_bytes(4, "big"),
            lambda data: data.replace(b"cbm/1", b"cbm/2"),
            lambda data: DIRECTORY_LINE,
            lambda data: b"",
        ],
    )
    def test_what_is_cut_off_or_something_else_is_refused(self, old: Path, harm: object) -> None:
        assert callable(harm)
        old.write_bytes(harm(old.read_bytes()))
        with pytest.raises(Malformed):
            verified_directory(old, None)

    async def test_the_command_exports_what_the_relay_holds(
        self, tmp_path: Path, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        await stored(tmp_path, world.entries)
        out = tmp_path / "out.cbm"
        command = ["relay", "directory", "export", "--dir", str(tmp_path), str(out), "--json"]
        assert run(command) == 0
        told = json.loads(capsys.readouterr().out)
        assert tuple(read_directory(out)) == world.entries
        true = handover_of(world.directory)
        assert (told["size"], told["root_hash"].replace(" ", "")) == (true.size, true.root_hash.hex())
        assert run(command) == 1
        assert "nothing is overwritten" in capsys.readouterr().err
