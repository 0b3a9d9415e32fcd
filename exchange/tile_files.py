"""The hash tiles of one log as files, under the paths of tlog-tiles; `exchange.audit.tree.Files`."""

import os
from collections.abc import Mapping
from pathlib import Path

from exchange.audit.tree import damaged
from exchange.errors import NotFound, StoreFault
from exchange.process import write_durably
from keys.tiles import HASH, WIDTH, Tile

# A partial tile is removed when a wider one is there; whoever reads just then looks again.
_LOOKS = 3


class TileFiles:
    """The tiles in one folder; `exchange.audit.tree.Files`. Raises StoreFault when the disk fails."""

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
                raise damaged()
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


def _failed(fault: OSError) -> StoreFault:
    return StoreFault("store-failed", f"the log's tiles cannot be kept ({fault.strerror}): check the disk")
