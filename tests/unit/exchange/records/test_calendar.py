"""The calendar of returns: what is due, what was given when, by the evidence."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.records.calendar import Answer, Obligation, chosen, events, is_nil, obligations, stated_day
from exchange.records.facts import Box, RecordFact
from exchange.records.participation import Declaration, parse_declaration
from tests.support.facts import XAB, at, fact

NOW = at("2027-02-01")
YEAR_2026 = {"form": "simplified", "fiscal_year": {"start": "2026-01-01", "end": "2026-12-31"}}


def declared(**agreement: object) -> Declaration:
    """XAA's: yearly returns on budgets, due on 31 January for the year before, with XAB, both ways."""
    row = {
        "measure": "2.1.1.b",
        "partners": ["XAB"],
        "since": date(2027, 1, 1),
        "due": ["01-31"],
        "covers": "previous-year",
        **agreement,
    }
    whole = {"member": "XAA", "catalogue": "cica-catalogue-draft-2021-09-27", "agreement": [row]}
    return parse_declaration(whole)


def budget(
    record_id: str = "b",
    when: int | None = None,
    body: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 - any field of a fact
) -> RecordFact:
    return fact(record_id, when=when or at("2027-01-20"), body=body or YEAR_2026, box=Box.OUTBOX, **more)


def rows(facts: Iterable[RecordFact], declaration: Declaration | None = None, now: int = NOW) -> list[Obligation]:
    return list(obligations(declaration or declared(), facts, now))


def ours(facts: Iterable[RecordFact], declaration: Declaration | None = None, now: int = NOW) -> Obligation:
    """The return of XAA for 2026."""
    return next(row for row in rows(facts, declaration, now) if row.ours and row.due == date(2027, 1, 31))


def test_before_the_day_it_is_due_and_after_it_is_missing() -> None:
    assert ours([], now=at("2027-01-31", 23)).answer is Answer.DUE
    missing = ours([], now=at("2027-02-03"))
    assert (missing.answer, missing.days_late) == (Answer.MISSING, 3)


def test_a_return_in_time_is_sent_with_its_evidence() -> None:
    sent = budget(delivered=((XAB, at("2027-01-21")),))
    row = ours([sent])
    assert (row.answer, row.days_late, row.message) == (Answer.SENT, 0, sent.message)
    assert (row.evidenced_at, row.delivered_at) == (at("2027-01-20"), at("2027-01-21"))
    assert (row.start, row.end) == (date(2026, 1, 1), date(2026, 12, 31))


def test_the_partners_return_is_received() -> None:
    found = rows([fact("b", by="XAB", to="XAA", when=at("2027-01-31", 23), body=YEAR_2026)])
    theirs = [(row.due.year, row.answer) for row in found if not row.ours]
    assert theirs == [(2027, Answer.RECEIVED), (2028, Answer.DUE)]


def test_a_backdated_return_is_late_by_its_evidence() -> None:
    backdated = budget(when=at("2027-02-01", 1), issued_at=at("2027-01-10"))
    row = ours([backdated], now=at("2027-03-01"))
    assert (row.answer, row.days_late) == (Answer.LATE, 1)


def test_what_the_relay_has_not_accepted_answers_nothing() -> None:
    queued = fact("b", when=None, body=YEAR_2026, box=Box.OUTBOX)
    assert ours([queued]).answer is Answer.MISSING


def test_a_withdrawn_return_answers_nothing_any_more() -> None:
    withdrawal = fact("w", "withdraw", "b", when=at("2027-01-25"))
    assert ours([budget(), withdrawal]).answer is Answer.MISSING


def test_a_correction_after_the_day_does_not_make_a_return_late() -> None:
    correction = budget("c", at("2027-01-31", 23) + 86_400, action="correction", on="b")
    assert ours([budget(), correction]).answer is Answer.SENT


def test_a_forged_withdrawal_changes_nothing() -> None:
    forged = fact("w", "withdraw", "b", by="XAC", when=at("2027-01-25"))
    assert ours([budget(), forged]).answer is Answer.SENT


def test_a_nil_return_is_an_answer_and_is_shown_as_nil() -> None:
    nil = {**YEAR_2026, "form": "nil"}
    assert ours([budget(body=nil)]).answer is Answer.NIL
    late = ours([budget(when=at("2027-02-01", 1), body=nil)])
    assert (late.answer, late.days_late) == (Answer.NIL, 1)


def test_a_nil_return_that_is_corrected_is_one_no_more() -> None:
    correction = budget("c", at("2027-01-22"), action="correction", on="b")
    assert ours([budget(body={**YEAR_2026, "form": "nil"}), correction]).answer is Answer.SENT


@pytest.mark.parametrize(
    "other",
    [
        {"to": "XAC"},
        {"mode": "exercise"},
        {"measure": "2.1.1.a"},
        {"record_type": "treaty-status"},
        {"by": "XAC"},
        {"body": {"form": "simplified", "fiscal_year": {"start": "2025-01-01", "end": "2025-12-31"}}},
    ],
    ids=lambda other: next(iter(other)),
)
def test_something_else_is_no_answer(other: dict[str, Any]) -> None:
    assert ours([budget(**other)]).answer is Answer.MISSING


def test_a_joint_return_answers_for_each_of_its_originators() -> None:
    assert ours([budget(by=("XAA", "XAC"))]).answer is Answer.SENT


def test_a_return_that_says_no_period_is_for_the_nearest_day() -> None:
    declaration = declared(measure="2.1.5", since=date(2025, 1, 1), covers="since-last")
    given = [
        fact(day, when=at(day), body={"x": 1}, measure="2.1.5", record_type="treaty-status")
        for day in ("2025-06-01", "2026-12-01")
    ]
    found = {row.due.year: row.answer for row in rows(given, declaration) if row.ours}
    assert found == {2025: Answer.LATE, 2026: Answer.MISSING, 2027: Answer.SENT, 2028: Answer.DUE}


def test_a_correction_that_says_no_period_is_no_new_return() -> None:
    given = [
        fact(name, action, on, when=at(day), body={"x": 1}, measure="2.1.5", record_type="treaty-status")
        for name, action, on, day in (("r", "new", (), "2026-01-15"), ("c", "correction", "r", "2027-01-15"))
    ]
    declaration = declared(measure="2.1.5", since=date(2026, 1, 1), covers="since-last", direction="we-provide")
    found = {row.due.year: row.answer for row in rows(given, declaration)}
    assert found == {2026: Answer.SENT, 2027: Answer.MISSING, 2028: Answer.DUE}


def test_quarterly_returns_have_their_own_periods() -> None:
    declaration = declared(due=["03-31", "06-30"], covers="since-last", since=date(2027, 1, 1), direction="we-provide")
    found = rows([], declaration, at("2027-04-01"))
    assert [(row.due, row.start, row.end) for row in found] == [
        (date(2027, 3, 31), date(2026, 7, 1), date(2027, 3, 31)),
        (date(2027, 6, 30), date(2027, 4, 1), date(2027, 6, 30)),
    ]


@pytest.mark.parametrize(
    ("covers", "start"),
    [("previous-year", date(2025, 4, 1)), ("same-year", date(2026, 4, 1)), ("next-year", date(2027, 4, 1))],
)
def test_a_year_may_begin_on_any_day(covers: str, start: date) -> None:
    row = ours([], declared(covers=covers, year_start="04-01"))
    assert (row.start, row.end) == (start, date(start.year + 1, 3, 31))


def test_nothing_is_due_outside_the_agreement_or_one_way_only() -> None:
    assert rows([], declared(until=date(2027, 1, 30))) == []
    assert [row.ours for row in rows([], declared(direction="they-provide"))] == [False, False]
    assert rows([], declared(due=[])) == []


def test_it_looks_back_a_few_years_only() -> None:
    found = rows([], declared(since=date(1999, 1, 1), direction="we-provide"))
    assert [row.due.year for row in found] == [2024, 2025, 2026, 2027, 2028]


def test_events_have_a_stable_name_and_say_how_it_stands() -> None:
    sent = events(rows([budget()]))
    missing = events(rows([]))
    assert [event.uid for event in sent] == [event.uid for event in missing]
    assert sent[0].uid == "2.1.1.b-to-xab-2027-01-31"
    assert sent[0].summary == "Return 2.1.1.b to XAB for 2026-01-01 to 2026-12-31: sent"
    assert missing[0].summary.endswith("missing, late by 1 day")
    assert len({event.uid for event in sent}) == len(sent)


def test_rows_are_chosen_by_partner_measure_and_due_day() -> None:
    found = rows([])
    day = date(2027, 1, 31)
    assert chosen(found) == tuple(found)
    assert chosen(found, partner="XAB", measure="2.1.1.b", start=day) == tuple(found)
    assert chosen(found, partner="XAC") == chosen(found, measure="2.1.1.a") == ()
    assert {row.due for row in chosen(found, start=day, end=day)} == {day}
    assert {row.due for row in chosen(found, start=date(2027, 2, 1))} == {date(2028, 1, 31)}
    assert {row.due for row in chosen(found, end=day)} == {day}


@pytest.mark.parametrize(
    ("body", "nil"),
    [
        ({"form": "nil"}, True),
        ({"form": "simplified", "x": {"amount_state": "nil"}}, False),
        ({"list": [{"quantity": {"amount_state": "nil"}}, {"personnel": {"amount_state": "nil"}}]}, True),
        ({"list": [{"quantity": {"amount_state": "nil"}}, {"personnel": {"amount_state": "withheld"}}]}, False),
        ({"x": {"amount_state": "reported", "count": 0}}, False),
        ({"text": "none"}, False),
        ({}, False),
    ],
)
def test_nil_is_told_from_zero_and_from_silence(body: dict[str, Any], nil: bool) -> None:
    assert is_nil(body) is nil


@pytest.mark.parametrize(
    ("body", "day"),
    [
        ({"fiscal_year": {"start": "2026-04-01", "end": "2027-03-31"}}, date(2026, 4, 1)),
        ({"period": {"start": "2026-04-01", "end": "2026-06-30"}}, date(2026, 4, 1)),
        ({"reference_year": 2026, "as_of": "2025-12-31"}, date(2026, 1, 1)),
        ({"as_of": "2026-01-01"}, date(2026, 1, 1)),
        ({}, None),
    ],
)
def test_the_period_is_what_the_return_states(body: dict[str, Any], day: date | None) -> None:
    assert stated_day(fact("r", body=body)) == day


TIMES = st.integers(at("2026-06-01"), at("2027-02-28"))
ACTS = st.lists(st.tuples(st.sampled_from(["new", "update", "withdraw"]), TIMES), max_size=6)


@given(ACTS, st.permutations(range(6)))
def test_the_calendar_is_the_same_in_any_order_of_arrival(acts: list[tuple[str, int]], order: list[int]) -> None:
    made = [
        fact(f"{i}", action, () if action == "new" else "0", when=when, body=YEAR_2026)
        for i, (action, when) in enumerate(acts)
    ]
    arrived = [made[i] for i in order if i < len(made)]
    assert obligations(declared(), arrived, NOW) == obligations(declared(), made, NOW)
