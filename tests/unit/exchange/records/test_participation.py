"""The declaration's file: what it means, and that nothing unknown or contradictory is taken."""

import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from exchange.errors import Invalid
from exchange.records.participation import Covers, Direction, MonthDay, parse_declaration
from tests.support.facts import XAB, XAC

FILE = """
member = "XAA"
catalogue = "cica-catalogue-draft-2021-09-27"

[[agreement]]
measure = "2.1.1.b"
partners = ["XAC", "XAB"]
since = 2026-01-01
reference = "Note 17"
direction = "we-provide"
due = ["12-15", "06-30"]
covers = "previous-year"
year_start = "04-01"

[[agreement]]
measure = "2.1.1.d"
partners = ["XAB"]
since = 2026-01-01
until = 2027-12-31
profile = "vd11"
thresholds = { troops = 9000, battle-tank = 250 }
"""

Table = dict[str, Any]


def table() -> Table:
    return tomllib.loads(FILE)


def test_a_declaration_says_what_is_agreed_with_whom() -> None:
    declaration = parse_declaration(table())
    budget, activity = declaration.agreements
    assert (budget.partners, budget.reference, budget.direction) == ((XAB, XAC), "Note 17", Direction.WE_PROVIDE)
    assert (budget.due, budget.covers) == ((MonthDay(6, 30), MonthDay(12, 15)), Covers.PREVIOUS_YEAR)
    assert (budget.year_start, budget.record_types) == (MonthDay(4, 1), ("defence-budget",))
    assert (budget.we_provide, budget.they_provide) == (True, False)
    assert activity.thresholds == (("battle-tank", 250), ("troops", 9000))
    assert (activity.direction, activity.covers, activity.year_start) == (
        Direction.MUTUAL,
        Covers.SINCE_LAST,
        MonthDay(1, 1),
    )


def test_the_lead_time_is_the_profiles_unless_it_is_agreed() -> None:
    assert parse_declaration(table()).agreements[1].lead_time_days == 42
    changed = table()
    changed["agreement"][1]["lead_time_days"] = 21
    assert parse_declaration(changed).agreements[1].lead_time_days == 21


def test_an_agreement_holds_from_its_first_to_its_last_day() -> None:
    declaration = parse_declaration(table())
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2027, 12, 31), date(2028, 1, 1)]
    assert [len(declaration.about("2.1.1.d", day)) for day in days] == [0, 1, 1, 0]


def test_a_measure_may_be_agreed_anew_with_the_same_partner_later() -> None:
    changed = table()
    changed["agreement"].append({"measure": "2.1.1.d", "partners": ["XAB"], "since": date(2028, 1, 1)})
    assert len(parse_declaration(changed).agreements) == 3


def test_taking_part_in_nothing_is_a_declaration_too() -> None:
    assert parse_declaration({"member": "XAA", "catalogue": table()["catalogue"]}).agreements == ()


def row(**values: object) -> Callable[[Table], None]:
    return lambda whole: whole["agreement"][0].update(values)


FAULTS: list[tuple[str, Callable[[Table], object]]] = [
    ("member", lambda whole: whole.pop("member")),
    ("member", lambda whole: whole.update(member="Kazakhstan")),
    ("catalogue", lambda whole: whole.update(catalogue="another")),
    ("extra", lambda whole: whole.update(extra=1)),
    ("agreement", lambda whole: whole.update(agreement={"measure": "2.1.1.b"})),
    ("agreement/0", lambda whole: whole["agreement"].insert(0, "2.1.1.b")),
    ("agreement/0/leadtime", row(leadtime=3)),
    ("agreement/0/measure", row(measure="2.1.1")),
    ("agreement/0/measure", row(measure="2.9.1")),
    ("agreement/0/partners", row(partners=[])),
    ("agreement/0/partners", row(partners=["XAB", "XAB"])),
    ("agreement/0/partners", row(partners=["XAA"])),
    ("agreement/0/partners/1", row(partners=["XAB", 3])),
    ("agreement/0/since", row(since="soon")),
    ("agreement/0/since", row(since=20260101)),
    ("agreement/0/since", row(since=datetime(2026, 1, 1, tzinfo=UTC))),
    ("agreement/0/until", row(until=date(2025, 1, 1))),
    ("agreement/0/direction", row(direction="both")),
    ("agreement/0/record_types", row(record_types=["treaty-status"])),
    ("agreement/0/record_types", row(record_types=["defence-budget", 1])),
    ("agreement/0/due/0", row(due=["02-29"])),
    ("agreement/0/due/0", row(due=["1-5"])),
    ("agreement/0/due/1", row(due=["12-15", "13-01"])),
    ("agreement/0/due", row(due="12-15")),
    ("agreement/0/year_start", row(year_start="April")),
    ("agreement/0/lead_time_days", row(lead_time_days=-1)),
    ("agreement/0/lead_time_days", row(lead_time_days=True)),
    ("agreement/0/lead_time_days", row(lead_time_days=4000)),
    ("agreement/0/thresholds/tanks", row(thresholds={"tanks": 1})),
    ("agreement/0/thresholds/troops", row(thresholds={"troops": "many"})),
    ("agreement/1/partners", lambda whole: whole["agreement"].insert(0, dict(whole["agreement"][0]))),
]


@pytest.mark.parametrize(("path", "change"), FAULTS, ids=[f"{i}-{path}" for i, (path, _) in enumerate(FAULTS)])
def test_a_fault_is_refused_with_its_path(path: str, change: Callable[[Table], object]) -> None:
    whole = table()
    change(whole)
    with pytest.raises(Invalid) as caught:
        parse_declaration(whole)
    assert caught.value.code == "bad-participation"
    assert caught.value.detail.startswith(f"{path}: ")


@pytest.mark.parametrize("value", [None, [], "text", {1: 2}])
def test_what_is_no_table_is_refused(value: object) -> None:
    with pytest.raises(Invalid):
        parse_declaration(value)
