"""Bodies of the types on new challenges and threats: named defects, and the rules that only code can check."""

import json

import pytest

from schemas.record_errors import RecordError
from schemas.record_limits import MAX_DEPTH
from schemas.stix_markings import FIXED
from schemas.terms import Tlp
from schemas.validate import load_json
from tests.support.records import Defects, Mutation, both, cases, drop, example, put, refusals, warnings

OBJECTS = "/body/stix_bundle/objects"
MARKED = f"{OBJECTS}/1/object_marking_refs/0"
CASES = "/body/cases"
GREEN_1 = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
GREEN_2 = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
RED_2 = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
OWN = "marking-definition--11111111-1111-4111-8111-111111111111"
DEFECTS: Defects = {
    ("national-measures", "trafficking"): [
        ("bracketed topic without its flag", put("/body/topic", "salw"), "/body/draft_bracket"),
        ("flag on an agreed topic", put("/body/draft_bracket", True), "/body/draft_bracket"),
        (
            "flag that says no",
            both(put("/body/topic", "firearms"), put("/body/draft_bracket", False)),
            "/body/draft_bracket",
        ),
        (
            "bracketed topic under a clean measure",
            both(put("/measure", "2.2.3"), put("/body/topic", "firearms"), put("/body/draft_bracket", True)),
            "/body/draft_bracket",
        ),
        ("period backwards", put("/body/period/end", "2024-12-31"), "/body/period/end"),
        ("law of tomorrow", put("/body/measures/0/date", "2026-03-12"), "/body/measures/0/date"),
        ("no measure", put("/body/measures", []), "/body/measures"),
        ("money without a currency", drop("/body/statistics/3/currency"), "/body/statistics/3/currency"),
        ("count in a currency", put("/body/statistics/0/currency", "USD"), "/body/statistics/0/currency"),
        ("unknown indicator", put("/body/statistics/0/indicator", "suspicions"), "/body/statistics/0/indicator"),
        ("figure as a number", put("/body/statistics/0/value/amount", 61), "/body/statistics/0/value/amount"),
        ("seizures of persons", put("/body/seizures", [{"substance": "opium"}]), "/body/seizures"),
    ],
    ("national-measures", "drugs"): [
        ("precursor without its CAS number", drop("/body/seizures/1/cas"), "/body/seizures/1/cas"),
        ("wrong check digit", put("/body/seizures/1/cas", "108-24-8"), "/body/seizures/1/cas"),
        ("unknown substance", put("/body/seizures/0/substance", "tea"), "/body/seizures/0/substance"),
        ("no unit", drop("/body/seizures/0/unit"), "/body/seizures/0/unit"),
    ],
    ("legal-cooperation-request", "asset-tracing"): [
        (
            "in another state's name",
            put("/body/requesting_authority/country", "XAC"),
            "/body/requesting_authority/country",
        ),
        (
            "to who does not receive it",
            put("/body/requested_authority/country", "XAC"),
            "/body/requested_authority/country",
        ),
        ("urgent without a due time", drop("/body/due"), "/body/due"),
        ("due yesterday", put("/body/due", "2026-05-17T10:00:00+05:00"), "/body/due"),
        ("no statute", drop("/body/offence/statute"), "/body/offence/statute"),
        ("basis in neither treaty nor reciprocity", put("/body/legal_basis/kind", "custom"), "/body/legal_basis/kind"),
        ("confidentiality left open", drop("/body/confidentiality"), "/body/confidentiality"),
        ("document number in clear", put("/body/subjects/0/id_number", "12"), "/body/subjects/0"),
        ("short digest", put("/body/subjects/0/id_digest/sha256", "ab"), "/body/subjects/0/id_digest/sha256"),
    ],
    ("legal-cooperation-request", "partly-executed"): [
        ("in part without the ground", drop("/body/ground"), "/body/ground"),
        ("refused without the ground", both(put("/body/status", "refused"), drop("/body/ground")), "/body/ground"),
        ("reply with a request", put("/body/request_kind", "extradition"), "/body"),
    ],
    ("wmd-proliferation-information", "suspicious-procurement"): [
        ("procurement of nothing", drop("/body/items"), "/body/items"),
        ("reliability without credibility", drop("/body/credibility"), "/body/credibility"),
        ("credibility as a number", put("/body/credibility", 3), "/body/credibility"),
        ("HS code with a point", put("/body/items/0/hs_code", "8414.10"), "/body/items/0/hs_code"),
        ("unknown control list", put("/body/items/0/control_list", "COCOM"), "/body/items/0/control_list"),
        ("quantity without a unit", drop("/body/items/0/unit"), "/body/items/0/unit"),
        ("wrong check digit", put("/body/items/0/cas", "7719-09-8"), "/body/items/0/cas"),
        ("red for members", put("/handling/onward", "members"), "/handling/onward"),
    ],
    ("ict-incident", "indicators"): [
        ("indicators without a bundle", drop("/body/stix_bundle"), "/body/stix_bundle"),
        ("bundle of STIX 2.0", put("/body/stix_bundle/spec_version", "2.0"), "/body/stix_bundle"),
        ("object of STIX 2.0", put(f"{OBJECTS}/1/spec_version", "2.0"), f"{OBJECTS}/1/spec_version"),
        ("id of another type", put(f"{OBJECTS}/1/type", "malware"), f"{OBJECTS}/1/id"),
        (
            "id in capitals",
            put(f"{OBJECTS}/1/id", "indicator--8E2E2D2B-17D4-4CBF-938F-98EE46B3CD3F"),
            f"{OBJECTS}/1/id",
        ),
        ("null inside the bundle", put(f"{OBJECTS}/1/name", None), f"{OBJECTS}/1/name"),
        ("empty list inside the bundle", put(f"{OBJECTS}/1/labels", []), f"{OBJECTS}/1/labels"),
        ("marking stricter than the record", put(MARKED, RED_2), MARKED),
        ("every marking looser than the record", put("/handling/tlp", "RED"), MARKED),
        (
            "looser marking of a part",
            both(
                put("/handling/tlp", "RED"),
                drop(f"{OBJECTS}/1/object_marking_refs"),
                put(
                    f"{OBJECTS}/1/granular_markings",
                    [
                        {
                            "marking_ref": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
                            "selectors": ["name"],
                        }
                    ],
                ),
            ),
            f"{OBJECTS}/1/granular_markings/0/marking_ref",
        ),
        ("stricter label of an exporter", put(f"{OBJECTS}/1/labels", ["tlp:red"]), f"{OBJECTS}/1/labels/0"),
        ("detected tomorrow", put("/body/detected_at", "2026-05-07T00:00:00Z"), "/body/detected_at"),
        ("unknown category", put("/body/category", "cyber"), "/body/category"),
        ("sector twice", put("/body/affected_sectors", ["energy", "energy"]), "/body/affected_sectors"),
    ],
    ("ict-incident", "incident"): [
        ("question in an incident", put("/body/question", {"en": "x"}), "/body/question"),
        ("clarification without a question", put("/body/subtype", "clarification-request"), "/body/question"),
        ("no CVE number", put("/body/vulnerabilities/0", "CVE-21-1"), "/body/vulnerabilities/0"),
        ("over before it began", put("/body/occurred/end", "2026-05-27"), "/body/occurred/end"),
    ],
    ("disease-outbreak", "avian-influenza"): [
        ("more confirmed than there are", put(f"{CASES}/confirmed/count", 4), f"{CASES}/confirmed/count"),
        ("more dead than there are", put(f"{CASES}/deaths/count", 4), f"{CASES}/deaths/count"),
        ("classes above the total", put(f"{CASES}/suspected/count", 2), f"{CASES}/total/count"),
        ("no total", drop(f"{CASES}/total"), f"{CASES}/total"),
        ("withheld with a count", put(f"{CASES}/total/amount_state", "withheld"), f"{CASES}/total/count"),
        ("question left open", drop("/body/q3_spread_risk"), "/body/q3_spread_risk"),
        ("answer as true", put("/body/q1_serious_impact", True), "/body/q1_serious_impact"),
        ("always notifiable, but which", drop("/body/annex2_disease"), "/body/annex2_disease"),
        ("cholera as always notifiable", put("/body/annex2_disease", "cholera"), "/body/annex2_disease"),
        ("any event of a listed disease", put("/body/annex2_path", "any-event"), "/body/annex2_disease"),
        ("assessed tomorrow", put("/body/assessed_at", "2026-02-19T18:00:00+05:00"), "/body/assessed_at"),
        ("no ICD-11 code", put("/body/disease/icd11", "J09"), "/body/disease/icd11"),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(DEFECTS))
def test_a_defect_is_refused_at_its_place(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert path in refusals(record)


WARNINGS: Defects = {
    ("national-measures", "trafficking"): [
        (
            "bracketed topic with its flag",
            both(put("/body/topic", "salw"), put("/body/draft_bracket", True)),
            "/body/draft_bracket",
        ),
        ("terrorism under organised crime", put("/body/topic", "terrorism"), "/body/topic"),
    ],
    ("wmd-proliferation-information", "suspicious-procurement"): [
        ("not red", put("/handling/tlp", "AMBER+STRICT"), "/handling/tlp"),
    ],
    ("disease-outbreak", "avian-influenza"): [
        ("WHO not notified of what always is", drop("/body/who_notified_at"), "/body/who_notified_at"),
        ("WHO notified late", put("/body/assessed_at", "2026-02-17T08:00:00+05:00"), "/body/who_notified_at"),
    ],
    ("disease-outbreak", "cluster-of-unknown-cause"): [
        ("two answers of yes and no notification", put("/body/q1_serious_impact", "yes"), "/body/who_notified_at"),
    ],
}


@pytest.mark.parametrize(("record_type", "name", "change", "path"), cases(WARNINGS))
def test_what_is_doubtful_is_a_warning(record_type: str, name: str, change: Mutation, path: str) -> None:
    record = example(record_type, name)
    change(record)
    assert warnings(record) == [path]


@pytest.mark.parametrize("yes", [0, 1])
def test_fewer_than_two_answers_of_yes_call_for_no_notification(yes: int) -> None:
    record = example("disease-outbreak", "cluster-of-unknown-cause")
    record["body"]["q2_unusual"] = "yes" if yes else "unknown"
    assert warnings(record) == []


def test_parts_of_an_unknown_total_are_not_compared() -> None:
    record = example("disease-outbreak", "avian-influenza")
    record["body"]["cases"]["total"] = {"amount_state": "not-available"}
    assert refusals(record) == {}


def test_a_bundle_without_markings_has_the_record_s() -> None:
    record = example("ict-incident", "indicators")
    for item in record["body"]["stix_bundle"]["objects"]:
        del item["object_marking_refs"]
    record["handling"]["tlp"] = "RED"
    assert warnings(record) == []


def test_a_looser_part_beside_one_that_is_marked_as_the_record_is_the_originator_s_choice() -> None:
    record = example("ict-incident", "indicators")
    put(f"{OBJECTS}/0/object_marking_refs/0", GREEN_2)(record)
    assert refusals(record) == {}


def test_a_colour_of_tlp_1_counts_as_its_successor() -> None:
    record = example("ict-incident", "indicators")
    record["handling"]["tlp"] = "GREEN"
    for index in (0, 1):
        put(f"{OBJECTS}/{index}/object_marking_refs/0", GREEN_1)(record)
    assert refusals(record) == {}


@pytest.mark.parametrize(
    "definition",
    [
        {"definition_type": "tlp", "definition": {"tlp": "red"}},
        {"extensions": {"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {"tlp_2_0": "red"}}},
    ],
    ids=["TLP 1", "TLP 2.0"],
)
def test_a_marking_defined_in_the_bundle_under_an_id_of_its_own_counts(definition: dict[str, object]) -> None:
    record = example("ict-incident", "indicators")
    marking = {"type": "marking-definition", "spec_version": "2.1", "id": OWN, "created": "2026-01-01T00:00:00Z"}
    record["body"]["stix_bundle"]["objects"].append(marking | definition)
    put(MARKED, OWN)(record)
    assert "stricter" in refusals(record)[MARKED]


def test_the_fixed_ids_cover_every_level() -> None:
    assert set(FIXED.values()) == set(Tlp)
    assert len(FIXED) == 9


def test_a_bundle_cannot_be_nested_without_end() -> None:
    record = example("ict-incident", "indicators")
    deep: object = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    put(f"{OBJECTS}/1/name", deep)(record)
    with pytest.raises(RecordError, match="levels"):
        load_json(json.dumps(record).encode())
