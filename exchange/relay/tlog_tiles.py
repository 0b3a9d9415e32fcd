"""The hash tiles of one log as files, under the paths of tlog-tiles, and the tree that they make up.

A tile is durable before the checkpoint that needs it is signed. What the files hold is held against the stored leaves
whenever a relay starts, and mended: the leaves are what counts, and a store that has fewer of them than the files is an
old one, with which nothing may be signed.
"""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from exchange.errors import NotFound, StoreFault
from exchange.process import write_durably
from keys.errors import BadProof
from keys.merkle import (
    Frontier,
    Proof,
    consistency_proof,
    inclusion_proof,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from keys.tiles import HASH, WIDTH, Tile, TileReader, entry_hash, grow
from schemas.ids import Digest

# A partial tile is removed when a wider one is there; whoever reads just then looks again.
_LOOKS = 3


class TileFiles:
    """The tiles in one folder; `keys.tiles.TileSource`. Raises StoreFault when the disk fails."""

    def __init__(self, folder: Path) -> None:
        """The log's folder, made when the first tile is written."""
        self._folder = folder

    def read(self, tile: Tile) -> bytes:
        """A tile's content, cut from a wider one if need be. Raises NotFound, or StoreFault for one that is damaged."""
        for _ in range(_LOOKS):
            path = self._path_of(tile)
            if path is None:
                break
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as fault:
                raise _failed(fault) from None
            if len(data) < tile.width * HASH:
                raise _damaged()
            return data[: tile.width * HASH]
        raise NotFound("no-such-tile", "this log has no such tile: see its checkpoint")

    def holds(self, tile: Tile, data: bytes) -> bool:
        """Whether exactly this stands at the tile's own path."""
        try:
            return (self._folder / tile.path).read_bytes() == data
        except OSError:
            return False

    def width(self, level: int, index: int) -> int:
        """How many hashes are there of a tile; 0 when there are none."""
        if (self._folder / Tile(level, index).path).exists():
            return WIDTH
        return max(self._widths(Tile(level, index)), default=0)

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        """Make tiles durable, then remove the narrower ones that they replace."""
        try:
            for tile, data in tiles.items():
                path = self._folder / tile.path
                _make_folder(path.parent)
                write_durably(path, data, 0o600)
            for tile in tiles:
                self._remove_narrower(tile)
        except OSError as fault:
            raise _failed(fault) from None

    def _path_of(self, tile: Tile) -> Path | None:
        full = self._folder / Tile(tile.level, tile.index).path
        if full.exists():
            return full
        wide = [width for width in self._widths(tile) if width >= tile.width]
        return self._folder / Tile(tile.level, tile.index, min(wide)).path if wide else None

    def _widths(self, tile: Tile) -> list[int]:
        """Of the partial tiles that are there."""
        folder = (self._folder / Tile(tile.level, tile.index, 1).path).parent
        try:
            return [int(name) for name in os.listdir(folder) if name.isascii() and name.isdigit()]  # noqa: PTH208  # names only
        except FileNotFoundError:
            return []

    def _remove_narrower(self, tile: Tile) -> None:
        for width in self._widths(tile):
            if width < tile.width:
                (self._folder / Tile(tile.level, tile.index, width).path).unlink(missing_ok=True)


class _Edge:
    """Partial tiles in memory, while the stored leaves are gone through."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], tuple[Tile, bytes]] = {}

    def read(self, tile: Tile) -> bytes:
        return self.tiles[tile.level, tile.index][1]

    def take(self, written: Mapping[Tile, bytes]) -> dict[Tile, bytes]:
        """Keep the partial ones; give those that are full and will not change any more."""
        full = {}
        for tile, data in written.items():
            if tile.width == WIDTH:
                full[tile] = data
                self.tiles.pop((tile.level, tile.index), None)
            else:
                self.tiles[tile.level, tile.index] = (tile, data)
        return full


class Tree:
    """The Merkle tree of one log. `append` has one caller; proofs about smaller sizes may be made meanwhile.

    Its root is kept apart from the files, and a proof is checked before it is given away: what a disk has spoilt since
    the start would look like a forked log. Such a fault is a StoreFault; at the next start the files are mended.
    """

    def __init__(self, files: TileFiles, frontier: Frontier, mended: int) -> None:
        """Use `load`."""
        self.files = files
        self.mended = mended
        self._frontier = frontier

    @classmethod
    async def load(cls, files: TileFiles, leaves: AsyncIterator[Sequence[bytes]]) -> "Tree":
        """The tree of all stored leaves; files that are missing or say otherwise are written anew.

        Raises StoreFault when the files hold more than these leaves.
        """
        frontier, mended, edge = Frontier(), 0, _Edge()
        async for batch in leaves:
            hashes = [entry_hash(leaf) for leaf in batch]
            written = grow(frontier.size, hashes, edge)
            mended += _mend(files, edge.take(written))
            frontier = frontier.extend(hashes)
        size = frontier.size
        if files.width(0, size // WIDTH) > size % WIDTH:
            raise StoreFault(
                "store-older-than-log",
                "the log's tiles hold more than the store: it is an old copy, with which nothing may be signed",
            )
        mended += _mend(files, dict(edge.tiles.values()))
        return cls(files, frontier, mended)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._frontier.size

    @property
    def head(self) -> Digest:
        """The root over all of them."""
        return self._frontier.root

    def append(self, leaves: Sequence[bytes]) -> None:
        """More leaves, durable when this returns. Raises StoreFault."""
        hashes = [entry_hash(leaf) for leaf in leaves]
        self.files.write(grow(self.size, hashes, self.files))
        self._frontier = self._frontier.extend(hashes)

    def root(self, size: int) -> Digest:
        """The root of the first `size` leaves, as the files have it."""
        return tree_root(size, TileReader(self.files, size))

    def consistency(self, old: int, new: int, root: Digest) -> Proof:
        """Proof that the log of `old` leaves is the beginning of that of `new`, whose root is known."""
        proof = consistency_proof(old, new, TileReader(self.files, new))
        try:
            verify_consistency(old, new, self.root(old), root, proof)
        except BadProof:
            raise _damaged() from None
        return proof

    def inclusion(self, leaf: bytes, index: int, size: int, root: Digest) -> Proof:
        """Proof that `leaf` is at `index` in the log of `size` leaves, whose root is known."""
        proof = inclusion_proof(index, size, TileReader(self.files, size))
        try:
            verify_inclusion(entry_hash(leaf), index, size, proof, root)
        except BadProof:
            raise _damaged() from None
        return proof


def _mend(files: TileFiles, tiles: Mapping[Tile, bytes]) -> int:
    missing = {tile: data for tile, data in tiles.items() if not files.holds(tile, data)}
    files.write(missing)
    return len(missing)


def _make_folder(folder: Path) -> None:
    """With the folders above it, each durable in the one above."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _damaged() -> StoreFault:
    return StoreFault("log-damaged", "a tile of the log is damaged: restart the relay, which writes it anew")


def _failed(fault: OSError) -> StoreFault:
    return StoreFault("store-failed", f"the log's tiles cannot be kept ({fault.strerror}): check the disk")
