"""Tiles: their paths, their contents, and that proofs made from them are those made from the whole tree."""

import pytest

from keys.merkle import MemoryTree, Node, consistency_proof, inclusion_proof, leaf_hash, tree_root
from keys.tiles import (
    ENTRIES,
    HASH,
    WIDTH,
    Tile,
    TileReader,
    bundle_entries,
    entry_bundle,
    entry_hash,
    grow,
    log_entry,
    parse_path,
    tile_bytes,
    tile_hashes,
    tiles_between,
    width_at,
)
from schemas.contexts import Context
from schemas.errors import DecodeError, Reason
from schemas.limits import MAX_LOG_ENTRY, MAX_TREE_SIZE

# From the specification's text.
PATHS = {
    Tile(0, 1234067): "tile/0/x001/x234/067",
    Tile(0, 0): "tile/0/000",
    Tile(2, 0, 1): "tile/2/000.p/1",
    Tile(0, 273, 112): "tile/0/273.p/112",
    Tile(63, 999, 255): "tile/63/999.p/255",
    Tile(ENTRIES, 0): "tile/entries/000",
    Tile(ENTRIES, 1000, 9): "tile/entries/x001/000.p/9",
}
LARGE = 66_000
LEAVES = [leaf_hash(str(number).encode()) for number in range(LARGE)]
TREE = MemoryTree(LEAVES)


class Files:
    """Tiles as they were written; a partial one is gone when a wider one is there."""

    def __init__(self) -> None:
        self.tiles: dict[Tile, bytes] = {}
        self.reads = 0

    def read(self, tile: Tile) -> bytes:
        self.reads += 1
        return self.tiles[tile]

    def write(self, tiles: dict[Tile, bytes]) -> None:
        places = {(tile.level, tile.index) for tile in tiles}
        self.tiles = {tile: data for tile, data in self.tiles.items() if (tile.level, tile.index) not in places}
        self.tiles.update(tiles)


def stored(*sizes: int) -> Files:
    """The tiles of a log that grew to each of these sizes in turn."""
    files, before = Files(), 0
    for size in sizes:
        files.write(grow(before, LEAVES[before:size], files))
        before = size
    return files


@pytest.mark.parametrize(("tile", "path"), PATHS.items())
def test_a_path_is_the_specification_s(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/234",
        "tile/0/x001/x234",
        "tile/0/X001/234",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/entries",
        "tile/Entries/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/.p/5",
        "tile/0/x001.p/5",
        "tile/0/000.p/5/6",
        "tile/0/000.q/5",
        "/tile/0/000",
        "tile/0/000/",
        "tile//000",
        "tile/0/\u0660\u0660\u0661",
        "tile/0/../000",
        "tile/0/\x00",
        "tile/0/" + "x999/" * 6 + "999",
        "tile/0/" + "x001/" * 10_000 + "999",
    ],
)
def test_another_path_leads_to_no_tile(path: str) -> None:
    with pytest.raises(DecodeError):
        parse_path(path)


@pytest.mark.parametrize(("level", "index", "width"), [(64, 0, 1), (-2, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_there_is_no_tile_out_of_bounds(level: int, index: int, width: int) -> None:
    with pytest.raises(DecodeError, match="out-of-range"):
        Tile(level, index, width)


def test_the_last_tile_of_the_largest_log_has_a_path() -> None:
    last = Tile(0, MAX_TREE_SIZE // WIDTH)
    assert parse_path(last.path) == last
    with pytest.raises(DecodeError):
        Tile(0, MAX_TREE_SIZE // WIDTH + 1)


def test_the_specification_s_log_of_70_000_has_its_tiles() -> None:
    tiles = tiles_between(0, 70_000)
    full = [tile for tile in tiles if tile.width == WIDTH]
    assert (len([t for t in full if t.level == 0]), len([t for t in full if t.level == 1])) == (273, 1)
    partial = [tile for tile in tiles if tile.width < WIDTH]
    assert partial == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert tiles_between(0, 256) == [Tile(0, 0), Tile(1, 0, 1)]
    assert tiles_between(0, 0) == tiles_between(300, 300) == []


def test_widths_are_those_of_the_size() -> None:
    assert [width_at(0, n, 300) for n in (0, 1, 2)] == [256, 44, 0]
    assert [width_at(ENTRIES, n, 300) for n in (0, 1, 2)] == [256, 44, 0]
    assert [width_at(1, 0, 255), width_at(1, 0, 256), width_at(2, 0, 65_536)] == [0, 1, 1]


@pytest.mark.parametrize(
    "sizes", [(1,), (255, 256), (1, 2, 257), (300, 511, 512, 513), (65_000, 65_535, 65_536, LARGE)]
)
def test_a_log_that_grows_writes_the_tiles_of_its_tree(sizes: tuple[int, ...]) -> None:
    files, size = stored(*sizes), sizes[-1]
    assert set(files.tiles) == set(tiles_between(0, size))
    assert all(data == tile_bytes(tile, TREE) for tile, data in files.tiles.items())
    assert tree_root(size, TileReader(files, size)) == tree_root(size, TREE)


def test_growing_writes_only_what_has_changed_and_reads_one_tile_of_a_level() -> None:
    files = stored(65_700)
    files.reads = 0
    written = grow(65_700, LEAVES[65_700:65_701], files)
    assert set(written) == set(tiles_between(65_700, 65_701)) == {Tile(0, 256, 165)}
    assert files.reads == 1
    assert grow(65_700, [], files) == {}


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 65_536, LARGE])
def test_proofs_from_tiles_are_those_of_the_tree(size: int) -> None:
    reader = TileReader(stored(size), size)
    for index in {0, size // 3, size - 1}:
        assert inclusion_proof(index, size, reader) == inclusion_proof(index, size, TREE)
    for old in {1, size // 2, size - 1, size}:
        assert consistency_proof(old, size, reader) == consistency_proof(old, size, TREE)


def test_a_proof_about_an_earlier_size_is_made_from_the_tiles_of_a_later_one() -> None:
    reader = TileReader(stored(1000), 1000)
    assert inclusion_proof(299, 300, reader) == inclusion_proof(299, 300, TREE)
    assert consistency_proof(255, 511, reader) == consistency_proof(255, 511, TREE)
    assert [tree_root(size, reader) for size in (1, 256, 999)] == [tree_root(size, TREE) for size in (1, 256, 999)]


@pytest.mark.parametrize("node", [Node(0, 300), Node(8, 1), Node(2, 75), Node(9, 0)])
def test_tiles_have_no_hash_beyond_the_log(node: Node) -> None:
    with pytest.raises(ValueError, match="has no"):
        TileReader(stored(300), 300).read([node])


@pytest.mark.parametrize("damage", [b"", bytes(HASH - 1), bytes(44 * HASH + 1), bytes(45 * HASH)])
def test_a_tile_of_another_length_is_refused(damage: bytes) -> None:
    files = stored(300)
    files.tiles[Tile(0, 1, 44)] = damage
    with pytest.raises(DecodeError):
        TileReader(files, 300).read([Node(0, 299)])
    with pytest.raises(DecodeError):
        grow(300, LEAVES[300:301], files)


def test_a_tile_is_read_once() -> None:
    files = stored(300)
    reader = TileReader(files, 300)
    reader.read([Node(0, 3), Node(1, 4), Node(0, 299), Node(5, 0)])
    assert files.reads == 2
    assert tile_hashes(files.tiles[Tile(0, 1, 44)], 44) == tuple(LEAVES[256:300])


@pytest.mark.parametrize("entries", [[b""], [b"one", b"", b"three"], [bytes(MAX_LOG_ENTRY)], [b"x"] * WIDTH])
def test_a_bundle_gives_its_entries_back(entries: list[bytes]) -> None:
    data = entry_bundle(entries)
    assert bundle_entries(data, len(entries)) == tuple(entries)
    assert data[:2] == len(entries[0]).to_bytes(2, "big")


def test_a_bundle_of_another_width_or_length_is_refused() -> None:
    data = entry_bundle([b"one", b"", b"three"])
    for width in (0, 1, 2):
        with pytest.raises(DecodeError, match="trailing-bytes"):
            bundle_entries(data, width)
    for damaged, width in [(data, 4), (data[:-1], 3), (data[:1], 1), (b"", 1), (b"\xff\xff", 1)]:
        with pytest.raises(DecodeError, match="malformed"):
            bundle_entries(damaged, width)


@pytest.mark.parametrize("entries", [[], [b"x"] * (WIDTH + 1), [bytes(MAX_LOG_ENTRY + 1)]])
def test_a_bundle_holds_only_what_its_format_can(entries: list[bytes]) -> None:
    with pytest.raises(ValueError, match="65,535 bytes"):
        entry_bundle(entries)


def test_an_entry_that_fits_a_bundle_stands_in_the_log_itself() -> None:
    largest = b"\x83" + bytes(MAX_LOG_ENTRY - 1)
    assert log_entry(largest) == largest
    assert entry_hash(largest) == leaf_hash(largest)


def test_a_larger_one_stands_there_by_its_digest() -> None:
    larger = b"\x83" + bytes(MAX_LOG_ENTRY)
    entry = log_entry(larger)
    assert entry.startswith(Context.LARGE_ENTRY.encode() + b"\x00")
    assert len(entry_bundle([entry])) < 100
    assert entry_hash(larger) == leaf_hash(entry)
    assert log_entry(larger + b"\x00") != entry


def test_a_digest_that_stands_for_a_larger_one_is_no_entry_itself() -> None:
    for hash_of in (log_entry, entry_hash):
        with pytest.raises(DecodeError):
            hash_of(log_entry(b"\x83" + bytes(MAX_LOG_ENTRY)))


def test_the_reasons_of_a_path_are_told() -> None:
    for path, reason in [
        ("tile/64/000", Reason.OUT_OF_RANGE),
        ("tile/0/0", Reason.NON_CANONICAL),
        ("file", Reason.MALFORMED),
    ]:
        with pytest.raises(DecodeError) as refused:
            parse_path(path)
        assert refused.value.reason is reason
