"""Properties of reading and validating records: only the declared error, and faults that point at the change."""

import copy
import re
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from schemas.cap import cap_bytes, disaster_alert_body, read_alert
from schemas.record_errors import RecordError
from schemas.registry import examples, list_schemas, self_contained
from schemas.validate import load_json, validate_record
from tests.support import schema_walk

RECORDS: list[Any] = [load_json(data) for name, _ in list_schemas() for _, data in examples(name)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Paths of all members and items inside a value."""
    if isinstance(value, dict):
        inner = [((*path, name), item) for name, item in value.items()]
    elif isinstance(value, list):
        inner = [((*path, index), item) for index, item in enumerate(value)]
    else:
        return []
    return [found for place, item in inner for found in (place, *places(item, place))]


def parent(record: Any, place: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - JSON values
    for step in place[:-1]:
        record = record[step]
    return record


def related(path: str, place: tuple[str | int, ...]) -> bool:
    """Whether a pointer names the place, something inside it, or what holds it."""
    own = "".join(f"/{step}" for step in place)
    return (path + "/").startswith(own + "/") or (own + "/").startswith(path + "/")


def outcome(record: object) -> list[str]:
    try:
        validate_record(record)
    except RecordError as error:
        return [fault.path for fault in error.faults]
    return []


@given(st.binary(max_size=200))
def test_the_json_reader_raises_only_its_error(data: bytes) -> None:
    with suppress(RecordError):
        load_json(data)


@given(st.data())
def test_any_change_anywhere_gives_the_declared_error_or_a_valid_record(data: st.DataObject) -> None:
    record = copy.deepcopy(data.draw(st.sampled_from(RECORDS)))
    place = data.draw(st.sampled_from(places(record)))
    parent(record, place)[place[-1]] = data.draw(JSON)
    outcome(record)


@given(st.data())
def test_a_member_of_a_wrong_type_is_refused_at_its_place(data: st.DataObject) -> None:
    record = copy.deepcopy(data.draw(st.sampled_from(RECORDS)))
    place = data.draw(st.sampled_from([p for p in places(record) if p[0] not in {"record_type", "schema_version"}]))
    parent(record, place)[place[-1]] = None
    assert any(related(path, place) for path in outcome(record))


@given(st.data())
def test_an_unknown_member_anywhere_is_refused_at_the_object_that_has_it(data: st.DataObject) -> None:
    record = copy.deepcopy(data.draw(st.sampled_from(RECORDS)))
    # Members of STIX are STIX's to close.
    inside = ("body", "stix_bundle", "objects")
    objects = [p for p in places(record) if isinstance(parent(record, p)[p[-1]], dict) and p[:3] != inside]
    place = data.draw(st.sampled_from(objects))
    parent(record, place)[place[-1]]["x_unknown"] = 1
    paths = outcome(record)
    assert any(related(path, place) for path in paths)


# One entry for each place and rule, so that a rare rule is drawn as often as a common one.
PLACED = [(index, place) for index, record in enumerate(RECORDS) for place in schema_walk.places(record)]
REQUIRED = sorted({(i, p.path, name) for i, p in PLACED for name in p.schema.get("required", ())}, key=str)
CODES = [
    (i, p.path) for i, p in PLACED if {"enum", "const"} & p.schema.keys() and p.schema.get("enum") != [1, 1000, 1000000]
]
TYPED = [(i, p.path, p.schema["type"]) for i, p in PLACED if isinstance(p.schema.get("type"), str) and p.path]
WRONG: dict[str, list[Any]] = {
    "object": [[], "x", 1, True, None],
    "array": [{}, "x", 1, True, None],
    "string": [{}, [], 1, True, None],
    "integer": [{}, [], "1", True, None, 1.5],
    "number": [{}, [], "1", True, None],
    "boolean": [{}, [], "true", 1, 0, None],
}


def pointer_of(place: tuple[str | int, ...]) -> str:
    return "".join(f"/{step}" for step in place)


def test_every_record_type_offers_something_to_break() -> None:
    types = {record["record_type"] for record in RECORDS}
    for broken in (REQUIRED, CODES, TYPED):
        assert {RECORDS[row[0]]["record_type"] for row in broken} == types
    assert {kind for _, _, kind in TYPED} == WRONG.keys()


@given(st.sampled_from(REQUIRED))
@settings(max_examples=400)
def test_dropping_any_required_member_is_refused_at_its_place(case: tuple[int, tuple[str | int, ...], str]) -> None:
    index, place, name = case
    record = copy.deepcopy(RECORDS[index])
    del parent(record, (*place, name))[name]
    assert pointer_of((*place, name)) in outcome(record)


@given(st.sampled_from(CODES), st.text(max_size=12))
@settings(max_examples=400)
def test_a_code_that_is_not_in_its_list_is_refused_at_its_place(
    case: tuple[int, tuple[str | int, ...]], text: str
) -> None:
    index, place = case
    record = copy.deepcopy(RECORDS[index])
    parent(record, place)[place[-1]] = f"{text}-no-code"
    assert pointer_of(place) in outcome(record)


@given(st.sampled_from(TYPED), st.data())
@settings(max_examples=400)
def test_a_value_of_a_wrong_type_is_refused_at_its_place(
    case: tuple[int, tuple[str | int, ...], str], data: st.DataObject
) -> None:
    index, place, kind = case
    record = copy.deepcopy(RECORDS[index])
    parent(record, place)[place[-1]] = data.draw(st.sampled_from(WRONG[kind]))
    assert pointer_of(place) in outcome(record)


PATTERN = self_contained("defence-budget")["$defs"]["timestamp"]["pattern"]
TIMESTAMPS = Draft202012Validator(self_contained("defence-budget")["$defs"]["timestamp"], validate_formats=True)


@given(st.from_regex(re.compile(PATTERN.removeprefix("^").removesuffix("$"), re.ASCII), fullmatch=True))
def test_every_time_that_the_schema_accepts_can_be_compared(text: str) -> None:
    if TIMESTAMPS.is_valid(text):
        assert datetime.fromisoformat(text) <= datetime.fromisoformat("9999-12-31T23:59:59-23:59")


@pytest.mark.parametrize("text", ["2026-03-31T24:00:00Z", "2026-03-31T10:00:00+24:00", "2026-06-30T23:59:60Z"])
def test_a_time_that_only_some_readers_know_is_refused(text: str) -> None:
    assert not TIMESTAMPS.is_valid(text)


@given(st.binary(max_size=100))
def test_the_cap_reader_raises_only_its_error(data: bytes) -> None:
    with pytest.raises(RecordError):
        read_alert(data)


@given(st.data())
def test_a_damaged_alert_gives_the_declared_error_or_its_own_bytes_back(data: st.DataObject) -> None:
    xml = bytearray(cap_bytes(data.draw(st.sampled_from([r for r in RECORDS if "cap" in r["body"]]))["body"]))
    for _ in range(data.draw(st.integers(1, 3))):
        xml[data.draw(st.integers(0, len(xml) - 1))] = data.draw(st.integers(0, 255))
    try:
        body = disaster_alert_body(bytes(xml))
    except RecordError:
        return
    assert cap_bytes(body) == bytes(xml)
