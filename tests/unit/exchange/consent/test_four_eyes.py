"""Who counts when others have to approve: the rules alone, and against every order of a few officials' doings."""

from itertools import product

import pytest

from exchange.consent.four_eyes import (
    MOVES,
    ActState,
    Approval,
    Held,
    Obstacle,
    approval_obstacle,
    change_obstacle,
    counted,
    is_open,
    is_released,
)

NOW = 1_800_000_000
DIGEST, OTHER = b"d" * 32, b"o" * 32
ACT = Held("author", DIGEST, 2, ActState.PENDING, NOW + 100)


def approval(token: str, digest: bytes = DIGEST, time: int = NOW) -> Approval:
    return Approval(token, "defence", digest, time)


def test_as_many_others_as_are_needed_release_it() -> None:
    assert not is_released(ACT, [approval("a")])
    assert is_released(ACT, [approval("a"), approval("b")])


def test_one_official_counts_once_and_the_author_never() -> None:
    assert counted(ACT, [approval("a"), approval("a"), approval("author")]) == {"a"}


def test_an_approval_of_what_it_was_before_does_not_count() -> None:
    assert counted(ACT, [approval("a", OTHER), approval("b")]) == {"b"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (approval("a"), None),
        (approval("author"), Obstacle.OWN),
        (approval("a", OTHER), Obstacle.STALE),
        (approval("a", time=NOW + 99), None),
        (approval("a", time=NOW + 100), Obstacle.ENDED),
    ],
)
def test_which_approvals_are_taken(given: Approval, expected: Obstacle | None) -> None:
    assert approval_obstacle(ACT, given) is expected


@pytest.mark.parametrize("state", [state for state in ActState if state is not ActState.PENDING])
def test_nothing_is_approved_or_changed_that_does_not_wait(state: ActState) -> None:
    act = Held("author", DIGEST, 2, state, NOW + 100)
    assert not is_open(act, NOW)
    assert approval_obstacle(act, approval("a")) is Obstacle.ENDED
    assert change_obstacle(act, "author", NOW) is Obstacle.ENDED


def test_only_the_author_changes_it() -> None:
    assert change_obstacle(ACT, "author", NOW) is None
    assert change_obstacle(ACT, "a", NOW) is Obstacle.NOT_AUTHOR


def test_what_was_released_is_done_or_fails_and_nothing_final_moves() -> None:
    assert MOVES[ActState.APPROVED] == {ActState.DONE, ActState.FAILED}
    assert {state for state in ActState if state not in MOVES} == {
        ActState.DONE,
        ActState.REFUSED,
        ActState.EXPIRED,
        ActState.FAILED,
    }


@pytest.mark.parametrize("tokens", list(product(("author", "a", "b"), repeat=4)))
def test_no_sequence_of_approvals_releases_it_without_two_others(tokens: tuple[str, ...]) -> None:
    taken = [one for one in map(approval, tokens) if approval_obstacle(ACT, one) is None]
    assert is_released(ACT, taken) == ({"a", "b"} <= set(tokens))
