"""Entries of an audit log as values: also those of a store that was altered by hand."""

import pytest

from exchange.audit.shown import COLUMNS, csv_lines, shown
from schemas.audit import AuditEntry, AuditKind, write_entry

NOW = 1_800_000_000


def entry(**values: object) -> bytes:
    return write_entry(AuditEntry(AuditKind.ALARM, bytes(32), NOW, **values))  # type: ignore[arg-type]


def test_an_entry_says_what_it_knows_and_no_more() -> None:
    assert shown(7, 0, entry(reason="missing", member="MNG")) == {
        "index": 7,
        "time": "2027-01-15T08:00:00Z",
        "kind": "alarm",
        "member": "MNG",
        "reason": "missing",
    }


@pytest.mark.parametrize(("lost", "kind"), [(False, "pruned"), (True, "lost")])
def test_what_has_no_leaf_has_its_time_only(lost: bool, kind: str) -> None:
    assert shown(7, NOW, None, lost) == {"index": 7, "time": "2027-01-15T08:00:00Z", "kind": kind}


def test_what_is_no_entry_is_told_as_that() -> None:
    assert shown(7, NOW, b"\x80")["kind"] == "unreadable"


@pytest.mark.parametrize("time", [253_402_300_800, 2**62, -(2**62)])
def test_a_time_that_no_calendar_has_is_shown_as_none(time: int) -> None:
    assert shown(7, time, None) == {"index": 7, "time": "no-time", "kind": "pruned"}


def test_a_table_has_a_heading_and_a_place_for_everything() -> None:
    heading, row = csv_lines([shown(7, NOW, entry(reason="missing"))])
    assert heading.split(",") == list(COLUMNS)
    assert row.split(",")[:3] == ["7", "2027-01-15T08:00:00Z", "alarm"]
    assert row.count(",") == heading.count(",")
