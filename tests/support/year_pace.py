"""How many checkpoints a log of the relay signs at its real pace, by the relay's own rules for when one is due."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

from exchange.relay.limits import (
    CHECKPOINT_EVERY,
    CHECKPOINT_FIRST,
    CHECKPOINT_REFRESH,
    WITNESS_AGAIN,
    WITNESS_PATIENCE,
)
from exchange.relay.tlog_core import Pace, Step, Witness, Witnessing
from schemas.limits import DAY

MOST: Final = DAY // CHECKPOINT_EVERY
"""Of a log that never rests, a day."""
LEAST: Final = DAY // CHECKPOINT_REFRESH
"""Of a log that never grows, a day."""

_PACE: Final = Pace(first=CHECKPOINT_FIRST, every=CHECKPOINT_EVERY, patience=WITNESS_PATIENCE, again=WITNESS_AGAIN)
_ANYBODY: Final = Witness("XAA")


def spread(moments: Iterable[tuple[int, int]], within: int, seed: str) -> list[int]:
    """So many leaves at each moment, which came by chance within so many seconds after it."""
    random = Random(seed)
    return sorted(moment + random.randrange(within) for moment, count in moments for _ in range(count))


def checkpoints_by_day(grown: Sequence[int], begin: int, days: int) -> list[int]:
    """How many are signed on each day from `begin` on by a log that grew by a leaf at each of these moments.

    Witnesses answer at once.
    """
    rounds = Witnessing(_PACE, known=True)
    rounds.join(_ANYBODY)
    counts = [0] * days
    now, size, signed = float(begin), 1, float(begin) - CHECKPOINT_REFRESH
    while now < begin + days * DAY:
        while size <= len(grown) and grown[size - 1] <= now:
            size += 1
        if rounds.due(size, now, now - signed >= CHECKPOINT_REFRESH):
            _sign(rounds, size, now)
            counts[int(now - begin) // DAY] += 1
            signed = now
        following = grown[size - 1] if size <= len(grown) else begin + days * DAY
        due = rounds.wake_at(size, now, stale=False)
        now = min(moment for moment in (following, due, signed + CHECKPOINT_REFRESH) if moment > now)
    return counts


def _sign(rounds: Witnessing, size: int, now: float) -> None:
    rounds.begin(size, frozenset({_ANYBODY}), 1, now)
    rounds.asks(now)
    rounds.cosigned(_ANYBODY, counts=True)
    assert rounds.step(now) is Step.PUBLISH
