"""The record types: worked examples are valid, and each named defect is refused at its place."""

import contextlib
import copy
import json
import re
from collections.abc import Callable
from importlib.resources import files

import pytest

from schemas import limits, record_limits
from schemas.cap import cap_bytes
from schemas.record_errors import RecordError
from schemas.registry import (
    default_tlp,
    examples,
    list_schemas,
    measures_of,
    record_types_of,
    self_contained,
    versions,
)
from schemas.validate import validate_record
from tests.support.records import Mutation, drop, example, put, refusals, warnings
from tests.support.schema_walk import unbounded

TYPES = sorted({name for name, _ in list_schemas()})
EXAMPLES = [(record_type, name) for record_type in TYPES for name, _ in examples(record_type)]


def test_every_type_is_listed_once_with_its_version() -> None:
    assert len(list_schemas()) == len(TYPES) == 27
    assert {version for _, version in list_schemas()} == {"1.0.0"}


@pytest.mark.parametrize("record_type", TYPES)
def test_every_type_has_two_examples(record_type: str) -> None:
    assert len(examples(record_type)) >= 2


@pytest.mark.parametrize(("record_type", "name"), EXAMPLES)
def test_examples_are_valid_without_a_warning(record_type: str, name: str) -> None:
    record = example(record_type, name.removesuffix(".json"))
    report = validate_record(record)
    assert (report.record_type, report.schema_version, report.warnings) == (record_type, "1.0.0", ())
    assert record["measure"] in measures_of(record_type)


@pytest.mark.parametrize("issued", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
@pytest.mark.parametrize(("record_type", "name"), EXAMPLES)
def test_the_ends_of_the_calendar_raise_nothing_undeclared(record_type: str, name: str, issued: str) -> None:
    record = example(record_type, name.removesuffix(".json")) | {"issued_at": issued}
    with contextlib.suppress(RecordError):
        assert validate_record(record).record_type == record_type


@pytest.mark.parametrize(("record_type", "version"), list_schemas())
def test_a_shown_schema_needs_no_other_file(record_type: str, version: str) -> None:
    text = json.dumps(self_contained(record_type, version))
    names = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', text))
    assert names
    assert names <= self_contained(record_type)["$defs"].keys()
    assert text.count('"$ref"') == len(re.findall(r'"\$ref": "#/', text))


# A CAP alert is bounded as a whole by the file that it repeats; `coordinates` by the type of geometry.
BOUNDED_ELSEWHERE = re.compile(r"/\$defs/(alert|info|resource|area|name_value|cap_decimal|geometry)(/|$)")


@pytest.mark.parametrize(("record_type", "version"), list_schemas())
def test_everything_in_a_schema_has_a_bound(record_type: str, version: str) -> None:
    found = unbounded(self_contained(record_type, version))
    assert [path for path in found if not BOUNDED_ELSEWHERE.match(path)] == []


@pytest.mark.parametrize("schema", [{"type": "string", "pattern": "^a+$"}, {"type": "array"}, {"type": "integer"}])
def test_a_missing_bound_is_seen(schema: dict[str, str]) -> None:
    assert unbounded({"properties": {"x": schema}}) == ["/properties/x"]


@pytest.mark.parametrize(("record_type", "version"), list_schemas())
def test_a_schema_says_what_it_rests_on(record_type: str, version: str) -> None:
    assert re.search(r"\[[VMSD]\]", self_contained(record_type, version)["$comment"])


@pytest.mark.parametrize(("record_type", "version"), list_schemas())
def test_every_object_of_a_schema_is_closed(record_type: str, version: str) -> None:
    def open_objects(node: object, path: str) -> list[str]:
        if isinstance(node, list):
            return [found for index, item in enumerate(node) for found in open_objects(item, f"{path}/{index}")]
        if not isinstance(node, dict):
            return []
        closed = {"additionalProperties", "unevaluatedProperties", "maxProperties"} & node.keys()
        # The record itself is closed by the type that refers to it, and its body by the type's own definition.
        exempt = path in {"/$defs/record", "/$defs/record/properties/body"}
        found = [path] if node.get("type") == "object" and not closed and not exempt else []
        return found + [f for name, item in node.items() for f in open_objects(item, f"{path}/{name}")]

    schema = self_contained(record_type, version)
    assert schema["unevaluatedProperties"] is False
    assert open_objects(schema, "") == []


def test_a_caller_may_change_the_schema_it_was_given() -> None:
    self_contained("defence-budget")["$defs"].clear()
    assert self_contained("defence-budget")["$defs"]


def test_measures_lead_to_record_types() -> None:
    assert record_types_of("2.1.1.b") == ("defence-budget",)
    assert record_types_of("2.1.1.d") == ("military-activity-notification",)
    assert record_types_of("2.4.3") == ("disaster-alert",)
    assert record_types_of("2.9.9") == ()


@pytest.mark.parametrize("call", [lambda: self_contained("no-type"), lambda: self_contained("defence-budget", "9.0.0")])
def test_an_unknown_schema_is_refused_naming_the_known(call: Callable[[], object]) -> None:
    with pytest.raises(RecordError, match=r"defence-budget|1\.0\.0"):
        call()


def test_unknown_types_have_no_examples_measures_or_versions() -> None:
    assert (examples("no-type"), measures_of("no-type"), versions("no-type")) == ([], (), [])


def test_bounds_in_the_schemas_are_those_of_the_limits() -> None:
    alert, common = self_contained("disaster-alert"), self_contained("defence-budget")["$defs"]
    record = common["record"]["properties"]
    assert alert["$defs"]["body"]["properties"]["cap"]["maxLength"] == record_limits.MAX_CAP_BASE64
    assert record["originators"]["maxItems"] == limits.MAX_PROVIDERS
    assert record["recipients"]["maxItems"] == limits.MAX_RECIPIENTS
    assert record["attachments"]["maxItems"] == limits.MAX_ATTACHMENTS
    assert common["file_ref"]["properties"]["size"]["maximum"] == limits.MAX_CONTENT
    assert common["file_ref"]["properties"]["filename"]["maxLength"] == limits.MAX_FILENAME


@pytest.mark.parametrize("name", ["flood-warning", "chemical-spill-update"])
def test_the_cap_file_is_carried_byte_for_byte(name: str) -> None:
    original = files("schemas").joinpath(f"examples/disaster-alert/{name}.xml").read_bytes()
    assert cap_bytes(example("disaster-alert", name)["body"]) == original


ENVELOPE_DEFECTS: list[tuple[str, Mutation, str]] = [
    ("upper-case id", put("/record_id", "0197A2B0-0000-7000-8000-000000000000"), "/record_id"),
    ("uuid of version 4", put("/record_id", "0197a2b0-0000-4000-8000-000000000000"), "/record_id"),
    ("no catalogue", drop("/catalogue_id"), "/catalogue_id"),
    ("unknown edition", put("/catalogue_id", "cica-catalogue-2030"), "/catalogue_id"),
    ("measure that only introduces others", put("/measure", "2.1.1"), "/measure"),
    ("measure of another type", put("/measure", "2.4.3"), "/measure"),
    ("measure outside the Catalogue without an agreement", put("/measure", "1.5"), "/agreement_ref"),
    ("nobody provides", put("/originators", []), "/originators"),
    ("originator is no country", put("/originators", ["ZZZ"]), "/originators/0"),
    ("originator twice", put("/originators", ["XAA", "XAA"]), "/originators"),
    ("recipient in lower case", put("/recipients", ["xab"]), "/recipients/0"),
    ("time without offset", put("/issued_at", "2026-04-30T10:00:00"), "/issued_at"),
    ("day that does not exist", put("/issued_at", "2026-02-30T10:00:00Z"), "/issued_at"),
    ("update of nothing", put("/action", "update"), "/references"),
    ("unknown mode", put("/mode", "real"), "/mode"),
    ("unknown marking", put("/handling/tlp", "AMBER-STRICT"), "/handling/tlp"),
    ("red for the public", put("/handling", {"tlp": "RED", "onward": "public"}), "/handling/onward"),
    ("no onward terms", drop("/handling/onward"), "/handling/onward"),
    ("title in neither English nor Russian", put("/title", {"kk": "Атауы"}), "/title"),
    ("title not in the record's language", put("/title", {"ru": "Название"}), "/title"),
    ("title of spaces", put("/title/en", "   "), "/title/en"),
    ("title not normalised", put("/title/en", "Cafe\u0301"), "/title/en"),
    ("title with a control character", put("/title/en", "a\u0007b"), "/title/en"),
    ("title too long", put("/title/en", "x" * 301), "/title/en"),
    ("language tag in capitals", put("/title", {"en": "a", "FR": "b"}), "/title"),
    ("unknown member", put("/sender", "XAA"), ""),
    ("no body", drop("/body"), "/body"),
]


@pytest.mark.parametrize(
    ("change", "path"), [case[1:] for case in ENVELOPE_DEFECTS], ids=[c[0] for c in ENVELOPE_DEFECTS]
)
@pytest.mark.parametrize(
    ("record_type", "name"),
    [("defence-budget", "simplified-actual-outlay"), ("military-activity-notification", "field-exercise")],
)
def test_a_defect_around_the_body_is_refused_at_its_place(
    record_type: str, name: str, change: Mutation, path: str
) -> None:
    record = example(record_type, name)
    change(record)
    assert path in refusals(record)


ATTACHMENT = {"filename": "annex.pdf", "media_type": "application/pdf", "size": 1, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("attachments", "path"),
    [
        ([ATTACHMENT, {**ATTACHMENT, "filename": "Annex.PDF"}], "/attachments/1/filename"),
        ([{**ATTACHMENT, "filename": "../annex.pdf"}], "/attachments/0/filename"),
        ([{**ATTACHMENT, "filename": ".profile"}], "/attachments/0/filename"),
        ([{**ATTACHMENT, "filename": "a\\b"}], "/attachments/0/filename"),
        ([{**ATTACHMENT, "filename": "a\nb"}], "/attachments/0/filename"),
        ([{**ATTACHMENT, "sha256": "0" * 63}], "/attachments/0/sha256"),
        ([{**ATTACHMENT, "size": -1}], "/attachments/0/size"),
        ([ATTACHMENT] * 33, "/attachments"),
    ],
)
def test_an_attachment_that_could_harm_who_saves_it_is_refused(attachments: object, path: str) -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    record["attachments"] = attachments
    assert path in refusals(record)


def test_validity_must_not_end_before_it_begins() -> None:
    record = example("defence-budget", "standardized-budget-adopted")
    record["valid_until"] = "2026-01-01T02:00:00+05:00"
    assert refusals(record) == {"/valid_until": "a time not before valid_from"}


def test_a_record_cannot_refer_to_itself() -> None:
    record = example("military-activity-notification", "cancellation")
    record["references"].append(record["record_id"])
    assert "/references" in refusals(record)


def test_a_measure_outside_the_catalogue_needs_its_agreement() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    record |= {"measure": "1.5", "agreement_ref": "Memorandum of 2024, article 3"}
    assert refusals(record) == {}


def test_an_unknown_edition_is_refused_naming_the_known_and_what_to_do() -> None:
    record = example("defence-budget", "simplified-actual-outlay") | {"catalogue_id": "cica-catalogue-2030"}
    expected = refusals(record)["/catalogue_id"]
    assert "cica-catalogue-draft-2021-09-27" in expected
    assert "update this program" in expected


def test_a_measure_that_the_edition_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.catalogue.measures_of", lambda kind, edition: ("2.1.1.a",))
    record = example("defence-budget", "simplified-actual-outlay")
    assert refusals(record) == {"/measure": "a measure of that edition which this type serves: 2.1.1.a"}


@pytest.mark.parametrize("record_type", TYPES)
def test_every_type_can_serve_a_measure_agreed_outside_the_catalogue(record_type: str) -> None:
    record = example(record_type, examples(record_type)[0][0].removesuffix(".json"))
    if record["body"].get("coordination_body"):
        record["body"]["coordination_body"] = False
    record |= {"measure": "1.5"}
    record.pop("agreement_ref", None)
    assert "/agreement_ref" in refusals(record)
    assert refusals(record | {"agreement_ref": "Memorandum of 2024, article 3"}) == {}


@pytest.mark.parametrize("record_type", TYPES)
def test_versions_of_every_type(record_type: str) -> None:
    record = example(record_type, examples(record_type)[0][0].removesuffix(".json"))
    assert refusals(record | {"schema_version": "1.0.9"}) == {}
    assert warnings(record | {"schema_version": "1.3.0"}) == ["/schema_version"]
    told = refusals(record | {"schema_version": "2.0.0"})
    assert told.keys() == {"/schema_version"}
    assert "1.0.0: convert the record, or update this program" in told["/schema_version"]


RED = {"expert-nomination", "personnel-cv", "suspicious-transaction", "wmd-proliferation-information"}


@pytest.mark.parametrize("record_type", TYPES)
def test_personal_and_grave_data_are_red_by_default(record_type: str) -> None:
    record = example(record_type, examples(record_type)[0][0].removesuffix(".json"))
    assert default_tlp(record_type) == ("RED" if record_type in RED else "AMBER+STRICT")
    if record_type in RED:
        record["handling"] = {"tlp": "AMBER", "onward": "none"}
        assert warnings(record) == ["/handling/tlp"]


def test_a_record_that_ends_another_has_an_empty_body() -> None:
    record = example("military-activity-notification", "field-exercise")
    record |= {"action": "withdraw", "references": ["urn:x-mod:2026:17"]}
    assert refusals(record) == {"/body": "a length of at most 0"}
    record["body"] = {}
    assert refusals(record) == {}


def test_a_defect_does_not_change_the_record() -> None:
    record = example("disaster-alert", "flood-warning")
    record["mode"] = "test"
    before = copy.deepcopy(record)
    assert refusals(record)
    assert record == before
