"""The tiles of a log on the disk: what is written, what is mended at a start, what is refused."""

import errno
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from exchange import tile_files
from exchange.audit.tree import Tree
from exchange.errors import NotFound, StoreFault
from exchange.process import write_durably
from exchange.tile_files import TileFiles
from keys.merkle import MemoryTree, tree_root, verify_consistency, verify_inclusion
from keys.tiles import Tile, entry_hash, tile_bytes

SIZES = (1, 255, 256, 257, 600, 70_000)


def leaves(count: int, start: int = 0) -> list[bytes]:
    return [b"leaf %d" % number for number in range(start, start + count)]


async def stored(items: Sequence[bytes], batch: int = 4096) -> AsyncIterator[Sequence[bytes]]:
    for place in range(0, len(items), batch):
        yield items[place : place + batch]


async def load(folder: Path, count: int, batch: int = 4096) -> Tree:
    return await Tree.load(TileFiles(folder), stored(leaves(count), batch))


def memory(count: int) -> MemoryTree:
    return MemoryTree(entry_hash(leaf) for leaf in leaves(count))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("size", SIZES)
async def test_a_tree_that_grew_is_the_one_that_is_loaded(tmp_path: Path, size: int) -> None:
    tree = await load(tmp_path / "grown", 0)
    step = max(1, size // 3)
    for start in range(0, size, step):
        tree.append(leaves(min(step, size - start), start))
    loaded = await load(tmp_path / "loaded", size, batch=100)
    assert files(tmp_path / "grown") == files(tmp_path / "loaded")
    assert tree.size == loaded.size == size
    assert tree.head == loaded.head == tree.root(size) == tree_root(size, memory(size))


async def test_every_file_is_the_tile_of_its_path(tmp_path: Path) -> None:
    await load(tmp_path, 70_000)
    found = files(tmp_path)
    # The example of tlog-tiles: 273 and 1 tiles of leaves, 1 and 1 above, 1 on top.
    assert len(found) == 277
    reference = memory(70_000)
    for tile in (Tile(0, 0), Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)):
        assert found[tile.path] == tile_bytes(tile, reference)


async def test_proofs_hold_at_every_size(tmp_path: Path) -> None:
    tree = await load(tmp_path, 700)
    for old, new in ((1, 700), (255, 256), (256, 257), (300, 700), (699, 700), (0, 5), (700, 700)):
        root = tree_root(new, memory(700))
        verify_consistency(old, new, tree.root(old), root, tree.consistency(old, new, root))
    for index, size in ((0, 1), (0, 700), (255, 256), (699, 700), (300, 301)):
        leaf, root = leaves(700)[index], tree_root(size, memory(700))
        verify_inclusion(entry_hash(leaf), index, size, tree.inclusion(leaf, index, size, root), root)


async def test_a_narrower_tile_is_cut_from_a_wider_one(tmp_path: Path) -> None:
    tree = await load(tmp_path, 100)
    tree.append(leaves(50, 100))
    assert sorted(files(tmp_path)) == ["tile/0/000.p/150"]
    narrow = tree.files.read(Tile(0, 0, 70))
    assert narrow == tile_bytes(Tile(0, 0, 70), memory(150))
    tree.append(leaves(200, 150))
    assert sorted(files(tmp_path)) == ["tile/0/000", "tile/0/001.p/94", "tile/1/000.p/1"]
    assert tree.files.read(Tile(0, 0, 70)) == narrow


async def test_a_tile_that_the_log_does_not_have_is_not_found(tmp_path: Path) -> None:
    tree = await load(tmp_path, 100)
    for tile in (Tile(0, 0, 101), Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1)):
        with pytest.raises(NotFound):
            tree.files.read(tile)


def remove(path: Path) -> None:
    path.unlink()


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def alter(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [remove, shorten, alter])
@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"])
async def test_a_damaged_tile_is_mended_from_the_leaves(
    tmp_path: Path, harm: Callable[[Path], None], name: str
) -> None:
    await load(tmp_path, 600)
    before = files(tmp_path)
    harm(tmp_path / name)
    again = await load(tmp_path, 600)
    assert again.mended == 1
    assert files(tmp_path) == before


def times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


async def test_nothing_is_written_when_all_is_well(tmp_path: Path) -> None:
    await load(tmp_path, 600)
    before = times(tmp_path)
    assert (await load(tmp_path, 600)).mended == 0
    assert times(tmp_path) == before


@pytest.mark.parametrize(("tiles", "store"), [(1, 0), (256, 255), (257, 256), (600, 599), (600, 512), (600, 100)])
async def test_a_store_older_than_its_tiles_is_refused(tmp_path: Path, tiles: int, store: int) -> None:
    await load(tmp_path, tiles)
    before = files(tmp_path)
    with pytest.raises(StoreFault, match="old copy"):
        await load(tmp_path, store)
    assert files(tmp_path) == before


@pytest.mark.parametrize("harm", [shorten, alter])
async def test_a_tile_that_is_damaged_meanwhile_gives_no_wrong_proof_and_no_wrong_root(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    tree = await load(tmp_path, 600)
    root = tree.head
    harm(tmp_path / "tile/0/001")
    with pytest.raises(StoreFault, match="damaged"):
        tree.inclusion(leaves(600)[300], 300, 600, root)
    with pytest.raises(StoreFault, match="damaged"):
        tree.consistency(300, 600, root)
    tree.append(leaves(1, 600))
    assert tree.head == tree_root(601, memory(601))


async def test_a_full_disk_is_said_in_one_line_and_grows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = await load(tmp_path, 100)

    def full(path: Path, data: bytes, mode: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tile_files, "write_durably", full)
    with pytest.raises(StoreFault, match="No space left"):
        tree.append(leaves(5, 100))
    monkeypatch.undo()
    assert tree.size == 100
    tree.append(leaves(5, 100))
    assert tree.root(105) == tree_root(105, memory(105))


@pytest.mark.parametrize("after", range(6))
async def test_a_crash_between_two_tiles_leaves_what_can_be_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The store is ahead of the tiles, or as far: every leaf is durable before the first tile is written."""
    tree = await load(tmp_path, 500)
    done = 0

    class KilledError(BaseException):
        pass

    def write(path: Path, data: bytes, mode: int) -> None:
        nonlocal done
        if done == after:
            raise KilledError
        done += 1
        write_durably(path, data, mode)

    monkeypatch.setattr(tile_files, "write_durably", write)
    try:
        tree.append(leaves(300, 500))
    except KilledError:
        assert done == after
    monkeypatch.undo()
    again = await load(tmp_path, 800)
    assert again.root(800) == tree_root(800, memory(800))
    assert again.root(500) == tree_root(500, memory(500))
    assert set(files(tmp_path)) - {"tile/0/001.p/244", "tile/1/000.p/1"} == {
        "tile/0/000",
        "tile/0/001",
        "tile/0/002",
        "tile/0/003.p/32",
        "tile/1/000.p/3",
    }
