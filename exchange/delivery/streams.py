"""Accounting of one numbered stream at its receiver (docs/protocol.md, "Streams and numbers"). Pure.

A number is settled by an envelope that carried it or by the sender's void. A missing number is an alarm only after a
deadline: envelopes may arrive in any order, and the more urgent ones overtake.
"""

from dataclasses import dataclass, replace

from schemas.limits import MAX_NUMBER

# A sender that jumps ahead further than this is at fault or hostile; the set of open numbers has to stay small.
MAX_OPEN: int = 10_000


@dataclass(frozen=True, slots=True)
class StreamState:
    """What a receiver knows of one stream.

    Attributes:
        floor: every number up to it is settled.
        above: settled numbers above the floor.
        top: the highest number known to be used, from envelopes and heads.
        gap_since: when a number at or below `top` was first found missing (Unix seconds); None while none is.
    """

    floor: int = 0
    above: frozenset[int] = frozenset()
    top: int = 0
    gap_since: int | None = None

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
    top = max(state.top, *numbers, 0) if numbers else state.top
    return _timed(StreamState(floor, frozenset(above), top, state.gap_since), now)


def announce(state: StreamState, last: int, now: int) -> StreamState:
    """The state after a head that says `last` was used; raises ValueError for a jump beyond MAX_OPEN."""
    if last > state.floor + MAX_OPEN:
        raise ValueError("a head too far ahead of its stream")
    return _timed(replace(state, top=max(state.top, last)), now)


def overdue(state: StreamState, now: int, deadline: int) -> tuple[int, ...]:
    """Numbers that have been missing for `deadline` seconds or more."""
    if state.gap_since is None or now - state.gap_since < deadline:
        return ()
    return state.missing()


def _timed(state: StreamState, now: int) -> StreamState:
    if state.floor >= state.top:
        return replace(state, gap_since=None)
    return state if state.gap_since is not None else replace(state, gap_since=now)
