"""The modalities of section 3: who may take which step, in which order, and what is open."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.records.facts import RecordFact
from exchange.records.procedure import Bodies, Status, judge_step, status
from exchange.records.verdict import Allowed, Refused, Verdict
from schemas.charter import Chairmanship
from tests.support.facts import START, XAB, fact
from tests.support.steps import BODIES, modality_a, modality_b, step

NOW = START + 500
A, B = modality_a(), modality_b()


def judged(candidate: RecordFact, thread: list[RecordFact]) -> Verdict:
    return judge_step(thread, candidate, BODIES, NOW)


def without(thread: list[RecordFact], *names: str) -> list[RecordFact]:
    return [one for one in thread if one.record_id not in names]


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Refused), verdict
    return verdict.reason


def open_steps(found: Status) -> dict[str, tuple[str, ...]]:
    return {row.step: row.members for row in found.open}


@pytest.mark.parametrize("whole", [A, B], ids=["A", "B"])
def test_every_step_in_its_order_is_allowed_without_warning(whole: list[RecordFact]) -> None:
    for index, candidate in enumerate(whole):
        assert judged(candidate, whole[:index]) == Allowed()
    done = status(whole, whole[0].measure, BODIES, NOW)
    assert [row.record_id for row in done.done] == [one.record_id for one in whole]
    assert done.refused == ()
    assert done.ended
    assert not status(whole[:-1], whole[0].measure, BODIES, NOW).ended


@pytest.mark.parametrize("whole", [A, B], ids=["A", "B"])
def test_what_was_accepted_in_one_second_is_read_in_the_order_of_the_steps(whole: list[RecordFact]) -> None:
    at_once = [replace(one, evidenced_at=START + 5) for one in whole]
    found = status(at_once, whole[0].measure, BODIES, NOW)
    assert sorted(row.step for row in found.done) == [row.step for row in found.done]
    assert (len(found.done), found.refused, found.ended) == (len(whole), (), True)


@pytest.mark.parametrize(
    ("left_out", "name"),
    [("A2", "A3"), ("A4", "A5"), ("A5", "A6"), ("B1", "B2"), ("B2", "B4"), ("B4", "B5"), ("B5", "B6"), ("B7", "B8")],
)
def test_a_step_left_out_is_a_warning(left_out: str, name: str) -> None:
    whole = A if name[0] == "A" else B
    candidate = next(one for one in whole if one.record_id == name)
    held = without(whole[: whole.index(candidate)], left_out)
    assert judged(candidate, held) == Allowed((f"no step {left_out} before {name}",))


def test_approval_without_the_agreement_of_the_swg_is_refused() -> None:
    expected = "step A7 needs the agreement of the SWG first, step A6 with outcome agreed"
    assert reason(judged(A[-1], without(A[:-1], "A6"))) == expected
    for outcome in ("noted", "returned", "not-agreed"):
        considered = step("A6", 7, "XAC", outcome=outcome)
        assert reason(judged(A[-1], [*A[:6], considered])) == expected


def test_an_agreement_that_was_withdrawn_is_none() -> None:
    withdrawal = replace(fact("w", "withdraw", "A6", by="XAC", when=START + 8), record_type="modality-decision")
    withdrawal = replace(withdrawal, measure="3.A")
    assert "A6" in reason(judged(A[-1], [*A[:7], withdrawal]))


@pytest.mark.parametrize(
    ("name", "wrong", "who"),
    [
        ("A1", "CICA", "Member State"),
        ("A2", "XAA", "CICA Chairman, here XAC"),
        ("A3", "CICA", "CICA Chairman, here XAC"),
        ("A4", "XAB", "Coordinating country, here XAA"),
        ("A5", "XAA", "CICA Secretariat, here CICA"),
        ("A6", "CICA", "SWG, here XAC"),
        ("A7", "XAA", "SOC, here XAC"),
        ("B2", "XAA", "CICA Chairman or CICA Secretariat, here CICA, XAC"),
        ("B3", "CICA", "Member State"),
        ("B4", "XAA", "CICA Secretariat, here CICA"),
        ("B5", "CICA", "Specialized meeting, here XAC"),
        ("B6", "XAD", "Experts, here XAA, XAB"),
        ("B7", "XAB", "SWG, here XAC"),
        ("B8", "CICA", "SOC, here XAC"),
    ],
)
def test_a_step_of_the_wrong_actor_is_refused(name: str, wrong: str, who: str) -> None:
    whole = A if name[0] == "A" else B
    right = next(one for one in whole if one.record_id == name)
    candidate = replace(step(name, 400, wrong), body=right.body)
    held = whole[: whole.index(right)] if name != "B3" else whole[:2]
    if name == "B6":
        held = whole[:6]
    assert who in reason(judged(candidate, held))
    assert reason(judged(candidate, held)).endswith(f"not for {wrong}")


def test_the_chairman_alone_signs_for_the_bodies_not_together_with_another() -> None:
    assert isinstance(judged(step("A6", 400, ("XAA", "XAC")), A[:6]), Refused)


def test_the_chair_is_the_one_of_the_time_of_the_evidence() -> None:
    assert judged(step("A2", 1500, "XAD"), A[:2]) == Allowed()
    assert "here XAD" in reason(judged(step("A2", 1500, "XAC"), A[:2]))
    assert "nobody is that here yet" in reason(judged(step("A2", 99_999, "XAD"), A[:2]))


def test_of_two_charter_versions_the_newer_says_who_chairs() -> None:
    changed = Bodies(BODIES.members, (*BODIES.chairs, Chairmanship(XAB, START, START + 1000)))
    assert judge_step(A[:2], step("A2", 400, "XAB"), changed, NOW) == Allowed()
    assert isinstance(judge_step(A[:2], A[2], changed, NOW), Refused)


def test_what_is_about_to_be_sent_is_judged_now() -> None:
    assert judged(step("A2", None, "XAC"), A[:2]) == Allowed()
    assert isinstance(judge_step(A[:2], step("A2", None, "XAC"), BODIES, START + 2000), Refused)


@pytest.mark.parametrize(
    ("name", "closed_by", "by"),
    [("A1", "A7", "XAD"), ("A2", "A3", "XAC"), ("A3", "A4", "XAC"), ("A4", "A5", "XAA"), ("A5", "A6", "CICA")],
)
def test_a_step_after_the_one_that_closed_it_is_out_of_order(name: str, closed_by: str, by: str) -> None:
    closing = next(index for index, one in enumerate(A) if one.record_id == closed_by)
    late = step(name, 400, by, "late")
    assert reason(judged(late, A[: closing + 1])).startswith(f"step {name} is out of order: {closed_by} was taken")
    assert judged(late, A[:closing]) != judged(late, A[: closing + 1])


def test_approval_is_given_once() -> None:
    assert "out of order: A7" in reason(judged(step("A7", 400, "XAC", "again"), A))


def test_more_states_may_show_interest_until_the_approval() -> None:
    assert judged(step("A1", 400, "XAD", "late"), A[:-1]) == Allowed()


def test_nominations_may_be_made_again_at_any_time() -> None:
    for end in range(1, len(B) + 1):
        assert isinstance(judged(step("B3", 400, "XAD", "late"), B[:end]), Allowed)


def test_a_paper_that_was_returned_goes_back_to_its_draft() -> None:
    returned = [*A[:6], step("A6", 7, "XAC", outcome="returned")]
    assert judged(step("A4", 400, "XAA", "second"), returned) == Allowed()
    assert judged(step("A6", 400, "XAC", "again"), returned) == Allowed(("no step A4, A5 before A6",))
    found = status(returned, "3.A", BODIES, NOW)
    assert [row.step for row in found.done] == ["A1", "A1", "A2", "A3", "A4", "A5", "A6"]
    assert open_steps(found).keys() == {"A1", "A3", "A4", "A5", "A6"}


def test_a_working_paper_returned_by_the_soc_goes_back_to_the_meeting() -> None:
    returned = [*B[:-1], step("B8", 9, "XAC", outcome="returned")]
    assert judged(step("B4", 400, "CICA", "second"), returned) == Allowed()
    assert isinstance(judged(step("B4", 400, "CICA", "second"), B), Refused)


def test_a_designation_that_names_nobody_or_was_not_agreed_entitles_nobody() -> None:
    for designation in (step("A3", 4, "XAC"), step("A3", 4, "XAC", designated=["XAA"], outcome="noted")):
        assert "nobody is that here yet" in reason(judged(A[4], [*A[:3], designation]))


def test_a_designation_forged_by_the_one_it_designates_entitles_nobody() -> None:
    forged = step("A3", 4, "XAB", designated=["XAB"])
    verdict = judged(step("A4", 5, "XAB"), [*A[:3], forged])
    assert "Coordinating country, and nobody is that here yet" in reason(verdict)
    assert [record_id for record_id, _ in status([*A[:3], forged], "3.A", BODIES, NOW).refused] == ["A3"]


def test_a_draft_names_the_designation_that_it_rests_on() -> None:
    draft = step("A4", 5, "XAA", designation_ref="another")
    assert reason(judged(draft, A[:4])).startswith("designation_ref does not name a designation of the originators")


def test_a_corrected_designation_counts_as_it_reads_now() -> None:
    corrected = replace(
        step("A3", 10, "XAC", "A3c", designated=["XAB"]), action=fact("c", "correction").action, references=("A3",)
    )
    held = [*A[:4], corrected]
    assert "here XAB" in reason(judged(A[4], held))
    assert judged(step("A4", 400, "XAB"), held) == Allowed()
    assert judged(step("A4", 400, "XAB", designation_ref="A3c"), held) == Allowed()


def test_the_authors_of_a_working_paper_are_nominated() -> None:
    stranger = step("B6", 7, "XAA", authors=[{"person": {}, "nomination_ref": "nowhere"}])
    assert "names no nomination that stands" in reason(judged(stranger, B[:6]))
    foreign = step("B6", 7, "XAB", authors=[{"person": {}, "nomination_ref": "B3"}])
    assert reason(judged(foreign, B[:6])) == "it is signed by a state that nominated none of the authors"
    ended = step("B3", 3, "XAA", withdrawn=True)
    assert isinstance(judged(B[6], [*without(B[:6], "B3"), ended]), Refused)


def test_an_exercise_is_no_step_of_the_actual_procedure() -> None:
    exercise = [replace(one, mode="exercise") for one in A[:-1]]
    assert isinstance(judged(A[-1], exercise), Refused)
    assert isinstance(judged(replace(A[-1], mode="exercise"), exercise), Allowed)


def test_what_takes_no_step_is_not_for_this_rule() -> None:
    assert judged(fact("r"), A) == Allowed()
    assert judged(replace(A[2], action=fact("c", "correction").action), A) == Allowed()


def test_the_status_says_who_may_do_what_next() -> None:
    found = open_steps(status(A[:4], "3.A", BODIES, NOW))
    assert found == {
        "A1": ("XAA", "XAB", "XAC", "XAD"),
        "A3": ("XAC",),
        "A4": ("XAA",),
        "A5": ("CICA",),
        "A6": ("XAC",),
    }
    assert open_steps(status(A, "3.A", BODIES, NOW)) == {}
    assert open_steps(status([], "3.B", BODIES, NOW))["B6"] == ()


def test_what_the_relay_has_not_accepted_is_no_step_yet() -> None:
    assert status([step("A1", None, "XAA")], "3.A", BODIES, NOW).done == ()


@given(st.permutations([*A, step("A7", 2, "XAB", "forged"), step("A4", 3, "XAB", "early")]))
def test_the_status_is_the_same_in_any_order_of_arrival(arrived: list[RecordFact]) -> None:
    found = status(arrived, "3.A", BODIES, NOW)
    assert [row.record_id for row in found.done] == [one.record_id for one in A]
    assert {record_id for record_id, _ in found.refused} == {"forged", "early"}


def test_agreement_after_a_return_opens_the_way() -> None:
    returned = step("A6", 7, "XAC", "returned", outcome="returned")
    held = [*A[:6], returned, step("A4", 8, "XAA", "second"), step("A5", 9, "CICA", "sent"), step("A6", 10, "XAC")]
    assert judged(step("A7", 400, "XAC"), held) == Allowed()


def test_steps_of_the_other_modality_do_not_count() -> None:
    assert judged(step("B3", 400, "XAA"), A) == Allowed(("no step B1, B2 before B3",))
