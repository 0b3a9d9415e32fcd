"""The Merkle tree of one log of a relay or of a node, over hash tiles that somebody keeps.

A tile is durable before the checkpoint that needs it is signed. What the tiles hold is held against the stored leaves
whenever a process starts, and mended: the leaves are what counts, and a store that has fewer of them than the tiles is
an old one, with which nothing may be signed.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from exchange.errors import StoreFault
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
from keys.tiles import WIDTH, Tile, TileReader, entry_hash, grow
from schemas.ids import Digest


class Files(Protocol):
    """Where the tiles are kept (`exchange.tile_files`). Each method raises StoreFault when the disk fails."""

    def read(self, tile: Tile) -> bytes:
        """A tile's content, cut from a wider one if need be. Raises NotFound, or StoreFault for one that is damaged."""
        ...

    def holds(self, tile: Tile, data: bytes) -> bool:
        """Whether exactly this stands at the tile's own path."""
        ...

    def width(self, level: int, index: int) -> int:
        """How many hashes are there of a tile; 0 when there are none."""
        ...

    def write(self, tiles: Mapping[Tile, bytes]) -> None:
        """Make tiles durable, then remove the narrower ones that they replace."""
        ...


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

    def __init__(self, files: Files, frontier: Frontier, mended: int) -> None:
        """Use `load`."""
        self.files = files
        self.mended = mended
        self._frontier = frontier

    @classmethod
    async def load(cls, files: Files, leaves: AsyncIterator[Sequence[bytes]]) -> "Tree":
        """The tree of all stored leaves; files that are missing or say otherwise are written anew.

        Raises StoreFault when the files hold more than these leaves.
        """
        return await cls.load_hashes(files, _hashes(leaves))

    @classmethod
    async def load_hashes(cls, files: Files, hashes_in_order: AsyncIterator[Sequence[Digest]]) -> "Tree":
        """The same by the hashes of the leaves, some of which may not be there any more."""
        frontier, mended, edge = Frontier(), 0, _Edge()
        async for hashes in hashes_in_order:
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
        self.append_hashes([entry_hash(leaf) for leaf in leaves])

    def append_hashes(self, hashes: Sequence[Digest]) -> None:
        """The same by their hashes."""
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
            raise damaged() from None
        return proof

    def inclusion(self, leaf: bytes, index: int, size: int, root: Digest) -> Proof:
        """Proof that `leaf` is at `index` in the log of `size` leaves, whose root is known."""
        proof = inclusion_proof(index, size, TileReader(self.files, size))
        try:
            verify_inclusion(entry_hash(leaf), index, size, proof, root)
        except BadProof:
            raise damaged() from None
        return proof


async def _hashes(leaves: AsyncIterator[Sequence[bytes]]) -> AsyncIterator[Sequence[Digest]]:
    async for batch in leaves:
        yield [entry_hash(leaf) for leaf in batch]


def _mend(files: Files, tiles: Mapping[Tile, bytes]) -> int:
    missing = {tile: data for tile, data in tiles.items() if not files.holds(tile, data)}
    files.write(missing)
    return len(missing)


def damaged() -> StoreFault:
    """A tile is not what it was: to be raised."""
    return StoreFault("log-damaged", "a tile of the log is damaged: start the process anew, which writes it again")
