"""Counts for the review of 1.8: evidence only, nothing of the content, and what becomes of the reports submitted."""

import json
from datetime import date
from typing import Any

import pytest

from exchange.errors import Invalid
from exchange.records.facts import RecordFact
from exchange.records.review import (
    RECORD_TYPE,
    Count,
    Report,
    count,
    merge,
    report_json,
    report_of,
    row_json,
    submitted,
    without_text,
)
from tests.support.facts import EDITION, XAA, XAB, XAC, at, fact
from tests.support.records import example, refusals, warnings

START, END = date(2026, 1, 1), date(2026, 12, 31)


def counted(facts: list[RecordFact], *, own_only: bool = False) -> tuple[Count, ...]:
    """The counts, which are the same without a text."""
    found = count(facts, XAA, EDITION, START, END, own_only=own_only).counts
    assert count(map(without_text, facts), XAA, EDITION, START, END, own_only=own_only).counts == found
    return found


def when(day: str = "2026-05-01") -> int:
    return at(day)


def test_a_record_counts_once_with_all_that_follows_it() -> None:
    original = fact("r", when=when())
    facts = [
        original,
        fact("c", "correction", "r", when=when("2026-05-02")),
        fact("t", "translation", "r", when=when(), language="ru", translates=original),
        fact("a", "ack", "r", by="XAB", to="XAA", when=when("2026-05-03")),
        fact("b", "reply", "r", by="XAB", to="XAA", when=when("2026-05-03")),
    ]
    assert counted(facts) == (Count("2.1.1.b", XAA, 1, 0, 0), Count("2.1.1.b", XAB, 0, 0, 1))
    assert counted(facts, own_only=True) == (Count("2.1.1.b", XAA, 1, 0, 0),)


def test_the_day_is_the_one_of_the_evidence() -> None:
    days = ["2025-12-31", "2026-01-01", "2026-12-31", "2027-01-01"]
    facts = [fact(day, when=when(day), issued_at=when("2026-06-01")) for day in days]
    assert counted([*facts, fact("queued", when=None)]) == (Count("2.1.1.b", XAA, 2, 0, 0),)


def test_cancelled_counts_withdrawn_and_forged_do_not() -> None:
    facts = [
        *(fact(name, when=when()) for name in ("r", "s")),
        fact("x", "cancel", "r", when=when("2026-05-02")),
        fact("w", "withdraw", "s", when=when("2026-05-02")),
        fact("forged", "reply", "r", by="XAD", to="XAA", when=when("2026-05-02")),
    ]
    assert counted(facts) == (Count("2.1.1.b", XAA, 1, 0, 0),)


def test_exercises_and_other_editions_do_not_count() -> None:
    assert counted([fact("r", when=when(), mode="exercise")]) == ()
    assert count([fact("r", when=when())], XAA, "another", START, END, own_only=False).counts == ()


def test_nil_returns_are_counted_as_such_and_a_joint_record_for_each() -> None:
    joint = fact("r", by=("XAA", "XAB"), to="XAC", when=when(), body={"form": "nil"})
    assert counted([joint]) == (Count("2.1.1.b", XAA, 1, 1, 0), Count("2.1.1.b", XAB, 1, 1, 0))


def test_nothing_of_the_content_is_in_a_report() -> None:
    record = fact("urn:x:secret", when=when(), body={"text": {"en": "secret"}}, message="5e" * 16)
    shown = json.dumps(report_json(count([record], XAA, EDITION, START, END, own_only=False)))
    assert [word for word in ("secret", "5e5e", "XAC", record.digest) if word in shown] == []


def report(reporter: str = "XAA", *rows: tuple[str, str, int], start: date = START) -> Report:
    counts = tuple(Count(measure, _code(state), records, 0, 0) for measure, state, records in rows)
    return Report(_code(reporter), EDITION, start, END, counts)


def _code(code: str) -> Any:  # noqa: ANN401 - a member's code
    return {"XAA": XAA, "XAB": XAB, "XAC": XAC}[code]


def test_the_secretariat_puts_reports_together() -> None:
    merged = merge(
        [
            report("XAA", ("2.1.1.b", "XAA", 2), ("2.1.1.b", "XAB", 3)),
            report("XAB", ("2.1.1.b", "XAA", 2), ("2.1.1.b", "XAB", 2), ("2.4.3", "XAC", 7)),
            report("XAC", ("2.1.1.b", "XAB", 1)),
        ]
    )
    shown = [(row.measure, row.state, row.own and row.own.records) for row in merged]
    assert shown == [("2.1.1.b", "XAA", 2), ("2.1.1.b", "XAB", 2), ("2.4.3", "XAC", None)]
    assert [(row.seen_by, row.seen, row.doubtful) for row in merged] == [
        (1, 2, False),
        (2, 3, True),
        (1, 7, False),
    ]
    assert row_json(merged[2])["own"] is None
    assert merge([]) == ()


def test_a_state_is_not_counted_twice_and_periods_are_not_mixed() -> None:
    with pytest.raises(Invalid, match="XAA reports more than once"):
        merge([report(), report()])
    with pytest.raises(Invalid, match="several editions or periods"):
        merge([report("XAA"), report("XAB", start=date(2025, 1, 1))])


def test_what_is_written_is_a_valid_record_and_reads_back() -> None:
    made = report("XAA", ("2.1.1.b", "XAA", 2), ("2.4.3", "XAB", 1))
    record = example("implementation-review", "own-and-received")
    record |= {"body": json.loads(json.dumps(report_json(made))), "issued_at": "2027-01-02T00:00:00Z"}
    assert (refusals(record), warnings(record)) == ({}, [])
    assert report_of(record["body"]) == made


def handed_in(record_id: str, made: Report, action: str = "new", on: str = "", **more: Any) -> RecordFact:  # noqa: ANN401
    """A report as the record that submits it."""
    more = {"measure": "1.8", "when": when(), **more}
    return fact(
        record_id,
        action,
        on or (),
        by=made.reporter,
        to="CICA",
        record_type="implementation-review",
        body=report_json(made),
        **more,
    )


def test_the_latest_report_of_each_state_counts_as_it_was_corrected() -> None:
    first, second, third = (report("XAA", ("2.1.1.b", "XAA", number)) for number in (1, 2, 3))
    other = report("XAB", ("2.1.1.b", "XAA", 2))
    facts = [
        handed_in("r", first),
        handed_in("c", second, "correction", "r", when=when("2026-05-02")),
        handed_in("b", other),
        handed_in("old", report("XAC", start=date(2025, 1, 1))),
        handed_in("test", report("XAC"), mode="test"),
        handed_in("elsewhere", report("XAC"), measure="1.5"),
        handed_in("queued", report("XAC"), when=None),
    ]
    assert submitted(facts, EDITION, START, END) == (second, other)
    assert submitted(facts[::-1], EDITION, START, END) == (second, other)
    again = [*facts, handed_in("r2", third, when=when("2026-05-03"))]
    assert submitted(again, EDITION, START, END) == (third, other)
    withdrawn = [
        *again,
        fact("w", "withdraw", "r2", to="CICA", when=when("2026-05-04"), measure="1.8", record_type=RECORD_TYPE),
    ]
    assert submitted(withdrawn, EDITION, START, END) == (second, other)
    assert submitted(facts, "another", START, END) == ()
