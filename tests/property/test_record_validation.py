"""Properties of reading and validating records: only the declared error, and faults that point at the change."""

import copy
import re
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from schemas.cap import cap_bytes, disaster_alert_body, read_alert
from schemas.record_errors import RecordError
from schemas.registry import examples, list_schemas, self_contained
from schemas.validate import load_json, validate_record

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
    objects = [p for p in places(record) if isinstance(parent(record, p)[p[-1]], dict)]
    place = data.draw(st.sampled_from(objects))
    parent(record, place)[place[-1]]["x_unknown"] = 1
    paths = outcome(record)
    assert any(related(path, place) for path in paths)


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
