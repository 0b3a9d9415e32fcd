"""Sealed content and spooled ciphertext on the disk: complete or not there, and swept at start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.errors import StoreFault
from exchange.node.files import NodeFiles, read_pieces
from keys.errors import Undecryptable
from keys.vault import Vault
from schemas.limits import CHUNK


@pytest.fixture
def files(tmp_path: Path) -> NodeFiles:
    return NodeFiles(tmp_path, Vault(b"L" * 32))


def on_disk(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_content_comes_back(files: NodeFiles, tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    name = files.new_name()
    files.write_content(name, [data[:size]])
    assert b"".join(files.read_content(name)) == data[:size]
    stored = (tmp_path / "content" / name).read_bytes()
    assert size < 16 or data[:16] not in stored


def test_what_is_stored_can_be_read_by_its_owner_only(files: NodeFiles, tmp_path: Path) -> None:
    files.write_content("a" * 32, [b"secret"])
    files.write_body(b"e" * 16, [b"ciphertext"])
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o700}


def test_a_fault_in_the_middle_leaves_no_file(files: NodeFiles, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * CHUNK
        raise RuntimeError("the source has failed")

    with pytest.raises(RuntimeError):
        files.write_content("a" * 32, broken())
    with pytest.raises(RuntimeError):
        files.write_body(b"e" * 16, broken())
    assert on_disk(tmp_path) == []


def test_a_disk_that_refuses_is_a_store_fault(files: NodeFiles, tmp_path: Path) -> None:
    (tmp_path / "content").rmdir()
    with pytest.raises(StoreFault) as caught:
        files.write_content("a" * 32, [b"x"])
    assert caught.value.code == "disk"


def test_a_missing_file_is_a_store_fault(files: NodeFiles) -> None:
    with pytest.raises(StoreFault):
        list(files.read_content("0" * 32))
    with pytest.raises(StoreFault):
        list(files.read_body(b"e" * 16))


def test_a_changed_file_does_not_open(files: NodeFiles, tmp_path: Path) -> None:
    files.write_content("a" * 32, [b"secret" * 20_000])
    path = tmp_path / "content" / ("a" * 32)
    stored = bytearray(path.read_bytes())
    stored[-1] ^= 1
    path.write_bytes(stored)
    with pytest.raises(Undecryptable):
        list(files.read_content("a" * 32))


def test_a_file_under_another_local_key_does_not_open(files: NodeFiles, tmp_path: Path) -> None:
    files.write_content("a" * 32, [b"secret"])
    with pytest.raises(Undecryptable):
        list(NodeFiles(tmp_path, Vault(b"M" * 32)).read_content("a" * 32))


def test_orphans_of_a_crash_are_removed_and_nothing_else(files: NodeFiles, tmp_path: Path) -> None:
    kept, orphan = files.new_name(), files.new_name()
    files.write_content(kept, [b"kept"])
    files.write_content(orphan, [b"orphan"])
    files.write_body(b"k" * 16, [b"kept"])
    files.write_body(b"o" * 16, [b"orphan"])
    files.arrival_path().write_bytes(b"half of a body")
    assert files.remove_orphans(frozenset({kept}), frozenset({b"k" * 16})) == 3
    assert on_disk(tmp_path) == sorted([f"content/{kept}", f"spool/{(b'k' * 16).hex()}.body"])
    assert files.remove_orphans(frozenset({kept}), frozenset({b"k" * 16})) == 0


def test_removing_what_is_not_there_is_no_fault(files: NodeFiles) -> None:
    files.remove_content(["0" * 32])
    files.remove_body(b"e" * 16)


def test_a_body_on_its_way_in_has_a_name_that_no_sender_chooses(files: NodeFiles) -> None:
    places = {files.arrival_path() for _ in range(8)}
    assert len(places) == 8
    assert files.body_path(b"e" * 16) not in places


def test_pieces_are_chunks(files: NodeFiles) -> None:
    files.write_body(b"e" * 16, [b"x" * (CHUNK + 1)])
    assert [len(piece) for piece in read_pieces(files.body_path(b"e" * 16))] == [CHUNK, 1]
