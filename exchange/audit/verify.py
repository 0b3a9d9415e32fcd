"""Verification of a whole audit log: the stored entries against everything that somebody else may hold of it.

What counts is hashes of leaves that others have (an anchor at the relay), then those in the log's own tiles, then
signed checkpoints. The first entry that is not what it was is named. Pages are checked as a whole; only a page with a
fault in it is gone through entry by entry.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Final, Protocol, cast

from exchange.audit.columns import Classes, Row, agree, differing
from exchange.audit.fault import Broken, Fault, Wrong
from exchange.audit.pruned import Gone
from keys.merkle import Frontier, leaf_hash
from schemas.ids import Digest

PAGE: Final = 1024
Told = Callable[[int, int], object]
"""Hears how many entries of how many are verified."""
_HASH: Final = 32


@dataclass(frozen=True, slots=True)
class Mark:
    """The root that somebody states over the first `size` entries; `who` for the reader."""

    size: int
    root: Digest
    who: str


class Reference(Protocol):
    """Hashes of leaves that somebody holds of the log."""

    @property
    def who(self) -> str:
        """For the reader."""
        ...

    @property
    def size(self) -> int:
        """Of how many entries."""
        ...

    @property
    def binding(self) -> bool:
        """Whether this is held by somebody else: then the entries are wrong, otherwise the reference may be."""
        ...

    def hashes(self, first: int, count: int) -> bytes:
        """Those of `count` entries from `first` on, fewer where it ends."""
        ...


class Source(Protocol):
    """The stored entries."""

    @property
    def classes(self) -> Classes:
        """The classes that rows name."""
        ...

    def page(self, first: int, end: int) -> Sequence[Row]:
        """Rows whose position is from `first` up to `end`, without it, in order."""
        ...

    def hashes(self, first: int, end: int) -> Sequence[bytes | None]:
        """What stands in the place of leaves that were pruned, for the same rows."""
        ...

    def positions(self, first: int, end: int) -> Sequence[int]:
        """Their positions."""
        ...

    @property
    def end(self) -> int:
        """Behind the last position."""
        ...


def silent(_done: int, _all: int) -> None:
    """Tells nobody."""


@dataclass(slots=True)
class Verifier:
    """One log. `references`: those of others first; `columns`: whether to compare them with the leaves, too.

    `pruned` and `lost`: how many entries have no leaf any more; `gone` judges them.
    """

    source: Source
    references: Sequence[Reference]
    marks: Sequence[Mark]
    frontier: Frontier = field(default_factory=Frontier)
    pruned: int = 0
    lost: int = 0
    columns: bool = True
    gone: Gone = field(default_factory=Gone)

    def run(self, told: Told = silent) -> Frontier:
        """Go from `frontier` to the end; what was verified. `told` hears how far it is. Raises Broken."""
        marks = sorted((mark for mark in self.marks if mark.size >= self.frontier.size), key=lambda mark: mark.size)
        good, place = self.frontier.size, 0
        while True:
            here = self.frontier.size
            while place < len(marks) and marks[place].size == here:
                self._check_mark(marks[place], good)
                good, place = here, place + 1
            if here >= self.source.end:
                break
            end = min(here + PAGE, self.source.end, marks[place].size if place < len(marks) else here + PAGE)
            self._page(here, end)
            told(end, self.source.end)
        self._check_end(marks[place:])
        return self.frontier

    def _page(self, first: int, end: int) -> None:
        rows = self.source.page(first, end)
        leaves = [row[4] for row in rows]
        if len(rows) != end - first or None in leaves:
            hashes = self._slow(rows, first, end)
        else:
            sha256 = hashlib.sha256
            # Digest is a call at run time, and this is done for every entry of a log.
            hashes = cast(list[Digest], [sha256(b"\x00" + leaf).digest() for leaf in leaves if leaf is not None])
        joined = b"".join(hashes)
        for reference in self.references:
            theirs = reference.hashes(first, end - first)
            if not joined.startswith(theirs):
                self._differs(reference, rows, hashes, theirs, first)
        self._columns(rows, first)
        self.frontier = self.frontier.extend(hashes)

    def _slow(self, rows: Sequence[Row], first: int, end: int) -> list[Digest]:
        """Hashes of a page in which some entries are missing or pruned."""
        if len(rows) != end - first:
            there = self.source.positions(first, end)
            gap = next((n for n, position in enumerate(there, first) if n != position), first + len(there))
            self._check_hashes(rows, self._hashes(rows[: gap - first], first, gap), first)
            self._differs_before(rows, first, gap)
            raise Broken(Fault(gap, Wrong.REMOVED, "the store has no such entry, and has later ones"))
        leafless = [index for index, row in enumerate(rows, first) if row[4] is None]
        lost = sum(map(self.gone.lost, leafless))
        self.lost += lost
        self.pruned += len(leafless) - lost
        hashes = self._hashes(rows, first, end)
        self._check_hashes(rows, hashes, first)
        return hashes

    def _hashes(self, rows: Sequence[Row], first: int, end: int) -> list[Digest]:
        held = self.source.hashes(first, end)
        pairs = zip(rows, held, strict=True)
        return [Digest(digest or b"") if row[4] is None else leaf_hash(row[4]) for row, digest in pairs]

    def _check_hashes(self, rows: Sequence[Row], hashes: Sequence[Digest], first: int) -> None:
        """Pages are compared as joined hashes: none may be of another length."""
        for place, digest in enumerate(hashes):
            if len(digest) != _HASH:
                self._differs_before(rows, first, first + place)
                raise Broken(Fault(first + place, Wrong.PRUNED, "what stands in the place of its leaf is no hash"))

    def _differs_before(self, rows: Sequence[Row], first: int, gap: int) -> None:
        """What is wrong in front of a gap comes first."""
        whole = rows[: gap - first]
        hashes = self._hashes(whole, first, gap)
        for reference in self.references:
            theirs = reference.hashes(first, gap - first)
            if not b"".join(hashes).startswith(theirs):
                self._differs(reference, whole, hashes, theirs, first)
        self._columns(whole, first)

    def _differs(
        self, reference: Reference, rows: Sequence[Row], hashes: Sequence[Digest], theirs: bytes, first: int
    ) -> None:
        """Raise for the first entry that a reference has otherwise, or for a column that differs before it."""
        at = next(n for n in range(len(hashes)) if theirs[n * _HASH : (n + 1) * _HASH] not in (hashes[n], b""))
        self._columns(rows[:at], first)
        index = first + at
        if not reference.binding and any(other.binding and other.size > index for other in self.references):
            raise Broken(Fault(index, Wrong.TILE, f"{reference.who} have another hash than what is anchored of it"))
        raise Broken(self._named(reference, index))

    def _named(self, reference: Reference, index: int) -> Fault:
        """Whether an entry was changed, removed, inserted or moved: by where its hash and the one held stand now."""
        ours, theirs = next(self._ours(index)), reference.hashes(index, 1)
        moved = _place(_theirs(reference, index), ours)
        held = _place(self._ours(index), theirs)
        if moved and held:
            return Fault(index, Wrong.REORDERED, f"by {reference.who} it is entry {index + moved}")
        if moved:
            last = f" to {index + moved - 1}" if moved > 1 else ""
            return Fault(index, Wrong.REMOVED, f"{reference.who} have it{last}; what stands here is a later entry")
        if held:
            last = f" to {index + held - 1}" if held > 1 else ""
            return Fault(index, Wrong.INSERTED, f"{reference.who} do not have it{last}; what they have follows")
        return Fault(index, Wrong.CHANGED, f"{reference.who} have another hash of it")

    def _ours(self, first: int) -> Iterator[Digest]:
        while rows := self.source.page(first, first + PAGE):
            yield from self._hashes(rows, first, first + PAGE)
            first += PAGE

    def _columns(self, rows: Sequence[Row], first: int) -> None:
        found = [_gone_fault(rows, first, self.gone, self.source.classes)]
        if self.columns:
            found.append(_column_fault(rows, first, self.source.classes))
        faults = [fault for fault in found if fault is not None]
        if faults:
            raise Broken(min(faults, key=lambda fault: fault.index))

    def _check_mark(self, mark: Mark, good: int) -> None:
        if self.frontier.root == mark.root:
            return
        detail = f"{mark.who} over {mark.size} entries has another root"
        if any(reference.size >= mark.size for reference in self.references):
            by = next(reference.who for reference in self.references if reference.size >= mark.size)
            raise Broken(Fault(max(mark.size - 1, 0), Wrong.CHECKPOINT, f"{detail} than by {by}"))
        raise Broken(Fault(good, Wrong.CHECKPOINT, detail, max(mark.size - 1, good)))

    def _check_end(self, beyond: Sequence[Mark]) -> None:
        """Nobody knows of more entries than there are."""
        size = self.frontier.size
        for reference in self.references:
            if reference.size > size:
                raise Broken(Fault(size, Wrong.REMOVED, f"{reference.who} have it, and the store ends before it"))
        if beyond:
            raise Broken(
                Fault(
                    size, Wrong.REMOVED, f"{beyond[0].who} is over {beyond[0].size} entries; the store ends before it"
                )
            )


def first_column_fault(source: Source, first: int, end: int) -> Fault | None:
    """The first of these entries whose columns say otherwise than its leaf, whatever its leaf is."""
    for place in range(first, end, PAGE):
        rows = source.page(place, min(place + PAGE, end))
        if fault := _column_fault(rows, place, source.classes):
            return fault
    return None


def _column_fault(rows: Sequence[Row], first: int, classes: Classes) -> Fault | None:
    if agree(rows, classes):
        return None
    for index, row in enumerate(rows, first):
        found = differing(row, classes)
        if found == "leaf":
            return Fault(index, Wrong.UNREADABLE, "its leaf is no entry of an audit log")
        if found is not None:
            return Fault(index, Wrong.INDEX, f"the column {found} says otherwise than its leaf")
    return None


def _gone_fault(rows: Sequence[Row], first: int, gone: Gone, classes: Classes) -> Fault | None:
    if not rows or (None not in [row[4] for row in rows] and gone.silent_on(first, map(itemgetter(1), rows))):
        return None
    kept = {number for number, (kind, *_) in classes.items() if kind in gone.kept}
    for index, row in enumerate(rows, first):
        if found := gone.fault(index, row[1], row[4] is None, row[0] in kept):
            return Fault(found[0], Wrong.PRUNED, found[1])
    return None


def _theirs(reference: Reference, first: int) -> Iterator[bytes]:
    while page := reference.hashes(first, PAGE):
        yield from (page[place : place + _HASH] for place in range(0, len(page), _HASH))
        first += PAGE


def _place(hashes: Iterator[bytes], wanted: bytes) -> int:
    """How far behind the first of them a hash stands; 0: nowhere."""
    return next((place for place, found in enumerate(islice(hashes, 1, None), 1) if found == wanted), 0)
