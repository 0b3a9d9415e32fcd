"""A log as static files: the paths and contents of hash tiles and entry bundles (C2SP tlog-tiles).

A tile holds up to 256 hashes of one level of tiles; each is the root over a full tile of the level below, at level 0 a
leaf. An entry bundle holds the entries under one tile of level 0. Both have a path; what lies there never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keys.digests import sha256
from keys.lines import decimal
from keys.merkle import HashReader, Node, fold, leaf_hash
from schemas.contexts import Context, framed
from schemas.errors import DecodeError, Reason
from schemas.ids import Digest
from schemas.limits import MAX_LOG_ENTRY, MAX_TREE_SIZE

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
MAX_LEVEL: Final = 63
ENTRIES: Final = -1
"""The level of entry bundles, which lie beside those of level 0."""
HASH: Final = 32

_STANDS_FOR: Final = framed(Context.LARGE_ENTRY)
_MAX_INDEX: Final = MAX_TREE_SIZE // WIDTH
_MAX_GROUPS: Final = -(-len(str(_MAX_INDEX)) // 3)
_LONGEST: Final = len("tile/entries/") + 5 * _MAX_GROUPS + len(".p/255")


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile, or one bundle (level ENTRIES), of `width` items; a partial one has fewer than 256.

    Raises DecodeError (out-of-range) when there can be no such tile.
    """

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        """Within the bounds of the format."""
        if not (ENTRIES <= self.level <= MAX_LEVEL and 0 <= self.index <= _MAX_INDEX and 1 <= self.width <= WIDTH):
            raise DecodeError(Reason.OUT_OF_RANGE, "Tile")

    @property
    def start(self) -> int:
        """The first item's place in its level."""
        return self.index * WIDTH

    @property
    def path(self) -> str:
        """Below the log's prefix, without a slash in front."""
        groups = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_path(path: str) -> Tile:
    """The tile at a path, of which there is one for each tile. Raises DecodeError."""
    parts = path.split("/")
    # Checked before the numbers are read, so that a long path costs nothing.
    if len(path) > _LONGEST or len(parts) < 3 or parts[0] != "tile":
        raise DecodeError(Reason.MALFORMED, "Tile.path")
    level = ENTRIES if parts[1] == "entries" else decimal(parts[1], "Tile.level")
    width, groups = WIDTH, parts[2:]
    if groups[-2:-1] and groups[-2].endswith(".p"):
        width = decimal(groups[-1], "Tile.width")
        groups = [*groups[:-2], groups[-2].removesuffix(".p")]
    digits = "".join(group.removeprefix("x") for group in groups)
    if not (digits.isascii() and digits.isdigit()):
        raise DecodeError(Reason.MALFORMED, "Tile.index")
    tile = Tile(level, int(digits), width)
    if tile.path != path:
        raise DecodeError(Reason.NON_CANONICAL, "Tile.path")
    return tile


def width_at(level: int, index: int, size: int) -> int:
    """How many items the tile (level ENTRIES: the bundle) has in a log of `size` entries; 0: there is none."""
    return max(0, min(WIDTH, (size >> HEIGHT * max(level, 0)) - index * WIDTH))


def tiles_between(old: int, new: int) -> list[Tile]:
    """The hash tiles of a log of `new` entries that one of `old` does not have, level by level.

    The bundles to write are those beside the tiles of level 0.
    """
    tiles = []
    for level in range(MAX_LEVEL + 1):
        before, after = old >> HEIGHT * level, new >> HEIGHT * level
        if before >= after:
            break
        tiles += [Tile(level, n, width_at(level, n, new)) for n in range(before // WIDTH, -(-after // WIDTH))]
    return tiles


def tile_bytes(tile: Tile, reader: HashReader) -> bytes:
    """The content of a hash tile."""
    nodes = [Node(HEIGHT * tile.level, tile.start + place) for place in range(tile.width)]
    return b"".join(reader.read(nodes))


def tile_hashes(data: bytes, width: int) -> tuple[Digest, ...]:
    """The hashes of a hash tile of this width. Raises DecodeError."""
    if len(data) != width * HASH:
        raise DecodeError(Reason.MALFORMED, "Tile.hashes")
    return tuple(Digest(data[place : place + HASH]) for place in range(0, len(data), HASH))


class TileSource(Protocol):
    """Where the tiles of a log are kept."""

    def read(self, tile: Tile) -> bytes:
        """Its content, exactly of its width: whoever keeps only the full tile cuts it."""
        ...


class TileReader:
    """A `HashReader` over the tiles of a log of `size` entries. Keeps every tile that it has read: make one for a job.

    Raises DecodeError for a tile of the wrong length, and whatever the source raises.
    """

    def __init__(self, source: TileSource, size: int) -> None:
        """Nothing is read yet."""
        self._source = source
        self._size = size
        self._tiles: dict[Tile, tuple[Digest, ...]] = {}

    def read(self, nodes: Sequence[Node]) -> list[Digest]:
        """The hash of each node; ValueError for one that the log does not have."""
        return [self._hash(node) for node in nodes]

    def _hash(self, node: Node) -> Digest:
        level, height = divmod(node.level, HEIGHT)
        start, count = node.place << height, 1 << height
        index, place = divmod(start, WIDTH)
        width = width_at(level, index, self._size)
        if place + count > width:
            raise ValueError(f"a log of {self._size} entries has no {node}")
        hashes = self._tile(Tile(level, index, width))[place : place + count]
        # Halves are folded from the left: a complete subtree over a power of two.
        while len(hashes) > 1:
            hashes = tuple(fold(hashes[i : i + 2]) for i in range(0, len(hashes), 2))
        return hashes[0]

    def _tile(self, tile: Tile) -> tuple[Digest, ...]:
        if tile not in self._tiles:
            self._tiles[tile] = tile_hashes(self._source.read(tile), tile.width)
        return self._tiles[tile]


def grow(size: int, leaves: Sequence[Digest], source: TileSource) -> dict[Tile, bytes]:
    """The hash tiles to write when `leaves` are appended to a log of `size`; reads at most one tile of each level."""
    written: dict[Tile, bytes] = {}
    added = list(leaves)
    for level in range(MAX_LEVEL + 1):
        if not added:
            break
        index, width = divmod(size >> HEIGHT * level, WIDTH)
        if width:
            added = [*tile_hashes(source.read(Tile(level, index, width)), width), *added]
        chunks = [added[place : place + WIDTH] for place in range(0, len(added), WIDTH)]
        for number, chunk in enumerate(chunks, index):
            written[Tile(level, number, len(chunk))] = b"".join(chunk)
        added = [_full_root(chunk) for chunk in chunks if len(chunk) == WIDTH]
    return written


def entry_bundle(entries: Sequence[bytes]) -> bytes:
    """The content of a bundle of these log entries (see `log_entry`): each after its length in two bytes."""
    if not 1 <= len(entries) <= WIDTH or any(len(entry) > MAX_LOG_ENTRY for entry in entries):
        raise ValueError("a bundle holds 1 to 256 entries of at most 65,535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def bundle_entries(data: bytes, width: int) -> tuple[bytes, ...]:
    """The log entries of a bundle of this width. Raises DecodeError."""
    entries = []
    place = 0
    for _ in range(width):
        start = place + 2
        place = start + int.from_bytes(data[place:start], "big")
        if start > len(data) or place > len(data):
            raise DecodeError(Reason.MALFORMED, "Bundle.entries")
        entries.append(data[start:place])
    if place != len(data):
        raise DecodeError(Reason.TRAILING_BYTES, "Bundle.entries")
    return tuple(entries)


def log_entry(data: bytes) -> bytes:
    """What stands in a log for `data`: itself, or its digest under a label when no bundle could carry it.

    Raises DecodeError for `data` that is such a digest under its label: it would have the hash of what it stands for,
    and whoever took the one for the other could say that the log holds an entry that breaks every rule.
    """
    if len(data) > MAX_LOG_ENTRY:
        return framed(Context.LARGE_ENTRY, sha256(data))
    if data.startswith(_STANDS_FOR):
        raise DecodeError(Reason.CONTRADICTION, "entry")
    return data


def entry_hash(data: bytes) -> Digest:
    """The leaf hash of `data` in a log. Raises DecodeError as `log_entry`."""
    return leaf_hash(log_entry(data))


def _full_root(hashes: Sequence[Digest]) -> Digest:
    while len(hashes) > 1:
        hashes = [fold(hashes[i : i + 2]) for i in range(0, len(hashes), 2)]
    return hashes[0]
