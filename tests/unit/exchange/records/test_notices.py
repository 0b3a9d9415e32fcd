"""What differs from the agreed modalities is told, and is never refused."""

from datetime import date
from typing import Any, ClassVar

import pytest

from exchange.records.notices import quantities, reaches, warnings
from exchange.records.participation import Declaration, parse_declaration
from tests.support.records import example

Record = dict[str, Any]
DAY = date(2026, 1, 1)


def declaration(*agreements: Record) -> Declaration:
    """XAA's, with one agreement on notifications unless others are given."""
    rows = agreements or ({"measure": "2.1.1.d", "partners": ["XAB", "XAC", "XAD"]},)
    whole = {"member": "XAA", "catalogue": "cica-catalogue-draft-2021-09-27"}
    return parse_declaration({**whole, "agreement": [{"since": DAY, **row} for row in rows]})


def notified(**agreement: object) -> Declaration:
    return declaration({"measure": "2.1.1.d", "partners": ["XAB", "XAC", "XAD"], **agreement})


def exercise() -> Record:
    return example("military-activity-notification", "field-exercise")


def codes(record: Record, declared: Declaration) -> set[tuple[str, str | None]]:
    return {(notice.code, notice.partner) for notice in warnings(record, declared)}


def test_what_is_as_agreed_gives_no_notice() -> None:
    assert warnings(exercise(), notified(profile="vd11")) == ()


def test_a_measure_that_is_not_declared() -> None:
    budget = example("defence-budget", "simplified-actual-outlay")
    assert codes(budget, declaration()) == {("measure-not-declared", None)}


def test_an_agreement_that_has_not_begun_is_none() -> None:
    assert codes(exercise(), notified(since=date(2030, 1, 1))) == {("measure-not-declared", None)}


def test_a_partner_with_whom_it_is_not_agreed() -> None:
    record = exercise()
    record["recipients"] = ["CICA", "XAB", "XAZ"]
    assert codes(record, notified()) == {("partner-not-agreed", "XAZ")}


def test_a_measure_that_only_the_partner_provides() -> None:
    found = codes(exercise(), notified(direction="they-provide"))
    assert {code for code, _ in found} == {"not-ours-to-provide"}


def test_a_lead_time_shorter_than_agreed_is_told_for_the_partner_with_whom_it_is() -> None:
    days = exercise()["body"]["lead_time_days"]
    declared = declaration(
        {"measure": "2.1.1.d", "partners": ["XAB"], "lead_time_days": days + 1},
        {"measure": "2.1.1.d", "partners": ["XAC", "XAD"], "lead_time_days": days},
    )
    (notice,) = warnings(exercise(), declared)
    assert (notice.code, notice.partner) == ("lead-time-short", "XAB")
    assert notice.detail == f"{days} days before the start, agreed are {days + 1}"


def test_an_alert_without_notice_has_no_lead_time() -> None:
    alert = example("military-activity-notification", "alert-without-notice")
    assert "lead-time-short" not in {code for code, _ in codes(alert, notified(lead_time_days=42))}


def test_another_profile_than_agreed() -> None:
    assert {code for code, _ in codes(exercise(), notified(profile="another"))} == {"profile-differs"}


def test_below_every_threshold_it_is_voluntary() -> None:
    troops = quantities(exercise()["body"])["troops"]
    below = codes(exercise(), notified(thresholds={"troops": troops + 1}))
    assert below == {("below-thresholds", code) for code in ("XAB", "XAC", "XAD")}
    assert codes(exercise(), notified(thresholds={"troops": troops})) == set()


def test_observers_are_due_above_the_threshold_for_inviting_them() -> None:
    record = exercise()
    record["body"]["observers_invited"] = False
    troops = quantities(record["body"])["troops"]
    agreed: list[Record] = [
        {"measure": "2.1.1.d", "partners": ["XAB", "XAC", "XAD"]},
        {"measure": "2.1.2", "partners": ["XAB"], "thresholds": {"troops": troops}},
        {"measure": "2.1.2", "partners": ["XAC"], "thresholds": {"troops": troops + 1}},
    ]
    assert codes(record, declaration(*agreed)) == {("observers-due", "XAB")}
    record["body"]["observers_invited"] = True
    assert codes(record, declaration(*agreed)) == set()


@pytest.mark.parametrize("change", [{"mode": "exercise"}, {"action": "ack"}, {"action": "cancel"}, {"measure": "3.A"}])
def test_answers_endings_exercises_and_section_3_are_not_judged(change: Record) -> None:
    assert warnings({**exercise(), **change}, declaration({"measure": "2.1.2", "partners": ["XAB"]})) == ()


class TestThresholds:
    BODY: ClassVar[Record] = {
        "activity_type": "field-exercise",
        "total_troops": {"amount_state": "reported", "count": 5000},
        "equipment": [
            {"category": "battle-tank", "quantity": {"amount_state": "reported", "count": 100}},
            {"category": "battle-tank", "quantity": {"amount_state": "reported", "count": 60}},
            {"category": "warship", "quantity": {"amount_state": "withheld"}},
        ],
    }

    def judged(self, body: Record, **thresholds: int) -> bool | None:
        return reaches(body, notified(thresholds=thresholds).agreements[0])

    def test_quantities_are_sums_and_what_is_withheld_is_unknown(self) -> None:
        found = quantities(self.BODY)
        assert (found["battle-tank"], found["salw"], found["landing-troops"]) == (160, 0, 0)
        assert "warship" not in found
        assert "air-sorties" not in found

    def test_one_threshold_reached_is_enough(self) -> None:
        assert self.judged(self.BODY, troops=9000, **{"battle-tank": 160}) is True

    def test_none_reached(self) -> None:
        assert self.judged(self.BODY, troops=9000, **{"battle-tank": 161, "landing-troops": 3000}) is False

    def test_what_is_unknown_decides_nothing(self) -> None:
        assert self.judged(self.BODY, troops=9000, warship=1) is None
        assert self.judged({**self.BODY, "equipment": []}, **{"battle-tank": 1}) is None

    def test_landing_troops_count_in_a_landing(self) -> None:
        landing = {**self.BODY, "activity_type": "amphibious-landing"}
        assert self.judged(landing, troops=9000, **{"landing-troops": 3000}) is True
