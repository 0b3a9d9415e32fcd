"""Strict JSON, the choice of a schema, faults, and the comparison with the Provision's terms."""

import json
from typing import Any

import pytest

from schemas.record_errors import RecordError, pointer, shorten
from schemas.record_limits import MAX_DEPTH, MAX_FAULTS, MAX_FOUND, MAX_INTEGER, MAX_RECORD_BYTES
from schemas.validate import load_json, matches_terms, validate_record
from tests.support.records import example, refusals

SECRET = "Zq7-confidential"


def budget() -> dict[str, Any]:
    return example("defence-budget", "simplified-actual-outlay")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1,"a":1}', "every member once"),
        (b'{"b":{"a":1,"\\u0061":2}}', "every member once"),
        (b"NaN", "numbers that JSON has"),
        (b'{"a":-Infinity}', "numbers that JSON has"),
        (b"1e999", "numbers of at most"),
        (b"0." + b"1" * 40, "numbers of at most"),
        (str(MAX_INTEGER + 1).encode(), "integers of at most"),
        (b"1" * 5000, "integers of at most"),
        (b'"\xff"', "JSON in UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "one JSON text"),
        ('{"a":1}'.encode("utf-16"), "JSON in UTF-8"),
        (b'{"a":1} {}', "one JSON text"),
        (b"{'a':1}", "one JSON text"),
        (b'{"a":1,}', "one JSON text"),
        (b'{"a":"\n"}', "one JSON text"),
        (b"", "one JSON text"),
        (b'"\\ud800"', "characters of Unicode"),
        (b'{"\\udc00":1}', "characters of Unicode"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "levels"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "levels"),
        (b" " * (MAX_RECORD_BYTES + 1), "bytes"),
    ],
    ids=lambda value: value[:16].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_hostile_json_is_refused_by_the_declared_error(data: bytes, expected: str) -> None:
    with pytest.raises(RecordError) as caught:
        load_json(data)
    assert expected in caught.value.faults[0].expected


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (str(MAX_INTEGER).encode(), MAX_INTEGER),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'{"a":{"a":1}}', {"a": {"a": 1}}),
        (b" " * (MAX_RECORD_BYTES - 1) + b"1", 1),
        (b"46.25", 46.25),
    ],
    ids=["depth", "integer", "pair", "names", "size", "float"],
)
def test_json_just_within_the_bounds_is_read(data: bytes, value: object) -> None:
    read = load_json(data)
    assert value is None or read == value


@pytest.mark.parametrize("value", [None, 3, "x", [], True])
def test_what_is_no_object_is_no_record(value: object) -> None:
    assert refusals(value) == {"": "an object"}


def cycle() -> list[object]:
    items: list[object] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    "value",
    [b"bytes", {1: 2}, "\ud800", object(), cycle(), {"a": float("nan")}],
    ids=lambda value: type(value).__name__,
)
def test_values_that_json_cannot_hold_are_refused_by_the_declared_error(value: object) -> None:
    record = budget()
    record["body"]["explanatory_remarks"] = value
    assert refusals(record)


@pytest.mark.parametrize("value", [None, 7, "no-such-type", ["defence-budget"]])
def test_an_unknown_type_is_refused_naming_the_known_types(value: object) -> None:
    record = budget() | {"record_type": value}
    assert "defence-budget, disaster-alert" in refusals(record)["/record_type"]


@pytest.mark.parametrize("version", ["2.0.0", "0.9.0", "17.1.3"])
def test_an_unknown_major_version_is_refused_saying_what_to_do(version: str) -> None:
    expected = refusals(budget() | {"schema_version": version})["/schema_version"]
    assert "1.0.0" in expected
    assert "update this program" in expected


@pytest.mark.parametrize("version", ["1.0", "1", "v1.0.0", "1.0.0-rc1", "", None, 1, "1.0.0\n"])
def test_what_is_no_version_is_refused(version: object) -> None:
    assert "/schema_version" in refusals(budget() | {"schema_version": version})


def test_a_newer_minor_version_is_accepted_with_a_warning() -> None:
    report = validate_record(budget() | {"schema_version": "1.7.0"})
    assert report.schema_version == "1.0.0"
    assert [fault.path for fault in report.warnings] == ["/schema_version"]


def test_an_older_minor_version_is_validated_under_the_newest_of_its_major(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.validate.versions", lambda _: ["1.0.0", "1.2.0", "2.0.0"])
    monkeypatch.setattr("schemas.validate._validator", lambda kind, version: Accepting())
    assert validate_record(budget() | {"schema_version": "1.1.0"}).schema_version == "1.2.0"
    assert validate_record(budget() | {"schema_version": "1.0.0"}).schema_version == "1.0.0"


class Accepting:
    def is_valid(self, record: object) -> bool:
        return True


def test_every_fault_of_one_pass_is_reported_at_once() -> None:
    record = budget()
    record["mode"] = "real"
    record["body"]["unit"]["scale"] = 7
    del record["title"]
    assert refusals(record).keys() == {"/mode", "/body/unit/scale", "/title"}


def test_faults_are_bounded() -> None:
    record = budget()
    record["body"]["cells"] = [{"row": "9"}] * 500
    with pytest.raises(RecordError) as caught:
        validate_record(record)
    assert len(caught.value.faults) == MAX_FAULTS


def test_a_fault_shows_what_was_found_and_the_message_does_not() -> None:
    record = budget()
    record["body"]["form"] = SECRET
    record[SECRET] = SECRET
    with pytest.raises(RecordError) as caught:
        validate_record(record)
    assert any(SECRET in fault.found for fault in caught.value.faults)
    assert SECRET not in str(caught.value)
    assert all(SECRET not in fault.path + fault.expected for fault in caught.value.faults)


@pytest.mark.parametrize("data", [f'{{"{SECRET}":1,"{SECRET}":2}}', f'{{"{SECRET}" 1}}', f'"{SECRET}'])
def test_a_message_of_the_json_reader_quotes_nothing(data: str) -> None:
    with pytest.raises(RecordError) as caught:
        load_json(data.encode())
    assert SECRET not in str(caught.value)


def test_a_long_value_is_shortened_and_a_control_character_shown() -> None:
    assert len(shorten("x" * 1000)) == MAX_FOUND
    assert shorten("a\n\u202eb") == r"'a\n\u202eb'"
    assert (shorten(None), shorten({}), shorten([1])) == ("null", "an object of 0 members", "an array of 1 items")


def test_pointers_are_escaped() -> None:
    assert pointer(["a/b", "c~d", 0]) == "/a~1b/c~0d/0"


def test_terms_that_agree_give_no_fault() -> None:
    record = budget() | {"originators": ["XAB", "XAA"]}
    assert matches_terms(record, providers=("XAA", "XAB"), tlp="AMBER", onward="on-consent") == ()


@pytest.mark.parametrize(
    ("providers", "tlp", "onward", "path"),
    [
        (["XAB"], "AMBER", "on-consent", "/originators"),
        (["XAA", "XAB"], "AMBER", "on-consent", "/originators"),
        ([], "AMBER", "on-consent", "/originators"),
        (["XAA"], "AMBER+STRICT", "on-consent", "/handling/tlp"),
        (["XAA"], "AMBER", "members", "/handling/onward"),
    ],
)
def test_a_record_that_contradicts_its_provision_is_told_where(
    providers: list[str], tlp: str, onward: str, path: str
) -> None:
    faults = matches_terms(budget(), providers=providers, tlp=tlp, onward=onward)
    assert [fault.path for fault in faults] == [path]
    assert "as in the Provision" in faults[0].expected


def test_a_contingent_abroad_is_reported_with_the_signature_of_the_state_that_deploys_it() -> None:
    record = example("foreign-contingents", "training-mission")
    assert matches_terms(record, providers=("XAA", "XAD"), tlp="AMBER+STRICT", onward="none") == ()
    host = matches_terms(record | {"originators": ["XAA"]}, providers=("XAA",), tlp="AMBER+STRICT", onward="none")
    assert [(fault.path, fault.found) for fault in host] == [("/body/sending_state", "XAD")]
    assert "--joint XAD" in host[0].expected
    own = matches_terms(record | {"originators": ["XAD"]}, providers=("XAD",), tlp="AMBER+STRICT", onward="none")
    assert own == ()
    ended = record | {"originators": ["XAA"], "action": "withdrawal", "body": {}}
    assert matches_terms(ended, providers=("XAA",), tlp="AMBER+STRICT", onward="none") == ()


def test_what_was_read_can_be_written_and_read_again() -> None:
    record = budget()
    assert load_json(json.dumps(record).encode()) == record
