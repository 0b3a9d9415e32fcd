"""The cosigned checkpoints of the directory that a node has kept, and what they say of its size at a time. Pure."""

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence

from exchange.storage.trust_port import KeptCheckpoint
from schemas.limits import MERGE_DELAY


class History:
    """All checkpoints that are kept, and which size the directory had for sure at a time."""

    def __init__(self, kept: Iterable[KeptCheckpoint]) -> None:
        """In any order."""
        self._kept = {checkpoint.size: checkpoint for checkpoint in kept}
        self._by_time = sorted((checkpoint.first, checkpoint.size) for checkpoint in self._kept.values())

    @property
    def newest(self) -> KeptCheckpoint | None:
        """The largest one."""
        return self._kept[max(self._kept)] if self._kept else None

    def keep(self, checkpoint: KeptCheckpoint) -> None:
        """One more, or a later note of the same size."""
        known = self._kept.get(checkpoint.size)
        if known is None:
            insort(self._by_time, (checkpoint.first, checkpoint.size))
            self._kept[checkpoint.size] = checkpoint
        elif checkpoint.latest > known.latest:
            first_note = known.first_note or known.note
            self._kept[checkpoint.size] = KeptCheckpoint(
                known.size, known.root, known.first, checkpoint.latest, checkpoint.note, first_note
            )

    def least_size(self, time: int) -> int:
        """The size at a time: a quorum had cosigned it, and the merge delay had passed. 0 when nothing is known."""
        place = bisect_right(self._by_time, (time - MERGE_DELAY - 1, 2**63))
        # Times and sizes grow together, but for the clocks of those who cosigned.
        return max((size for _, size in self._by_time[:place][-_LOOKED_AT:]), default=0)

    def before(self, indexes: Iterable[int]) -> frozenset[int]:
        """For each of these entries the size of the largest checkpoint that does not have it yet."""
        return _last_before(sorted(self._kept), indexes)

    def notes_before(self, indexes: Iterable[int]) -> tuple[bytes, ...]:
        """Of those with a note the same, smallest first: by them a quorum had not seen these entries yet."""
        noted = {size: kept.note for size, kept in sorted(self._kept.items()) if kept.note is not None}
        sizes = _last_before(list(noted), indexes)
        return tuple(note for size, note in noted.items() if size in sizes)

    def proof(self, size: int, time: int) -> bytes | None:
        """A note by which a decision at `time` under a directory of `size` was out of date; None: none is kept."""
        for first, larger in reversed(self._by_time):
            if first + MERGE_DELAY < time and larger > size:
                kept = self._kept[larger]
                note = kept.first_note or kept.note
                if note is not None:
                    return note
        return None


# How many checkpoints may overtake each other within the difference of clocks: one every ten seconds.
_LOOKED_AT = 64


def _last_before(sizes: Sequence[int], indexes: Iterable[int]) -> frozenset[int]:
    places = (bisect_right(sizes, index) for index in indexes)
    return frozenset(sizes[place - 1] for place in places if place)
