"""Bodies of the military-political types: named defects, and the rules that only code can check."""

import pytest

from tests.support.records import Defects, Mutation, at, both, cases, drop, example, put, refusals, warnings

COMPONENTS = "/body/components"
PERMISSION = "/body/release_permission"
INSTRUMENTS = "/body/instruments"
DEFECTS: Defects = {
    ("armed-forces-components", "annual-exchange"): [
        ("component under one that is not there", put(f"{COMPONENTS}/1/parent_ref", "x"), f"{COMPONENTS}/1/parent_ref"),
        ("component under itself", put(f"{COMPONENTS}/0/parent_ref", "land"), f"{COMPONENTS}/0/parent_ref"),
        ("circle of commanders", put(f"{COMPONENTS}/0/parent_ref", "corps-1"), f"{COMPONENTS}/0/parent_ref"),
        ("name given twice", put(f"{COMPONENTS}/3/ref", "air"), f"{COMPONENTS}/3/ref"),
        ("zone that nobody can find", put("/body/coverage", "zone"), "/body/coverage_text"),
        ("whole territory with a zone", put("/body/coverage_text", {"en": "x"}), "/body/coverage_text"),
        ("unknown service", put(f"{COMPONENTS}/0/kind", "space"), f"{COMPONENTS}/0/kind"),
        (
            "withheld with a count",
            put(f"{COMPONENTS}/1/personnel_actual/count", 0),
            f"{COMPONENTS}/1/personnel_actual/count",
        ),
        ("no components", put(COMPONENTS, []), COMPONENTS),
        (
            "negative tanks",
            put(f"{COMPONENTS}/1/equipment/0/quantity/count", -1),
            f"{COMPONENTS}/1/equipment/0/quantity/count",
        ),
        ("no day", drop("/body/as_of"), "/body/as_of"),
    ],
    ("foreign-contingents", "training-mission"): [
        ("permission of the host", put(f"{PERMISSION}/granted_by", "XAA"), f"{PERMISSION}/granted_by"),
        ("no permission", drop(PERMISSION), PERMISSION),
        (
            "permission that is to come",
            put(f"{PERMISSION}/granted_at", "2026-05-05T00:00:00Z"),
            f"{PERMISSION}/granted_at",
        ),
        ("permission without a reference", drop(f"{PERMISSION}/reference"), f"{PERMISSION}/reference"),
        ("own forces as foreign", both(put("/body/host", "XAD")), "/body/sending_state"),
        ("band that the number is not in", put("/body/personnel_band", "1-99"), "/body/personnel_band"),
        ("legal basis without its text", drop("/body/legal_basis/text"), "/body/legal_basis/text"),
        ("leaves before it comes", put("/body/until", "2026-03-31"), "/body/until"),
        ("country in two letters", put("/body/sending_state", "XA"), "/body/sending_state"),
        ("equipment outside the register", put("/body/equipment/0/category", "lorry"), "/body/equipment/0/category"),
    ],
    ("observer-invitation", "invitation"): [
        ("invitee who is no recipient", put("/body/invitee", "XAC"), "/body/invitee"),
        ("reply due when it has begun", put("/body/reply_by", "2026-08-04T10:00:00+05:00"), "/body/reply_by"),
        ("reply due before the invitation", put("/body/reply_by", "2026-06-01T10:00:00+05:00"), "/body/reply_by"),
        (
            "day that ends before it starts",
            put("/body/programme/0/end", "2026-08-04T08:00:00+05:00"),
            "/body/programme/0/end",
        ),
        ("no programme", drop("/body/programme"), "/body/programme"),
        ("arrival at no UN/LOCODE", drop("/body/arrival_point/unlocode"), "/body/arrival_point/unlocode"),
        ("camera and nothing", put("/body/equipment_allowed", ["camera", "none"]), "/body/equipment_allowed"),
        ("no places", put("/body/places", 0), "/body/places"),
        ("activity by its name", put("/body/activity_ref", "Steppe 2026"), "/body/activity_ref"),
        ("answer in an invitation", put("/body/answer", "accepted"), "/body"),
    ],
    ("observer-invitation", "acceptance"): [
        ("accepted without observers", drop("/body/observers"), "/body/observers"),
        ("declined with observers", put("/body/answer", "declined"), "/body/observers"),
        ("passport number in clear", put("/body/observers/0/passport", "N1234567"), "/body/observers/0/passport"),
        (
            "passport number beside its digest",
            put("/body/observers/0/passport/number", "N12"),
            "/body/observers/0/passport",
        ),
        ("answer outside the codes", put("/body/answer", "perhaps"), "/body/answer"),
        ("reply to nothing", drop("/references"), "/references"),
    ],
    ("incident-consultation", "request"): [
        ("request without a question", drop("/body/question"), "/body/question"),
        ("request without a due time", drop("/body/reply_due"), "/body/reply_due"),
        ("due before it is asked", put("/body/reply_due", "2026-02-11T03:00:00Z"), "/body/reply_due"),
        ("incident that is to come", put("/body/occurred_at", "2026-02-12T00:00:00Z"), "/body/occurred_at"),
        ("unknown step", put("/body/step", "ultimatum"), "/body/step"),
        ("nobody concerned", put("/body/parties", []), "/body/parties"),
        ("negative distance", put("/body/distance_to_border", -1), "/body/distance_to_border"),
        ("explanation of nothing", both(put("/body/step", "explanation"), drop("/body/question")), "/references"),
        ("explanation that asks", put("/body/step", "explanation"), "/body/question"),
        ("no contact", drop("/body/poc"), "/body/poc"),
    ],
    ("visit-event-invitation", "college-visit"): [
        ("ends before it starts", put("/body/dtend", "2026-10-11T09:00:00+05:00"), "/body/dtend"),
        ("answer after it has begun", put("/body/rsvp_by", "2026-10-12T10:00:00+05:00"), "/body/dtstart"),
        ("item after the end", put("/body/programme/0/end", "2026-10-17T12:00:00+05:00"), "/body/programme/0"),
        ("unknown kind", put("/body/invitation_kind", "inspection"), "/body/invitation_kind"),
        ("no seats", put("/body/seats", 0), "/body/seats"),
        (
            "specialized meeting without its area",
            put("/body/invitation_kind", "specialized-meeting"),
            "/body/priority_area",
        ),
        ("observer states at a visit", put("/body/observer_states_allowed", True), "/body/observer_states_allowed"),
        ("modality B for a visit", put("/measure", "3.B"), "/body/invitation_kind"),
    ],
    ("visit-event-invitation", "acceptance"): [
        ("accepted without delegates", drop("/body/delegates"), "/body/delegates"),
        ("declined with delegates", put("/body/partstat", "DECLINED"), "/body/delegates"),
        ("code in lower case", put("/body/partstat", "accepted"), "/body/partstat"),
    ],
    ("personnel-cv", "chief-of-staff"): [
        ("date of birth", put("/body/date_of_birth", "1970-01-01"), "/body"),
        ("family", put("/body/family", {"en": "x"}), "/body"),
        ("no consent", drop("/body/consent"), "/body/consent"),
        ("consent refused", put("/body/consent", False), "/body/consent"),
        ("kept for ever", drop("/body/retention_until"), "/body/retention_until"),
        ("kept until yesterday", put("/body/retention_until", "2026-04-05"), "/body/retention_until"),
        ("photograph that is not attached", put("/body/photo/sha256", "0" * 64), "/body/photo"),
        ("name in no Latin letters", put("/body/name", {"ru": "Должность"}), "/body/name/en"),
        ("rank beyond the scale", put("/body/rank_code", "OF-11"), "/body/rank_code"),
        ("left before coming", put("/body/career/0/to", "2008-05-31"), "/body/career/0/to"),
    ],
    ("treaty-status", "arms-control"): [
        ("ratified without a day", drop(f"{INSTRUMENTS}/3/date"), f"{INSTRUMENTS}/3/date"),
        ("no action on a day", put(f"{INSTRUMENTS}/2/date", "2020-01-01"), f"{INSTRUMENTS}/2/date"),
        ("other without its title", drop(f"{INSTRUMENTS}/3/title"), f"{INSTRUMENTS}/3/title"),
        ("unknown instrument", put(f"{INSTRUMENTS}/0/instrument", "INF"), f"{INSTRUMENTS}/0/instrument"),
        ("unknown action", put(f"{INSTRUMENTS}/0/action", "adhesion"), f"{INSTRUMENTS}/0/action"),
        ("to be ratified next year", put(f"{INSTRUMENTS}/0/date", "2027-01-01"), f"{INSTRUMENTS}/0/date"),
        (
            "in force before",
            put(f"{INSTRUMENTS}/0/entry_into_force", "1994-02-13"),
            f"{INSTRUMENTS}/0/entry_into_force",
        ),
        ("reference of no chapter", put(f"{INSTRUMENTS}/1/utc_reference", "26-4"), f"{INSTRUMENTS}/1/utc_reference"),
        (
            "entry twice",
            put(f"{INSTRUMENTS}/1", {"instrument": "moon-agreement", "action": "none"}),
            f"{INSTRUMENTS}/2",
        ),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(DEFECTS))
def test_a_defect_is_refused_at_its_place(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert path in refusals(record)


WARNINGS: Defects = {
    ("armed-forces-components", "annual-exchange"): [
        (
            "more than authorised",
            put(f"{COMPONENTS}/0/personnel_actual/count", 42001),
            f"{COMPONENTS}/0/personnel_actual",
        ),
        ("another year", put("/body/reference_year", 2026), "/body/reference_year"),
    ],
    ("foreign-contingents", "training-mission"): [("third state tells", put("/originators", ["XAE"]), "/originators")],
    ("observer-invitation", "invitation"): [
        ("one place under vd11", put("/body/places", 1), "/body/places"),
        ("short time under vd11", put("/body/reply_by", "2026-07-14T10:00:00+05:00"), "/body/reply_by"),
    ],
    ("incident-consultation", "request"): [
        ("long time under vd11", put("/body/reply_due", "2026-02-13T05:00:00Z"), "/body/reply_due"),
    ],
    ("incident-consultation", "ict-question"): [
        ("military incident under an ICT measure", put("/body/incident_type", "collision"), "/body/incident_type"),
    ],
    ("visit-event-invitation", "college-visit"): [
        ("sport under military visits", put("/body/invitation_kind", "sport-event"), "/body/invitation_kind"),
    ],
    ("treaty-status", "arms-control"): [
        ("crime under arms control", put(f"{INSTRUMENTS}/0/instrument", "UNTOC"), f"{INSTRUMENTS}/0/instrument"),
    ],
    ("military-activity-notification", "field-exercise"): [
        (
            "short notice under vd11",
            both(put("/issued_at", "2026-07-20T09:00:00+05:00"), put("/body/lead_time_days", 13)),
            "/body/late_reason",
        ),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(WARNINGS))
def test_what_is_doubtful_is_a_warning(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert warnings(record) == [path]


@pytest.mark.parametrize("member", ["personnel_authorised", "personnel_actual"])
@pytest.mark.parametrize("state", ["nil", "not-available", "withheld"])
def test_no_number_and_zero_are_different_answers(member: str, state: str) -> None:
    record = example("armed-forces-components", "annual-exchange")
    put(f"{COMPONENTS}/0/{member}", {"amount_state": state})(record)
    assert refusals(record) == {}
    put(f"{COMPONENTS}/0/{member}", {"amount_state": "reported", "count": 0})(record)
    assert refusals(record) == {}
    put(f"{COMPONENTS}/0/{member}", {"amount_state": state, "count": 0})(record)
    assert f"{COMPONENTS}/0/{member}/count" in refusals(record)


def test_a_long_chain_of_command_is_walked_once_for_each_component() -> None:
    record = example("armed-forces-components", "annual-exchange")
    first = at(record, f"{COMPONENTS}/0")
    chain = [first | {"ref": f"c{n}", "parent_ref": f"c{n + 1}"} for n in range(1999)]
    record["body"]["components"] = [*chain, first | {"ref": "c1999"}]
    assert refusals(record) == {}
    put(f"{COMPONENTS}/1999/parent_ref", "c0")(record)
    assert len(refusals(record)) == 50


def test_a_profile_that_is_not_known_here_is_not_judged() -> None:
    record = example("observer-invitation", "invitation")
    record["body"] |= {"profile": "xaa-xab-2024", "places": 1}
    assert warnings(record) == []
