"""Counts for the review of 1.8: evidence only, nothing of the content, and strict reading of what others submit."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from exchange.errors import Invalid, Json
from exchange.records.facts import RecordFact
from exchange.records.review import Count, Report, count, merge, parse_report, report_json, row_json
from tests.support.facts import EDITION, XAA, XAB, XAC, at, fact

START, END = date(2026, 1, 1), date(2026, 12, 31)


def counted(facts: list[RecordFact], *, own_only: bool = False) -> tuple[Count, ...]:
    return count(facts, XAA, EDITION, START, END, own_only=own_only).counts


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


def test_what_is_written_reads_back() -> None:
    made = report("XAA", ("2.1.1.b", "XAA", 2), ("2.4.3", "XAB", 1))
    assert parse_report(json.loads(json.dumps(report_json(made))), XAA) == made


FAULTS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("reporter", lambda raw: raw.update(reporter="XAB")),
    ("catalogue", lambda raw: raw.update(catalogue="A B")),
    ("start", lambda raw: raw.update(start="2026-1-1")),
    ("end", lambda raw: raw.update(end="2025-01-01")),
    ("counts", lambda raw: raw.update(counts={})),
    ("counts", lambda raw: raw["counts"].reverse()),
    ("counts", lambda raw: raw["counts"].append(raw["counts"][1])),
    ("counts", lambda raw: raw.update(counts=raw["counts"] * 5001)),
    ("counts/0", lambda raw: raw["counts"].insert(0, None)),
    ("counts/0/measure", lambda raw: raw["counts"][0].update(measure="9.9")),
    ("counts/0/records", lambda raw: raw["counts"][0].update(records=-1)),
    ("counts/0/records", lambda raw: raw["counts"][0].update(records=1.0)),
    ("counts/0/nil", lambda raw: raw["counts"][0].update(nil=3)),
    ("counts/0/replies", lambda raw: raw["counts"][0].pop("replies")),
    ("counts/0/title", lambda raw: raw["counts"][0].update(title="x")),
    ("partners", lambda raw: raw.update(partners=["XAB"])),
]


@pytest.mark.parametrize(("path", "change"), FAULTS, ids=[f"{i}-{path}" for i, (path, _) in enumerate(FAULTS)])
def test_a_faulty_report_is_refused_with_its_path(path: str, change: Callable[[dict[str, Any]], object]) -> None:
    raw: dict[str, Json] = report_json(report("XAA", ("2.1.1.b", "XAA", 2), ("2.4.3", "XAB", 1)))
    change(raw)
    with pytest.raises(Invalid) as caught:
        parse_report(raw, XAA)
    assert (caught.value.code, caught.value.detail.split(":")[0]) == ("bad-review", path)
