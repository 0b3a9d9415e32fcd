"""Accounting of one numbered stream at its receiver (docs/protocol.md, "Streams and numbers"). Pure.

A number is settled by an envelope that carried it or by the sender's void. A missing number is an alarm only after a
deadline: envelopes may arrive in any order, and the more urgent ones overtake.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Final

from schemas.limits import MAX_NUMBER

# A sender that jumps ahead further than this is at fault or hostile; the set of open numbers has to stay small.
MAX_OPEN: Final = 10_000
# Streams of one sender whose account is kept: one for its messages, and a new one each time it was restored. A sender
# could begin one with every envelope; beyond this its account is its own loss.
MAX_STREAMS: Final = 64


@dataclass(frozen=True, slots=True)
class StreamState:
    """What a receiver knows of one stream.

    Attributes:
        floor: every number up to it is settled.
        above: settled numbers above the floor.
        top: the highest number known to be used, from envelopes and heads.
        gaps: pairs (last, since), both ascending: what is missing up to `last`, and above the pair before, has been
            since then (Unix seconds). A pair without a missing number is dropped.
    """

    floor: int = 0
    above: frozenset[int] = frozenset()
    top: int = 0
    gaps: tuple[tuple[int, int], ...] = ()

    def missing(self) -> tuple[int, ...]:
        """Numbers up to `top` that nothing has settled, ascending, at most MAX_OPEN."""
        end = min(self.top, self.floor + MAX_OPEN)
        return tuple(number for number in range(self.floor + 1, end + 1) if number not in self.above)

    def is_settled(self, number: int) -> bool:
        """Whether an envelope or a void has this number already."""
        return number <= self.floor or number in self.above


def settle(state: StreamState, numbers: tuple[int, ...], now: int) -> StreamState:
    """The state after envelopes or voids with these numbers; raises ValueError for a jump beyond MAX_OPEN."""
    if any(not 0 < number <= min(MAX_NUMBER, state.floor + MAX_OPEN) for number in numbers if number > state.floor):
        raise ValueError("a number too far ahead of its stream")
    above = set(state.above) | {number for number in numbers if number > state.floor}
    floor = state.floor
    while floor + 1 in above:
        floor += 1
        above.discard(floor)
    return _raised(replace(state, floor=floor, above=frozenset(above)), max((state.top, *numbers)), now)


def announce(state: StreamState, last: int, now: int) -> StreamState:
    """The state after a head that says `last` was used; raises ValueError for a jump beyond MAX_OPEN."""
    if last > state.floor + MAX_OPEN:
        raise ValueError("a head too far ahead of its stream")
    return _raised(state, max(state.top, last), now)


def late_up_to(state: StreamState, now: int, deadline: int) -> int:
    """The number up to which everything has been expected for `deadline` seconds or more; 0 when nothing has."""
    return max((last for last, since in state.gaps if now - since >= deadline), default=0)


def overdue(state: StreamState, now: int, deadline: int) -> tuple[int, ...]:
    """Numbers that have been missing for `deadline` seconds or more, ascending."""
    late = late_up_to(state, now, deadline)
    return tuple(number for number in state.missing() if number <= late)


def open_since(state: StreamState, told: int) -> int | None:
    """Since when the oldest gap above the number `told` is open; None when there is none."""
    return min((since for last, since in state.gaps if last > told), default=None)


def _raised(state: StreamState, top: int, now: int) -> StreamState:
    """With another top: what is missing below it, and was not expected before, is missing since `now`."""
    pairs = (*state.gaps, (top, now)) if top > state.top else state.gaps
    state = replace(state, top=top)
    missing = state.missing()
    gaps = []
    before = state.floor
    for last, since in pairs:
        if bisect_right(missing, last) > bisect_right(missing, before):
            gaps.append((last, since))
        before = max(before, last)
    return replace(state, gaps=tuple(gaps))
