"""When a log's checkpoint is signed, which witnesses are asked for it and when it is published. Pure.

A round is one checkpoint on its way to the witnesses. It is published as soon as the quorum has cosigned it, and it
stays open a while for those that answer late; who does not answer holds up nobody. A log that has grown begins the next
round, but not while an answer to an unpublished one may still come: else a log that never rests would be published
never. Moments are seconds of a clock that only goes forward.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NewType

Witness = NewType("Witness", str)
"""A member's code, or the address of a witness of others."""

# A witness that has cosigned a checkpoint in between answers with its size, once or twice in a round; one that does it
# for ever is left alone for a while.
_MAX_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds.

    Attributes:
        first: between two rounds, at least, before anything was ever published: until then nobody can do anything.
        every: between two rounds, at least, from then on.
        patience: for one answer, and for a round that has not reached its quorum.
        again: until a witness that did not answer, or could not, is asked again.
    """

    first: float
    every: float
    patience: float
    again: float


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask this witness for the round's checkpoint, with the proof from the size that it is thought to have."""

    witness: Witness
    old: int


class Step(Enum):
    """What a round has come to."""

    WAIT = auto()
    PUBLISH = auto()
    """The quorum is there: the note is to be published, or published again with the cosignatures that came late."""


@dataclass(slots=True)
class _Asked:
    """One witness in a round: until when nothing is asked of it, whether that is for an answer, how often it was."""

    until: float
    waiting: bool
    tries: int


class Witnessing:
    """The rounds of one log."""

    def __init__(self, pace: Pace, known: bool) -> None:
        """No round yet, no witness here; `known`: something was published before."""
        self._pace = pace
        self._known = known
        self._here: set[Witness] = set()
        self._sizes: dict[Witness, int] = {}
        self._size: int | None = None
        self._began = 0.0
        self._panel: frozenset[Witness] = frozenset()
        self._asked: dict[Witness, _Asked] = {}
        self._cosigned: dict[Witness, bool] = {}
        self._needed = 0
        self._told = 0

    # Witnesses.

    def join(self, witness: Witness) -> None:
        """It can be asked from now on; whatever it was asked before is forgotten."""
        self._here.add(witness)
        self._asked.pop(witness, None)

    def leave(self, witness: Witness) -> None:
        """It cannot be asked any more."""
        self._here.discard(witness)

    def knows(self, witness: Witness, size: int) -> None:
        """The newest checkpoint that this witness has cosigned, as far as is known: a hint, not believed."""
        self._sizes[witness] = size

    # Rounds.

    @property
    def size(self) -> int | None:
        """The size of the round's checkpoint; None before the first round."""
        return self._size

    @property
    def published(self) -> bool:
        """Whether the round's checkpoint has been published."""
        return self._told > 0

    def due(self, size: int, now: float, stale: bool) -> bool:
        """Whether a new round is due for a log of `size` leaves; an empty log has none.

        `stale`: the cosignatures of the round are so old that even a log that has not grown is to be cosigned anew.
        """
        return size > 0 and self._due_at(size, stale) <= now

    def _due_at(self, size: int, stale: bool) -> float:
        if self._size is None:
            return 0.0
        if size == self._size and not stale:
            return float("inf")
        due = self._began + (self._pace.every if self._known else self._pace.first)
        if not self.published and self._under_way():
            due = max(due, self._began + self._pace.patience)
        return due

    def begin(self, size: int, panel: frozenset[Witness], needed: int, now: float) -> None:
        """A round for the checkpoint of `size`: who of `panel` is here is asked, and `needed` that count publish it."""
        self._size = size
        self._panel = panel
        self._needed = needed
        self._began = now
        self._asked.clear()
        self._cosigned.clear()
        self._told = 0

    def asks(self, now: float) -> tuple[Ask, ...]:
        """Whom to ask now; each is asked once, until it has answered or its time is over."""
        if self._size is None or (self.published and now >= self._began + self._pace.patience):
            return ()
        found = []
        for witness in sorted((self._here & self._panel) - self._cosigned.keys()):
            asked = self._asked.setdefault(witness, _Asked(now, False, 0))
            if asked.until > now:
                continue
            if asked.waiting:
                self._put_off(asked, now)
                continue
            self._asked[witness] = _Asked(now + self._pace.patience, True, asked.tries + 1)
            found.append(Ask(witness, min(self._sizes.get(witness, 0), self._size)))
        return tuple(found)

    def expects(self, witness: Witness, size: int) -> bool:
        """Whether this witness was asked for a checkpoint of this size and has not answered yet."""
        asked = self._asked.get(witness)
        return size == self._size and asked is not None and asked.waiting

    def cosigned(self, witness: Witness, counts: bool) -> None:
        """Its cosignature holds; `counts` towards the quorum, or it is only kept."""
        self._asked.pop(witness, None)
        self._cosigned[witness] = counts
        if self._size is not None:
            self._sizes[witness] = self._size

    def other_size(self, witness: Witness, size: int, now: float) -> None:
        """It has cosigned a checkpoint of another size: ask again from there."""
        asked = self._asked.get(witness)
        self._sizes[witness] = size
        if asked is not None and asked.tries < _MAX_TRIES:
            asked.waiting, asked.until = False, now
        elif asked is not None:
            self._put_off(asked, now)

    def refused(self, witness: Witness, now: float) -> None:
        """It did not cosign, or what it sent does not hold."""
        asked = self._asked.get(witness)
        if asked is not None:
            self._put_off(asked, now)

    def _put_off(self, asked: _Asked, now: float) -> None:
        asked.waiting, asked.until, asked.tries = False, now + self._pace.again, 0

    def step(self, now: float) -> Step:
        """What is to be done with what has been cosigned so far; `PUBLISH` is told once for each note."""
        counted = sum(self._cosigned.values())
        if self._size is None or counted < self._needed or not counted:
            return Step.WAIT
        late = len(self._cosigned) > self._told
        if self.published and not (late and self._complete(now)):
            return Step.WAIT
        self._told = len(self._cosigned)
        self._known = True
        return Step.PUBLISH

    def not_published(self) -> None:
        """What was to be published could not be kept: `step` tells it again."""
        self._told = 0

    def _complete(self, now: float) -> bool:
        """Nobody who is here may still answer in time."""
        over = now >= self._began + self._pace.patience
        return over or not self._under_way()

    def _under_way(self) -> bool:
        return any(asked.waiting and witness in self._here for witness, asked in self._asked.items())

    def wake_at(self, size: int, now: float, stale: bool) -> float:
        """The next moment at which something is due for a log of `size` leaves, if nothing happens before."""
        moments = [self._due_at(size, stale)] if size else []
        if self._size is not None:
            end = self._began + self._pace.patience
            if not self.published:
                moments += [asked.until for witness, asked in self._asked.items() if witness in self._here]
            elif now < end:
                moments.append(end)
        return min(moments, default=float("inf"))
