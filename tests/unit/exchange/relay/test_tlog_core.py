"""The rounds of a log: when one begins, whom it asks, when it is published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.relay.tlog_core import Ask, Pace, Step, Witness, Witnessing

PACE = Pace(first=1, every=10, patience=15, again=30)
A, B, C, D = (Witness(code) for code in ("XAA", "XAB", "XAC", "XAD"))
PANEL = frozenset({A, B, C, D})


def witnessing(*here: Witness, known: bool = True) -> Witnessing:
    made = Witnessing(PACE, known)
    for witness in here:
        made.join(witness)
    return made


def begun(*here: Witness, size: int = 5, needed: int = 2, now: float = 0.0) -> Witnessing:
    made = witnessing(*here)
    made.begin(size, PANEL, needed, now)
    return made


def published(*here: Witness, now: float = 0.0) -> Witnessing:
    made = begun(*here, now=now)
    made.asks(now)
    for witness in here[:2]:
        made.cosigned(witness, True)
    assert made.step(now) is Step.PUBLISH
    return made


def test_an_empty_log_has_no_round() -> None:
    assert not witnessing(A).due(0, 100, False)
    assert witnessing(A).wake_at(0, 100, False) == float("inf")
    assert witnessing(A).asks(100) == ()


def test_what_stands_already_is_signed_at_once() -> None:
    assert witnessing().due(1, 0, False)


def test_a_log_that_grew_waits_for_the_pace() -> None:
    rounds = published(A, B)
    assert [now for now in (0, 9.9, 10, 11) if rounds.due(6, now, False)] == [10, 11]
    assert rounds.wake_at(6, 1, False) == 10


def test_a_log_that_rests_is_cosigned_again_when_its_cosignatures_are_old() -> None:
    rounds = published(A, B)
    assert not rounds.due(5, 10**6, False)
    assert [now for now in (9, 10, 3600) if rounds.due(5, now, True)] == [10, 3600]
    assert rounds.wake_at(5, 10**6, False) == float("inf")


def test_a_round_that_found_no_quorum_does_not_mix_what_is_old_and_new() -> None:
    rounds = begun(A, B, needed=2)
    rounds.asks(0)
    rounds.cosigned(A, True)
    rounds.leave(B)
    assert rounds.due(5, 4000, True)
    rounds.begin(5, PANEL, 2, 4000)
    assert rounds.asks(4000) == (Ask(A, 5),)
    assert rounds.step(4000) is Step.WAIT


def test_everybody_who_is_here_is_asked_once() -> None:
    rounds = begun(B, A)
    assert rounds.asks(0) == (Ask(A, 0), Ask(B, 0))
    assert rounds.asks(1) == ()
    rounds.join(C)
    assert rounds.asks(2) == (Ask(C, 0),)


def test_who_is_not_of_the_panel_is_not_asked() -> None:
    rounds = witnessing(A, B)
    rounds.begin(5, frozenset({B}), 1, 0)
    assert rounds.asks(0) == (Ask(B, 0),)
    assert not rounds.expects(A, 5)


def test_the_quorum_publishes_and_one_less_does_not() -> None:
    rounds = begun(A, B, C, needed=2)
    rounds.asks(0)
    rounds.cosigned(A, True)
    assert rounds.step(1) is Step.WAIT
    rounds.cosigned(B, True)
    assert rounds.step(1) is Step.PUBLISH
    assert rounds.step(1) is Step.WAIT


def test_a_witness_counts_once() -> None:
    rounds = begun(A, B, needed=2)
    rounds.asks(0)
    rounds.cosigned(A, True)
    rounds.cosigned(A, True)
    assert rounds.step(1) is Step.WAIT


def test_a_witness_of_others_does_not_count() -> None:
    rounds = begun(A, B, C, needed=2)
    rounds.asks(0)
    rounds.cosigned(A, True)
    rounds.cosigned(B, False)
    rounds.cosigned(C, False)
    assert rounds.step(1) is Step.WAIT


def test_without_a_quorum_to_reach_nothing_is_published() -> None:
    rounds = begun(A, needed=0)
    rounds.asks(0)
    assert rounds.step(1) is Step.WAIT


def test_who_answers_late_is_added_when_all_have_answered() -> None:
    rounds = published(A, B, C, D)
    rounds.cosigned(C, True)
    assert rounds.step(3) is Step.WAIT
    rounds.cosigned(D, True)
    assert rounds.step(4) is Step.PUBLISH
    assert rounds.step(5) is Step.WAIT


def test_who_never_answers_holds_up_the_late_ones_for_a_moment_only() -> None:
    rounds = published(A, B, C, D)
    rounds.cosigned(C, True)
    assert rounds.step(14) is Step.WAIT
    assert rounds.wake_at(5, 14, False) == 15
    assert rounds.step(15) is Step.PUBLISH
    assert rounds.wake_at(5, 15, False) == float("inf")


def test_who_never_answers_does_not_keep_the_next_round_back() -> None:
    rounds = published(A, B, C)
    assert rounds.due(6, 10, False)
    rounds.begin(6, PANEL, 2, 10)
    assert rounds.asks(10) == (Ask(A, 5), Ask(B, 5), Ask(C, 0))


def test_a_round_without_its_quorum_gets_the_time_of_an_answer() -> None:
    rounds = begun(A, B)
    rounds.asks(0)
    assert [now for now in (10, 14, 15) if rounds.due(6, now, False)] == [15]


def test_a_round_that_waits_for_nobody_does_not_keep_the_next_one_back() -> None:
    rounds = begun(A)
    rounds.asks(0)
    rounds.leave(A)
    assert rounds.due(6, 10, False)


def test_before_anything_was_published_the_pace_is_quicker() -> None:
    rounds = witnessing(known=False)
    rounds.begin(1, PANEL, 2, 0)
    assert [now for now in (0.5, 1) if rounds.due(2, now, False)] == [1]


def test_a_round_without_its_quorum_goes_on_asking_at_one_size() -> None:
    rounds = begun(A, B)
    rounds.asks(0)
    assert not rounds.due(5, 10**6, False)
    assert rounds.asks(15) == ()
    assert rounds.wake_at(5, 15, False) == 45
    assert rounds.asks(45) == (Ask(A, 0), Ask(B, 0))


def test_whoever_comes_back_is_asked_at_once() -> None:
    rounds = begun(A, B)
    rounds.asks(0)
    rounds.leave(A)
    assert rounds.asks(1) == ()
    rounds.join(A)
    assert rounds.asks(2) == (Ask(A, 0),)


def test_another_size_is_asked_from_there_and_not_for_ever() -> None:
    rounds = begun(A)
    assert rounds.asks(0) == (Ask(A, 0),)
    rounds.other_size(A, 3, 0)
    assert rounds.asks(0) == (Ask(A, 3),)
    rounds.other_size(A, 2, 0)
    assert rounds.asks(0) == (Ask(A, 2),)
    rounds.other_size(A, 3, 0)
    assert rounds.asks(0) == ()
    assert rounds.asks(30) == (Ask(A, 3),)


def test_a_refusal_is_asked_again_later() -> None:
    rounds = begun(A)
    rounds.asks(0)
    rounds.refused(A, 1)
    assert rounds.asks(30) == ()
    assert rounds.asks(31) == (Ask(A, 0),)


def test_only_an_answer_that_is_waited_for_is_expected() -> None:
    rounds = begun(A, B)
    assert not rounds.expects(A, 5)
    rounds.asks(0)
    assert rounds.expects(A, 5)
    assert not rounds.expects(A, 4)
    assert not rounds.expects(C, 5)
    rounds.cosigned(A, True)
    assert not rounds.expects(A, 5)
    rounds.refused(B, 1)
    assert not rounds.expects(B, 5)


def test_a_hint_above_the_tree_is_no_size_to_ask_from() -> None:
    rounds = begun(A)
    rounds.knows(A, 9)
    assert rounds.asks(0) == (Ask(A, 5),)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["grow", "join", "leave", "cosign", "refuse", "size", "nothing"]),
        st.sampled_from([A, B, C, D]),
        st.floats(0, 40),
    ),
    max_size=60,
)


@pytest.mark.parametrize("needed", [1, 3])
@given(events=EVENTS)
def test_the_loop_never_spins_and_never_publishes_without_the_quorum(
    needed: int, events: list[tuple[str, Witness, float]]
) -> None:
    rounds, size, now, began, made = witnessing(known=True), 1, 0.0, -PACE.every, set[Witness]()
    for event, witness, pause in events:
        now += pause
        if rounds.due(size, now, False):
            assert now - began >= PACE.every
            rounds.begin(size, PANEL, needed, now)
            began, made = now, set()
        asked = {ask.witness for ask in rounds.asks(now)}
        assert not asked & made
        if event == "grow":
            size += 1
        elif event == "join":
            rounds.join(witness)
        elif event == "leave":
            rounds.leave(witness)
        elif rounds.size is not None and rounds.expects(witness, rounds.size):
            if event == "cosign":
                rounds.cosigned(witness, True)
                made.add(witness)
            elif event == "refuse":
                rounds.refused(witness, now)
            elif event == "size":
                rounds.other_size(witness, 0, now)
        if rounds.step(now) is Step.PUBLISH:
            assert len(made) >= needed
        settled = not rounds.due(size, now, False) and not rounds.asks(now)
        if settled and rounds.step(now) is Step.WAIT:
            assert rounds.wake_at(size, now, False) > now


def test_what_could_not_be_kept_is_to_be_published_again() -> None:
    rounds = published(A, B)
    assert rounds.step(1) is Step.WAIT
    rounds.not_published()
    assert rounds.step(1) is Step.PUBLISH
    assert rounds.step(1) is Step.WAIT
