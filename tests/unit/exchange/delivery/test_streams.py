"""What a receiver knows of a numbered stream: no gap without cause, no missing number without an alarm."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.delivery.streams import MAX_OPEN, StreamState, announce, overdue, settle
from schemas.limits import MAX_NUMBER

DEADLINE = 300
HIGHEST = 30


def arrive(steps: list[tuple[int, int]]) -> StreamState:
    """Numbers at their times."""
    state = StreamState()
    for number, now in steps:
        state = settle(state, (number,), now)
    return state


@given(st.permutations(range(1, HIGHEST + 1)))
def test_any_order_of_a_complete_set_leaves_no_gap(order: list[int]) -> None:
    state = arrive([(number, now) for now, number in enumerate(order)])
    assert (state.floor, state.above, state.top, state.gaps) == (HIGHEST, frozenset(), HIGHEST, ())
    assert overdue(state, 10**9, 1) == ()


@given(st.permutations(range(1, HIGHEST + 1)), st.data())
def test_what_is_repeated_changes_nothing(order: list[int], data: st.DataObject) -> None:
    state = arrive([(number, 0) for number in order[:10]])
    again = data.draw(st.lists(st.sampled_from(order[:10]), min_size=1))
    assert settle(state, tuple(again), 99) == state


@given(
    arrivals=st.lists(st.tuples(st.integers(1, HIGHEST), st.integers(0, 3 * DEADLINE)), max_size=25),
    heads=st.lists(st.tuples(st.integers(0, HIGHEST), st.integers(0, 3 * DEADLINE)), max_size=4),
    asked=st.integers(0, 5 * DEADLINE),
)
def test_a_missing_number_is_reported_after_the_deadline_and_never_before(
    arrivals: list[tuple[int, int]], heads: list[tuple[int, int]], asked: int
) -> None:
    """The account against its definition: a number is known to be used once one above it, or a head, has come."""
    steps: list[tuple[int, Callable[[StreamState], StreamState]]] = []
    steps += [(now, lambda s, n=number, t=now: settle(s, (n,), t)) for number, now in arrivals]  # type: ignore[misc]
    steps += [(now, lambda s, n=last, t=now: announce(s, n, t)) for last, now in heads]  # type: ignore[misc]
    state = StreamState()
    for _, step in sorted((s for s in steps if s[0] <= asked), key=lambda s: s[0]):
        state = step(state)
    here = {number for number, now in arrivals if now <= asked}
    told = [(number, now) for number, now in (*arrivals, *heads) if now <= asked]
    late = []
    for number in range(1, HIGHEST + 1):
        since = min((now for used, now in told if used >= number), default=None)
        if number not in here and since is not None and asked - since >= DEADLINE:
            late.append(number)
    assert overdue(state, asked, DEADLINE) == tuple(late)


def test_an_older_gap_does_not_make_a_newer_one_late() -> None:
    state = arrive([(2, 0), (4, 250), (1, 290)])
    assert overdue(state, 0 + DEADLINE, DEADLINE) == ()
    assert overdue(state, 250 + DEADLINE - 1, DEADLINE) == ()
    assert overdue(state, 250 + DEADLINE, DEADLINE) == (3,)


def test_a_void_settles_a_number_that_will_not_come() -> None:
    state = announce(arrive([(1, 0), (3, 0)]), 4, 0)
    assert state.missing() == (2, 4)
    assert settle(state, (2, 4), 9).missing() == ()


def test_a_head_shows_that_the_newest_is_withheld() -> None:
    state = announce(arrive([(1, 0)]), 3, 10)
    assert overdue(state, 10 + DEADLINE, DEADLINE) == (2, 3)


def test_an_older_head_changes_nothing() -> None:
    state = arrive([(1, 0), (2, 0)])
    assert announce(state, 1, 50) == state
    assert announce(StreamState(), 0, 50) == StreamState()


def test_is_settled() -> None:
    state = arrive([(1, 0), (3, 0)])
    assert [state.is_settled(number) for number in (1, 2, 3, 4)] == [True, False, True, False]


@pytest.mark.parametrize("number", [MAX_OPEN + 1, MAX_NUMBER])
def test_a_jump_out_of_all_proportion_is_refused(number: int) -> None:
    assert settle(StreamState(), (MAX_OPEN,), 0).top == MAX_OPEN
    assert announce(StreamState(), MAX_OPEN, 0).top == MAX_OPEN
    with pytest.raises(ValueError, match="too far ahead"):
        settle(StreamState(), (number,), 0)
    with pytest.raises(ValueError, match="too far ahead"):
        announce(StreamState(), number, 0)


def test_what_is_remembered_of_a_gap_does_not_grow_with_what_comes_after_it() -> None:
    state = arrive([(number, number) for number in range(2, 200)])
    assert state.gaps == ((2, 2),)


def test_every_second_number_missing_stays_cheap() -> None:
    state = StreamState()
    for number in range(2, 2_000, 2):
        state = settle(state, (number,), number)
    assert len(state.missing()) == len(state.gaps) == 999
