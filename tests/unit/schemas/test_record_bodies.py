"""Bodies of the record types: at least five named defects each, and the rules that only code can check."""

from typing import Any

import pytest

from tests.support.records import Mutation, at, drop, example, put, refusals, warnings

CELLS = "/body/cells"
BUDGET_DEFECTS: list[tuple[str, Mutation, str]] = [
    ("amount as a number", put(f"{CELLS}/0/amount", 412.5), f"{CELLS}/0/amount"),
    ("amount with a thousands separator", put(f"{CELLS}/0/amount", "1,412.5"), f"{CELLS}/0/amount"),
    ("amount with an exponent", put(f"{CELLS}/0/amount", "4e2"), f"{CELLS}/0/amount"),
    ("amount with a leading zero", put(f"{CELLS}/0/amount", "0412"), f"{CELLS}/0/amount"),
    ("reported without an amount", drop(f"{CELLS}/0/amount"), f"{CELLS}/0/amount"),
    ("nil with an amount", put(f"{CELLS}/1/amount", "0"), f"{CELLS}/1/amount"),
    ("withheld with an amount", put(f"{CELLS}/0/amount_state", "withheld"), f"{CELLS}/0/amount"),
    ("no state", drop(f"{CELLS}/0/amount_state"), f"{CELLS}/0/amount_state"),
    ("amount in other digits", put(f"{CELLS}/0/amount", "\u0664\u0661\u0662"), f"{CELLS}/0/amount"),
    ("amount with a line end", put(f"{CELLS}/0/amount", "412\n"), f"{CELLS}/0/amount"),
    ("null amount", put(f"{CELLS}/0/amount", None), f"{CELLS}/0/amount"),
    ("row of the standardized form in the simplified", put(f"{CELLS}/0/row", "1.1"), f"{CELLS}/0/row"),
    ("column of the standardized form in the simplified", put(f"{CELLS}/0/column", "strategic"), f"{CELLS}/0/column"),
    ("cell twice", put(f"{CELLS}/1/column", "land"), f"{CELLS}/1"),
    ("unknown form", put("/body/form", "short"), "/body/form"),
    ("figures in a nil report", put("/body/form", "nil"), "/body/cells"),
    ("cells in a single figure", put("/body/form", "single-figure"), "/body/cells"),
    ("year that ends before it starts", put("/body/fiscal_year/end", "2024-12-31"), "/body/fiscal_year/end"),
    ("unknown currency", put("/body/unit/currency", "XXX"), "/body/unit/currency"),
    ("odd scale", put("/body/unit/scale", 100), "/body/unit/scale"),
    ("constant prices without their year", put("/body/price_basis/kind", "constant"), "/body/price_basis/base_year"),
    ("current prices with a year", put("/body/price_basis/base_year", 2020), "/body/price_basis/base_year"),
    ("unknown member in a cell", put(f"{CELLS}/0/comment", "x"), f"{CELLS}/0"),
    ("telephone without country code", put("/body/contact/phone", "8123456"), "/body/contact/phone"),
]
ACTIVITY_DEFECTS: list[tuple[str, Mutation, str]] = [
    ("no profile", drop("/body/profile"), "/body/profile"),
    ("unknown activity", put("/body/activity_type", "war"), "/body/activity_type"),
    ("end before start", put("/body/end", "2026-08-01T00:00:00+05:00"), "/body/end"),
    ("phase outside the activity", put("/body/phases/1/end", "2026-08-15T18:00:00+05:00"), "/body/phases/1"),
    ("phase backwards", put("/body/phases/0/end", "2026-08-02T00:00:00+05:00"), "/body/phases/0/end"),
    ("number of phases", put("/body/number_of_phases", 3), "/body/number_of_phases"),
    ("lead time miscounted", put("/body/lead_time_days", 49), "/body/lead_time_days"),
    (
        "foreign contingent not flagged",
        put("/body/participants/1/foreign_contingent", False),
        "/body/participants/1/foreign_contingent",
    ),
    (
        "own forces flagged as foreign",
        put("/body/participants/0/foreign_contingent", True),
        "/body/participants/0/foreign_contingent",
    ),
    ("negative troops", put("/body/total_troops/count", -1), "/body/total_troops/count"),
    ("half a soldier", put("/body/total_troops/count", 10049.5), "/body/total_troops/count"),
    ("nil with a count", put("/body/naval_ships/count", 0), "/body/naval_ships/count"),
    (
        "latitude first",
        put("/body/area/geometry/coordinates/0/0", [46.2, 174.1]),
        "/body/area/geometry/coordinates/0/0/1",
    ),
    ("open ring", put("/body/area/geometry/coordinates/0/4", [74.1, 46.3]), "/body/area/geometry/coordinates/0"),
    (
        "triangle without its closing point",
        put("/body/area/geometry/coordinates/0", [[1, 2], [3, 4], [1, 2]]),
        "/body/area/geometry/coordinates/0",
    ),
    (
        "altitude in a position",
        put("/body/area/geometry/coordinates/0/1", [75.3, 46.2, 9]),
        "/body/area/geometry/coordinates/0/1",
    ),
    ("unknown equipment", put("/body/equipment/0/category", "tank"), "/body/equipment/0/category"),
    ("unknown service", put("/body/troops_by_service/space", {"amount_state": "nil"}), "/body/troops_by_service"),
    ("observers left open", drop("/body/observers_invited"), "/body/observers_invited"),
]
ALERT_DEFECTS: list[tuple[str, Mutation, str]] = [
    ("projection says less severe", put("/body/alert/info/0/severity", "Minor"), "/body/alert/info/0/severity"),
    ("projection leaves out a block", drop("/body/alert/info/1"), "/body/alert/info"),
    (
        "projection adds an instruction",
        put("/body/alert/info/1/instruction", "Leave."),
        "/body/alert/info/1/instruction",
    ),
    ("projection leaves out the contact", drop("/body/alert/info/0/contact"), "/body/alert/info/0/contact"),
    (
        "projection swaps latitude and longitude",
        put("/body/alert/info/0/area/0/circle/0", "76.7000,43.4000 12.5"),
        "/body/alert/info/0/area/0/circle/0",
    ),
    ("time with Z in the projection", put("/body/alert/sent", "2026-04-12T01:30:00Z"), "/body/alert/sent"),
    ("unknown category", put("/body/alert/info/0/category/0", "Flood"), "/body/alert/info/0/category/0"),
    ("no CAP file", drop("/body/cap"), "/body/cap"),
    ("no base64", put("/body/cap", "%%%%"), "/body/cap"),
    ("base64 of no alert", put("/body/cap", "PGEvPg=="), "/body/cap"),
    ("base64 without padding", put("/body/cap", "PGEvPg"), "/body/cap"),
    ("base64 with stray bits", put("/body/cap", "PGEvPh=="), "/body/cap"),
    ("actual alert as an exercise", put("/mode", "exercise"), "/mode"),
    ("GLIDE in lower case", put("/body/glide", "fl-2026-000041-xaa"), "/body/glide"),
    ("natural disaster of an industrial type", put("/body/emdat/type", "industrial-accident"), "/body/emdat/type"),
    (
        "industrial accident without its substance",
        put("/body/emdat", {"group": "technological", "type": "industrial-accident"}),
        "/body/industrial",
    ),
    ("damage as a number", put("/body/effects/damage/amount", 2.5), "/body/effects/damage/amount"),
    ("affected neighbour twice", put("/body/may_affect", ["XAB", "XAB"]), "/body/may_affect"),
    (
        "entry point is no UN/LOCODE",
        put("/body/assistance_requested/0/entry_point", "XAB1D"),
        "/body/assistance_requested/0/entry_point",
    ),
]
DEFECTS = [
    (record_type, name, *case)
    for record_type, name, cases in [
        ("defence-budget", "simplified-actual-outlay", BUDGET_DEFECTS),
        ("military-activity-notification", "field-exercise", ACTIVITY_DEFECTS),
        ("disaster-alert", "flood-warning", ALERT_DEFECTS),
    ]
    for case in cases
]


@pytest.mark.parametrize(
    ("record_type", "name", "change", "path"),
    [(kind, name, change, path) for kind, name, _, change, path in DEFECTS],
    ids=[f"{kind}: {defect}" for kind, _, defect, _, _ in DEFECTS],
)
def test_a_defect_is_refused_at_its_place(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert path in refusals(record)


FIGURES: list[dict[str, Any]] = [
    {"amount_state": "reported", "amount": "0"},
    {"amount_state": "nil"},
    {"amount_state": "not-available"},
    {"amount_state": "withheld"},
]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure["amount_state"])
def test_zero_nil_not_available_and_withheld_are_four_answers(figure: dict[str, Any]) -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    record["body"] |= {"form": "single-figure", "totals_declared": figure}
    del record["body"]["cells"]
    assert refusals(record) == {}
    assert at(record, "/body/totals_declared") == figure


def test_a_nil_report_has_no_figures() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    record["body"]["form"] = "nil"
    del record["body"]["cells"], record["body"]["totals_declared"]
    assert refusals(record) == {}


@pytest.mark.parametrize(
    ("path", "amount", "warned"),
    [
        ("/body/cells/4", "610.8", False),
        ("/body/cells/4", "610.85", False),
        ("/body/cells/4", "610.86", True),
        ("/body/cells/4", "61", True),
        ("/body/cells/14", "999.9", False),
    ],
    ids=["within rounding", "at the tolerance", "just over", "far off", "parts withheld"],
)
def test_a_sum_that_rounding_cannot_explain_is_a_warning(path: str, amount: str, warned: bool) -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    del record["body"]["totals_declared"]
    put(f"{path}/amount", amount)(record)
    assert warnings(record) == ([f"{path}/amount"] if warned else [])


def test_the_grand_total_is_compared_with_the_four_groups() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    record["body"]["totals_declared"]["amount"] = "1570.0"
    assert warnings(record) == ["/body/totals_declared/amount"]


def test_a_row_is_compared_with_the_rows_it_is_split_into() -> None:
    record = example("defence-budget", "standardized-budget-adopted")
    index = next(i for i, c in enumerate(record["body"]["cells"]) if (c["row"], c["column"]) == ("3.1", "air"))
    record["body"]["cells"][index]["amount"] = "1"
    assert f"/body/cells/{index}/amount" in warnings(record)


def test_strengths_that_do_not_add_up_are_a_warning() -> None:
    record = example("military-activity-notification", "field-exercise")
    record["body"]["total_troops"]["count"] = 10_000
    assert warnings(record) == ["/body/total_troops/count"] * 2


def test_a_late_notification_needs_its_reason() -> None:
    record = example("military-activity-notification", "field-exercise")
    record["issued_at"] = "2026-08-05T00:00:00+05:00"
    record["body"]["lead_time_days"] = -2
    assert "/body/late_reason" in refusals(record)
    record["body"]["late_reason"] = {"en": "Flood relief drew the staff away."}
    assert refusals(record) == {}


def test_an_alert_activity_may_be_notified_when_it_starts() -> None:
    record = example("military-activity-notification", "alert-without-notice")
    assert "late_reason" not in record["body"]
    assert refusals(record) == {}


def test_many_polygons_are_each_checked() -> None:
    record = example("military-activity-notification", "field-exercise")
    geometry = record["body"]["area"]["geometry"]
    rings = geometry["coordinates"]
    geometry |= {"type": "MultiPolygon", "coordinates": [rings, [[*rings[0][:-1], [75.0, 46.0]]]]}
    assert "/body/area/geometry/coordinates/1/0" in refusals(record)


def test_an_update_cannot_pass_as_a_cancellation() -> None:
    record = example("disaster-alert", "chemical-spill-update")
    record["action"] = "cancel"
    assert refusals(record) == {"/body/alert/msgType": "Cancel, since the record's action is cancel"}


def test_the_check_digit_of_a_cas_number_counts() -> None:
    record = example("disaster-alert", "chemical-spill-update")
    record["body"]["industrial"]["cas"] = "7664-41-8"
    assert "/body/industrial/cas" in refusals(record)


def test_stating_the_type_without_the_group_does_not_break_the_checks() -> None:
    record = example("disaster-alert", "flood-warning")
    record["body"]["emdat"] = {"type": "industrial-accident"}
    assert {"/body/emdat/group", "/body/industrial"} <= refusals(record).keys()
