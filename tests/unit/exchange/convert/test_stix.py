"""STIX 2.1 bundles into records: the library `stix2` agrees with our check, and no marking is ever loosened."""

import inspect
import json
import tracemalloc
from typing import Any

import pytest
import stix2
import stix2.properties
import stix2.v21

from exchange.convert.errors import ConversionError
from exchange.convert.limits import MAX_STIX_OBJECTS
from exchange.convert.stix import read_bundle, record_to_stix, stix_to_record
from exchange.convert.stix_model import DOMAIN_OBJECTS, MARKING, OBSERVABLES
from schemas.limits import MIB
from schemas.record_errors import RecordError
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.stix_markings import FIXED
from tests.support.convert import data_folder, template
from tests.support.records import Record

ASSESSMENT = {
    "subtype": "indicator-share",
    "category": "malicious-code",
    "detected_at": "2026-06-14T00:00:00Z",
    "severity": "high",
    "poc": {"name": {"en": "National CSIRT"}, "country": "XAA", "role": {"en": "Duty officer"}},
}
WHITE, GREEN, AMBER, RED = (
    f"marking-definition--{uuid}"
    for uuid in (
        "613f2e26-407d-48c7-9eca-b8e91df99dc9",
        "34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "f88d31f6-486f-44da-b317-01333bde0b82",
        "5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    )
)
CLEAR_2, GREEN_2, AMBER_2, STRICT_2, RED_2 = (
    f"marking-definition--{uuid}"
    for uuid in (
        "94868c89-83c2-464b-929b-a1a8aa3c8487",
        "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
        "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
        "939a9414-2ddd-4d32-a0cd-375ea402b003",
        "e828b379-4e03-4974-9ac4-e53a884c97c1",
    )
)
OWN = "marking-definition--11111111-1111-4111-8111-111111111111"
EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


def malware(**properties: object) -> dict[str, Any]:
    return {
        "type": "malware",
        "spec_version": "2.1",
        "id": "malware--22222222-2222-4222-8222-222222222222",
        "created": "2026-06-14T00:00:00.000Z",
        "modified": "2026-06-14T00:00:00.000Z",
        "name": "Example",
        "is_family": False,
    } | properties


def marking(**properties: object) -> dict[str, Any]:
    common = {"type": MARKING, "spec_version": "2.1", "id": OWN, "created": "2022-10-01T00:00:00.000Z"}
    return common | properties


def bundle(*objects: object) -> bytes:
    return json.dumps(
        {"type": "bundle", "id": "bundle--33333333-3333-4333-8333-333333333333", "objects": objects or [malware()]}
    ).encode()


def given(**handling: str) -> Record:
    return template(
        record_id="019ec96f-ae00-7f5b-8166-2a88e10c64b5", measure="2.2.7", body=dict(ASSESSMENT), handling=handling
    )


def refusal(data: bytes, **handling: str) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        stix_to_record(data, given(**handling))
    return caught.value


def marking_faults(data: bytes, tlp: str) -> list[str]:
    """Where the rules of the record type refuse a marking of the bundle in a record of this TLP."""
    with pytest.raises(RecordError) as caught:
        stix_to_record(data, given(tlp=tlp, onward="none"))
    return [fault.path for fault in caught.value.faults]


@pytest.mark.parametrize("name", ["misp-test_event1_stix21.json", "misp-test_events_collection_stix21.json"])
def test_bundles_of_others_are_taken_whole(name: str) -> None:
    data = (data_folder("stix") / name).read_bytes()
    stix2.parse(data.decode(), allow_custom=False, version="2.1")
    record = stix_to_record(data, given()).record
    assert record["body"]["stix_bundle"] == json.loads(data)
    assert record["handling"] == {"tlp": "AMBER+STRICT", "onward": "none"}
    assert json.loads(record_to_stix(record)) == json.loads(data)


def test_a_bundle_of_stix_2_0_is_refused_saying_so() -> None:
    fault = refusal((data_folder("stix") / "misp-test_event1_stix20.json").read_bytes()).faults[0]
    assert (fault.path, fault.found) == ("/spec_version", "'2.0'")
    assert "convert STIX 2.0 first" in fault.expected


def test_an_object_of_stix_2_0_in_a_bundle_of_2_1_is_refused_saying_so() -> None:
    old = malware()
    del old["spec_version"]
    assert "STIX 2.0" in refusal(bundle(old)).faults[0].expected


def required(kind: Any) -> set[str]:  # noqa: ANN401 - stix2 has no types
    return {name for name, value in kind._properties.items() if value.required}


def test_types_and_required_properties_are_those_of_the_library() -> None:
    maps = stix2.registry.STIX2_OBJ_MAPS["2.1"]
    theirs = {
        name: kind for name, kind in (maps["objects"] | maps["observables"]).items() if name not in {MARKING, "bundle"}
    }
    # These the library fills in itself.
    common = {"type", "id", "created", "modified", "spec_version", "valid_from"}
    ours = DOMAIN_OBJECTS | OBSERVABLES
    assert {name: set(own) - common for name, own in ours.items()} == {
        name: required(kind) - common for name, kind in theirs.items()
    }


@pytest.mark.parametrize(
    ("references", "label"),
    [
        ([], "AMBER+STRICT"),
        ([WHITE], "CLEAR"),
        ([RED], "RED"),
        ([RED_2], "RED"),
        ([WHITE, RED], "RED"),
        ([AMBER, GREEN], "AMBER"),
        ([STRICT_2], "AMBER+STRICT"),
    ],
)
def test_a_template_without_a_marking_takes_the_strictest_of_the_bundle(references: list[str], label: str) -> None:
    item = malware(object_marking_refs=references) if references else malware()
    record = stix_to_record(bundle(item), given()).record
    assert record["handling"]["tlp"] == label


LEVELS = {
    WHITE: "CLEAR",
    CLEAR_2: "CLEAR",
    GREEN: "GREEN",
    GREEN_2: "GREEN",
    AMBER: "AMBER",
    AMBER_2: "AMBER",
    STRICT_2: "AMBER+STRICT",
    RED: "RED",
    RED_2: "RED",
}


def test_the_fixed_ids_of_the_record_type_are_those_of_the_library_and_of_these_tests() -> None:
    assert {name: level.label for name, level in FIXED.items()} == LEVELS
    theirs = [stix2.TLP_WHITE, stix2.TLP_GREEN, stix2.TLP_AMBER, stix2.TLP_RED]
    assert [item["id"] for item in theirs] == [WHITE, GREEN, AMBER, RED]


@pytest.mark.parametrize(("reference", "level"), LEVELS.items())
@pytest.mark.parametrize("wanted", sorted(set(LEVELS.values())))
def test_a_record_has_the_marking_of_its_bundle_and_no_other(reference: str, level: str, wanted: str) -> None:
    data = bundle(malware(object_marking_refs=[reference]))
    if wanted == level:
        assert stix_to_record(data, given(tlp=wanted, onward="none")).record["handling"]["tlp"] == level
    else:
        assert marking_faults(data, wanted) == ["/body/stix_bundle/objects/0/object_marking_refs/0"]


GRANULAR = {"granular_markings": [{"marking_ref": RED, "selectors": ["name"]}]}
NESTED = malware(created_by_ref="identity--44444444-4444-4444-8444-444444444444", **GRANULAR)


@pytest.mark.parametrize(
    "objects",
    [
        [NESTED],
        [malware(labels=["TLP:Red"])],
        [malware(object_marking_refs=[OWN]), marking(definition_type="tlp", definition={"tlp": "red"})],
        [malware(object_marking_refs=[OWN]), marking(extensions={EXTENSION: {"tlp_2_0": "red"}})],
        [malware(object_marking_refs=[WHITE]), marking(id=WHITE, definition_type="tlp", definition={"tlp": "red"})],
        [malware(object_marking_refs=[RED]), marking(id=RED, definition_type="tlp", definition={"tlp": "white"})],
        [marking(object_marking_refs=[RED], definition_type="statement", definition={"statement": "x"})],
    ],
    ids=["granular", "label", "tlp-1", "tlp-2", "white-called-red", "red-called-white", "on-a-marking"],
)
def test_a_marking_is_found_wherever_it_hides(objects: list[dict[str, Any]]) -> None:
    assert len(marking_faults(bundle(*objects), "AMBER+STRICT")) == 1
    assert stix_to_record(bundle(*objects), given()).record["handling"]["tlp"] == "RED"


@pytest.mark.parametrize(
    "objects",
    [
        [malware(object_marking_refs=[OWN])],
        [malware(object_marking_refs=[OWN]), marking(definition_type="iep", definition={"x": 1})],
        [malware(object_marking_refs=[OWN]), marking(extensions={EXTENSION: {"tlp_2_0": "ultraviolet"}})],
        [malware(granular_markings=[{"selectors": ["name"]}])],
        [malware(granular_markings=[{"marking_ref": OWN, "selectors": ["name"]}])],
        [malware(granular_markings="all")],
    ],
)
def test_a_marking_whose_level_is_unknown_is_refused(objects: list[dict[str, Any]]) -> None:
    assert "marking" in refusal(bundle(*objects), tlp="RED", onward="none").faults[0].path


def test_a_statement_is_a_warning_to_read_it() -> None:
    statement = marking(definition_type="statement", definition={"statement": "no commercial use"})
    found = stix_to_record(bundle(malware(object_marking_refs=[OWN]), statement), given())
    assert [fault.path for fault in found.warnings] == ["/objects/0/object_marking_refs/0"]


def test_a_marking_of_the_language_of_a_part_is_no_restriction() -> None:
    data = bundle(malware(granular_markings=[{"lang": "ru", "selectors": ["name"]}]))
    assert stix_to_record(data, given(tlp="CLEAR", onward="public")).record["handling"]["tlp"] == "CLEAR"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([], "/type"),
        ({"type": "malware"}, "/type"),
        ({"type": "bundle", "id": "bundle--1", "objects": []}, "/id"),
        ({"spec_version": ["2.1"]}, "/spec_version"),
        ({"objects": []}, "/objects"),
        ({"objects": {}}, "/objects"),
        ({"x": 1}, "/x"),
    ],
)
def test_what_is_no_bundle_is_refused(value: Any, path: str) -> None:  # noqa: ANN401 - a JSON value
    data = value if isinstance(value, list) or "type" in value else json.loads(bundle()) | value
    assert refusal(json.dumps(data).encode()).faults[0].path == path


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (5, "/objects/0"),
        (malware(type="x-own"), "/objects/0/type"),
        (malware(type=["malware"]), "/objects/0/type"),
        (malware(id="tool--22222222-2222-4222-8222-222222222222"), "/objects/0/id"),
        (malware(id="malware--X"), "/objects/0/id"),
        (malware(spec_version="2.0"), "/objects/0/spec_version"),
        (malware(created="yesterday"), "/objects/0/created"),
        (malware(created="2026-06-14T00:00:00+05:00"), "/objects/0/created"),
        (malware(x_own=1), "/objects/0/x_own"),
        (malware(external_references=[{"x_own": 1}]), "/objects/0/external_references/0/x_own"),
        (malware(created_by_ref="me"), "/objects/0/created_by_ref"),
        (malware(sample_refs=["me"]), "/objects/0/sample_refs"),
        (malware(sample_refs=[]), "/objects/0/sample_refs"),
        (malware(object_marking_refs="all"), "/objects/0/object_marking_refs"),
    ],
)
def test_a_fault_of_an_object_is_refused_at_its_place(item: Any, path: str) -> None:  # noqa: ANN401 - a JSON value
    assert refusal(bundle(item)).faults[0].path == path


def test_the_same_version_of_an_object_twice_is_refused_and_two_versions_are_not() -> None:
    assert refusal(bundle(malware(), malware())).faults[0].path == "/objects/1/id"
    later = malware(modified="2026-06-15T00:00:00.000Z")
    assert len(read_bundle(bundle(malware(), later))["objects"]) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b'{"type":"bundle","type":"bundle"}',
        b"[" * 100_000,
        b'{"type":"bundle","objects":[' + b"0," * (MAX_STIX_OBJECTS + 1) + b"0]}",
        bundle(*([5] * (MAX_STIX_OBJECTS + 1))),
        b" " * (MAX_RECORD_BYTES + 1),
    ],
    ids=["empty", "cut", "bytes", "twice", "deep", "count-without-id", "count", "large"],
)
def test_a_broken_or_boundless_bundle_is_refused_in_bounded_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        refusal(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * MIB
    finally:
        tracemalloc.stop()


def test_what_the_template_has_to_say_is_not_guessed() -> None:
    lacking = given()
    del lacking["body"]["severity"]
    with pytest.raises(ValueError, match="/body/severity"):
        stix_to_record(bundle(), lacking)


def test_nothing_of_the_library_runs_in_the_program() -> None:
    import exchange.convert.stix  # noqa: PLC0415

    assert "import stix2" not in inspect.getsource(exchange.convert.stix)
