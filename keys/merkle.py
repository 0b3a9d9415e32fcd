"""Merkle trees of RFC 6962 section 2.1 over SHA-256: hashes, roots, proofs made and proofs checked.

A tree is known by the hashes of its complete subtrees; those of any tree of n leaves are part of every larger one.
Proofs are made from such hashes through a `HashReader`, whatever keeps them, and checked without one, by the steps of
RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, cast

from keys.errors import BadProof
from schemas.ids import Digest

Proof = tuple[Digest, ...]
"""Hashes from the bottom to the top, as RFC 6962 orders them."""

EMPTY_ROOT: Final = Digest(hashlib.sha256(b"").digest())


class Node(NamedTuple):
    """The complete subtree over the leaves `place << level` up to, without it, `(place + 1) << level`."""

    level: int
    place: int


class HashReader(Protocol):
    """Where the hashes of complete subtrees come from."""

    def read(self, nodes: Sequence[Node]) -> Sequence[Digest]:
        """The hash of each node, in the order asked for; all lie within the tree that the caller names."""
        ...


def leaf_hash(data: bytes) -> Digest:
    """The hash of a leaf with this content."""
    return Digest(hashlib.sha256(b"\x00" + data).digest())


def node_hash(left: bytes, right: bytes) -> Digest:
    """The hash of an inner node."""
    return Digest(hashlib.sha256(b"\x01" + left + right).digest())


def fold(hashes: Sequence[Digest]) -> Digest:
    """The root over complete subtrees of descending size, from left to right; at least one."""
    *others, root = hashes
    for left in reversed(others):
        root = node_hash(left, root)
    return root


def cover(start: int, end: int) -> list[Node]:
    """The largest complete subtrees that make up leaves `start` to `end` (exclusive), from left to right."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def tree_root(size: int, reader: HashReader) -> Digest:
    """The root of the first `size` leaves."""
    return _subtree_roots([(0, size)], reader)[0] if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, reader: HashReader) -> Proof:
    """Proof that leaf `index` is in the tree of `size` leaves (RFC 6962 section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    ranges = []
    start, end = 0, size
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    return _subtree_roots(ranges[::-1], reader)


def consistency_proof(old: int, new: int, reader: HashReader) -> Proof:
    """Proof that the tree of `old` leaves is the beginning of that of `new` (RFC 6962 section 2.1.2).

    It is empty when `old` is 0 or `new`: then there is nothing to prove.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {old} leaves does not begin one of {new}")
    if old == 0:
        return ()
    ranges = []
    start, end = 0, new
    while end != old:
        split = start + _split(end - start)
        if old <= split:
            ranges.append((split, end))
            end = split
        else:
            ranges.append((start, split))
            start = split
    # A subtree that begins at 0 is the old tree itself, whose root the verifier has.
    if start:
        ranges.append((start, end))
    return _subtree_roots(ranges[::-1], reader)


def verify_inclusion(leaf: Digest, index: int, size: int, proof: Proof, root: Digest) -> None:
    """RFC 9162 section 2.1.3.2. Raises BadProof."""
    if not 0 <= index < size:
        raise BadProof("an inclusion proof is about a place outside of its tree")
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("an inclusion proof has too many hashes")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or found != root:
        raise BadProof("an inclusion proof does not lead to the root: do not use the entry")


def verify_consistency(old: int, new: int, old_root: Digest, new_root: Digest, proof: Proof) -> None:
    """RFC 9162 section 2.1.4.2, with the cases that it leaves out: no leaves before, or none added. Raises BadProof."""
    if not 0 <= old <= new:
        raise BadProof("a consistency proof leads from a larger tree to a smaller one")
    if old in (0, new):
        if proof or (old == 0 and old_root != EMPTY_ROOT) or (old == new and old_root != new_root):
            raise BadProof("two trees of one size are not the same, or need no proof")
        return
    path = list(proof if old & (old - 1) else (old_root, *proof))
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    if not path:
        raise BadProof("a consistency proof is empty")
    found_old = found_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BadProof("a consistency proof has too many hashes")
        if place & 1 or place == last:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found_new = node_hash(found_new, sibling)
        place, last = place >> 1, last >> 1
    if last != 0 or found_old != old_root or found_new != new_root:
        raise BadProof("a consistency proof does not lead to both roots: the log may have been rewritten")


@dataclass(frozen=True, slots=True)
class Frontier:
    """The least that a tree grows from: its size and the hashes of the complete subtrees that make it up."""

    size: int = 0
    hashes: tuple[Digest, ...] = ()

    def __post_init__(self) -> None:
        """One hash for each bit that is set in the size."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError("a frontier has one hash for each bit set in its size")

    @classmethod
    def of(cls, size: int, reader: HashReader) -> "Frontier":
        """That of a stored tree."""
        return cls(size, tuple(reader.read(cover(0, size))))

    def append(self, leaf: Digest) -> "Frontier":
        """With one leaf more; as many hashes are made as complete subtrees become part of a larger one."""
        hashes, size = list(self.hashes), self.size
        while size & 1:
            leaf, size = node_hash(hashes.pop(), leaf), size >> 1
        return Frontier(self.size + 1, (*hashes, leaf))

    def extend(self, leaves: Iterable[Digest]) -> "Frontier":
        """With more leaves; level by level, since who verifies a log of millions does hardly anything else."""
        sha256 = hashlib.sha256
        added, kept, rest, left = list(leaves), list(self.hashes), self.size, []
        size = rest + len(added)
        while rest or added:
            if rest & 1:
                added.insert(0, kept.pop())
            if len(added) & 1:
                left.append(added.pop())
            pairs = iter(added)
            joined = [sha256(b"\x01" + one + two).digest() for one, two in zip(pairs, pairs, strict=True)]
            added = cast(list[Digest], joined)
            rest >>= 1
        return Frontier(size, tuple(reversed(left)))

    @property
    def root(self) -> Digest:
        """The root."""
        return fold(self.hashes) if self.hashes else EMPTY_ROOT


class MemoryTree:
    """A `HashReader` that holds every hash: for who replays a log, to have the root at any earlier size."""

    def __init__(self, leaves: Iterable[Digest] = ()) -> None:
        """A tree over these leaves."""
        self._levels: list[list[Digest]] = [[]]
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0])

    def append(self, leaf: Digest) -> None:
        """Add one leaf."""
        for level in self._levels:
            level.append(leaf)
            if len(level) & 1:
                return
            leaf = node_hash(level[-2], level[-1])
        self._levels.append([leaf])

    def grown(self, leaves: Iterable[Digest]) -> "MemoryTree":
        """Another tree, with more leaves; this one stays as it is."""
        other = MemoryTree()
        other._levels = [list(level) for level in self._levels]
        for leaf in leaves:
            other.append(leaf)
        return other

    def read(self, nodes: Sequence[Node]) -> list[Digest]:
        """The hash of each node."""
        return [self._levels[node.level][node.place] for node in nodes]


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree_roots(ranges: list[tuple[int, int]], reader: HashReader) -> Proof:
    covers = [cover(start, end) for start, end in ranges]
    hashes = iter(reader.read([node for nodes in covers for node in nodes]))
    return tuple(fold([next(hashes) for _ in nodes]) for nodes in covers)
