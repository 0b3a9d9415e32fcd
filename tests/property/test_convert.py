"""Properties of conversions: what we write the standard accepts, what we read comes back, garbage gives one error."""

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from exchange.convert.cap import cap_to_record, record_to_cap
from exchange.convert.cap_geometry import area_geometry, polygons, right_handed
from exchange.convert.cap_mend import Mender
from exchange.convert.cap_write import cap_time, write_alert
from exchange.convert.errors import ConversionError
from exchange.convert.milex import milex_to_record, record_to_milex
from exchange.convert.milex_form import COLUMNS, rows_of
from exchange.convert.stix import stix_to_record
from exchange.convert.table import escaped, unescaped
from exchange.convert.texts import lang_text, language_tag, title_text
from schemas.cap import parse_xml, read_alert
from schemas.cap_grammar import ALERT, NAMESPACE, Element, Kind
from schemas.record_errors import RecordError
from schemas.registry import self_contained
from tests.support.convert import TEMPLATE, alert, oasis, oasis_errors, template
from tests.support.records import Record, example
from tests.support.sheets import SHEET_PART, replaced

# Any character that XML 1.0 has; a carriage return would be a line feed after reading unless it is escaped.
XML_TEXT = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r"),
    max_size=30,
)
OFFSETS = st.integers(-13 * 60 - 59, 13 * 60 + 59).map(
    lambda minutes: f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
)
TIMES = st.tuples(st.datetimes(), OFFSETS).map(lambda pair: f"{pair[0].replace(microsecond=0).isoformat()}{pair[1]}")
# Built once, outside the time that one example may take.
oasis()
BY_KIND: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.TEXT: XML_TEXT,
    Kind.TIME: TIMES,
    Kind.LANGUAGE: st.from_regex(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,2}", fullmatch=True),
    Kind.URI: st.from_regex(
        r"[a-z]{1,5}:([A-Za-z0-9\-._~:/?@!$&'()*+,;=]|%[0-9A-F]{2}){0,20}(#[a-z]{0,3})?", fullmatch=True
    ),
    Kind.INTEGER: st.integers(-(10**13), 10**15 - 1),
    Kind.DECIMAL: st.from_regex(r"[+-]?([0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9})", fullmatch=True),
}


def element(grammar: Element) -> st.SearchStrategy[Any]:
    if grammar.kind is Kind.BLOCK:
        one: st.SearchStrategy[Any] = block(grammar.children)
    elif grammar.kind is Kind.CODE:
        one = st.sampled_from(grammar.codes)
    else:
        one = BY_KIND[grammar.kind]
    return st.lists(one, min_size=1, max_size=2) if grammar.repeated else one


def block(grammar: tuple[Element, ...]) -> st.SearchStrategy[dict[str, Any]]:
    required = {item.name: element(item) for item in grammar if item.required}
    optional = {item.name: element(item) for item in grammar if not item.required}
    return st.fixed_dictionaries(required, optional=optional)


ALERTS = block(ALERT)


def without_files(value: dict[str, Any]) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(value))
    for info in copy.get("info", ()):
        for resource in info.get("resource", ()):
            resource.pop("derefUri", None)
    return copy


@given(ALERTS)
def test_every_alert_that_we_write_is_valid_for_the_oasis_schema_and_reads_back(value: dict[str, Any]) -> None:
    xml = write_alert(value)
    assert oasis_errors(xml) == []
    assert read_alert(xml) == without_files(value)


@given(ALERTS, st.sampled_from([None, ["urn:xaa:1"]]))
def test_every_valid_alert_is_imported_and_kept_byte_for_byte(
    value: dict[str, Any], references: list[str] | None
) -> None:
    xml = write_alert(value)
    given_by_hand = template() if references is None else template(references=references)
    record = cap_to_record(xml, given_by_hand).record
    assert record_to_cap(json.loads(json.dumps(record))) == xml


@given(ALERTS)
def test_mending_what_is_whole_changes_nothing(value: dict[str, Any]) -> None:
    mender = Mender(NAMESPACE)
    assert write_alert(mender.alert(parse_xml(write_alert(value)))) == write_alert(value)
    assert mender.faults == []


@given(st.data())
def test_a_damaged_alert_of_an_accepted_sender_is_refused_or_becomes_a_valid_one(data: st.DataObject) -> None:
    whole = write_alert(alert())
    xml = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        xml[data.draw(st.integers(0, len(xml) - 1))] = data.draw(st.integers(0, 255))
    senders = frozenset({"alerts@hydromet.example"})
    try:
        found = cap_to_record(bytes(xml), template(), accepted_senders=senders)
    except ConversionError:
        return
    assert oasis_errors(record_to_cap(found.record)) == []
    assert (found.original or record_to_cap(found.record)) == bytes(xml)


@given(st.binary(max_size=200), st.booleans())
def test_garbage_gives_the_declared_error_in_every_format(data: bytes, packed: bool) -> None:
    content = b"PK\x03\x04" + data if packed else data
    for read in (cap_to_record, milex_to_record, stix_to_record):
        with pytest.raises(ConversionError):
            read(content, template())


@given(TIMES | st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"))
def test_every_time_has_a_form_in_cap(text: str) -> None:
    assert read_alert(write_alert(alert(sent=cap_time(text))))["sent"] == cap_time(text)


POSITIONS = st.tuples(*(st.integers(-(d * 10**9), d * 10**9).map(lambda n: n / 10**9) for d in (180, 90))).map(list)
RINGS = st.lists(POSITIONS, min_size=3, max_size=6).map(lambda points: right_handed([*points, points[0]]))


def takes_the_short_way(ring: list[list[float]]) -> bool:
    return all(abs(one[0] - other[0]) <= 180 for one, other in pairwise(ring))


@given(st.lists(RINGS.filter(takes_the_short_way), min_size=1, max_size=3))
def test_a_shape_comes_back_from_cap_as_it_was(rings: list[list[list[float]]]) -> None:
    one = len(rings) == 1
    geometry = {
        "type": "Polygon" if one else "MultiPolygon",
        "coordinates": [rings[0]] if one else [[ring] for ring in rings],
    }
    assert area_geometry({"areaDesc": "", "polygon": polygons(geometry)}) == geometry


def takes(name: str) -> Draft202012Validator:
    """A validator of one shared definition."""
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": self_contained("disaster-alert")["$defs"]})


TITLE, TEXT = takes("title_text"), takes("lang_text")


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=400)), max_size=40))
def test_any_text_of_another_format_becomes_one_that_records_take(texts: list[tuple[str, str]]) -> None:
    tagged = [(language_tag(tag), text) for tag, text in texts]
    TITLE.validate(title_text(tagged, "a fallback"))
    TEXT.validate(lang_text(tagged, "a fallback"))


@given(st.text(max_size=20))
def test_an_escaped_text_is_no_formula_and_comes_back(text: str) -> None:
    assert not escaped(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unescaped(escaped(text)) == text


AMOUNTS = st.from_regex(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,4})?", fullmatch=True)
NOTES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x24F, exclude_categories=["Cc"]), max_size=40).filter(
    lambda text: bool(text.strip()) and text.isprintable()
)
FIGURES = st.fixed_dictionaries({"amount_state": st.just("reported"), "amount": AMOUNTS}) | st.fixed_dictionaries(
    {"amount_state": st.sampled_from(["nil", "withheld", "not-available"])}
)


@st.composite
def budgets(draw: st.DrawFn) -> Record:
    form = draw(st.sampled_from(sorted(COLUMNS)))
    places = st.tuples(st.sampled_from(rows_of(form)), st.sampled_from(COLUMNS[form]))
    record = example("defence-budget", "simplified-actual-outlay")
    cells = []
    for row, column in draw(st.lists(places, min_size=1, max_size=12, unique=True)):
        note = draw(st.none() | NOTES)
        cells.append({"row": row, "column": column, **draw(FIGURES)} | ({} if note is None else {"note": note}))
    remarks = draw(st.dictionaries(st.sampled_from(["en", "ru", "kk"]), NOTES, min_size=1))
    record["body"] |= {"form": form, "cells": cells, "explanatory_remarks": {"en": "x"} | remarks}
    return record


def by_place(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "cells": {(cell["row"], cell["column"]): cell for cell in body["cells"]}}


@given(budgets(), st.sampled_from(["csv", "xlsx"]))
def test_every_form_comes_back_whole_from_both_formats(record: Record, kind: str) -> None:
    given_by_hand = TEMPLATE | {"measure": "2.1.1.b"}
    body = milex_to_record(record_to_milex(record, kind), given_by_hand).record["body"]
    assert by_place(body) == by_place(record["body"])


GOOD = {kind: record_to_milex(example("defence-budget", "simplified-actual-outlay"), kind) for kind in ("csv", "xlsx")}


@given(st.data())
def test_a_damaged_form_gives_the_declared_error_or_a_valid_record(data: st.DataObject) -> None:
    form = bytearray(GOOD[data.draw(st.sampled_from(sorted(GOOD)))])
    for _ in range(data.draw(st.integers(1, 3))):
        form[data.draw(st.integers(0, len(form) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ConversionError):
        milex_to_record(bytes(form), TEMPLATE | {"measure": "2.1.1.b"})


@given(st.binary(max_size=300))
def test_any_sheet_in_a_whole_spreadsheet_gives_the_declared_error(sheet: bytes) -> None:
    with pytest.raises(ConversionError):
        milex_to_record(replaced(GOOD["xlsx"], {SHEET_PART: sheet}), TEMPLATE | {"measure": "2.1.1.b"})


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["type", "id", "created", "object_marking_refs", "granular_markings", "labels", "extensions"])
OBJECTS = st.dictionaries(MEMBERS, JSON_VALUES, max_size=3)


@given(st.lists(OBJECTS, max_size=3))
def test_any_object_in_a_bundle_gives_the_declared_error_or_a_record(changes: list[dict[str, Any]]) -> None:
    common = {
        "type": "malware",
        "spec_version": "2.1",
        "id": "malware--22222222-2222-4222-8222-222222222222",
        "created": "2026-06-14T00:00:00.000Z",
        "modified": "2026-06-14T00:00:00.000Z",
        "is_family": False,
    }
    bundle = {"type": "bundle", "id": "bundle--33333333-3333-4333-8333-333333333333"}
    objects = [common | {"name": str(index)} | change for index, change in enumerate(changes)]
    with pytest.raises((ConversionError, RecordError)):
        stix_to_record(json.dumps(bundle | {"objects": objects}).encode(), template(measure="2.2.7"))
