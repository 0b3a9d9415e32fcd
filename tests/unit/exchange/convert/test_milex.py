"""The UN military-expenditure form: there and back without loss, in both layouts and both formats."""

import csv
import io
from typing import Any

import pytest
from openpyxl import load_workbook

from exchange.convert.errors import ConversionError
from exchange.convert.milex import milex_to_record, record_to_milex
from exchange.convert.milex_form import COLUMNS, ROWS, STATE_WORDS
from schemas.record_errors import RecordError
from schemas.registry import self_contained
from tests.support.convert import TEMPLATE
from tests.support.records import Record, example

TEMPLATE_OF_FORM = TEMPLATE | {"measure": "2.1.1.b"}
KINDS = pytest.mark.parametrize("kind", ["csv", "xlsx"])


def budget(name: str = "simplified-actual-outlay", **body: object) -> Record:
    record = example("defence-budget", name)
    record["body"] |= body
    return record


def figures(body: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(cell["row"], cell["column"]): cell for cell in body.get("cells", ())}


def back(record: Record, kind: str) -> dict[str, Any]:
    body = milex_to_record(record_to_milex(record, kind), TEMPLATE_OF_FORM).record["body"]
    assert isinstance(body, dict)
    return body


def assert_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert figures(left) == figures(right)
    assert {**left, "cells": None} == {**right, "cells": None}


@KINDS
@pytest.mark.parametrize("name", ["simplified-actual-outlay", "standardized-budget-adopted"])
def test_the_examples_come_back_whole(name: str, kind: str) -> None:
    record = budget(name)
    assert_same(back(record, kind), record["body"])


@KINDS
def test_nil_withheld_not_available_zero_and_silence_stay_five_things(kind: str) -> None:
    cells = [
        {"row": "1", "column": "land", "amount_state": "nil"},
        {"row": "1", "column": "naval", "amount_state": "withheld", "note": "by law"},
        {"row": "1", "column": "air", "amount_state": "not-available"},
        {"row": "1", "column": "other-forces", "amount_state": "reported", "amount": "0"},
    ]
    found = figures(back(budget(cells=cells), kind))
    assert list(found.values()) == cells
    assert ("1", "total") not in found


@KINDS
@pytest.mark.parametrize(
    "amount", ["-5.25", "0.00", "160.0", "999999999999999.5", "123456789012345678.1234", "-0.1", "7"]
)
def test_an_amount_keeps_every_digit(amount: str, kind: str) -> None:
    cells = [{"row": "1", "column": "land", "amount_state": "reported", "amount": amount}]
    assert figures(back(budget(cells=cells), kind))["1", "land"]["amount"] == amount


@KINDS
@pytest.mark.parametrize(
    "form",
    [
        {"form": "nil"},
        {"form": "single-figure", "totals_declared": {"amount_state": "reported", "amount": "1.5", "note": "whole"}},
        {"form": "single-figure", "totals_declared": {"amount_state": "withheld"}},
    ],
)
def test_the_forms_without_a_matrix_come_back(form: dict[str, Any], kind: str) -> None:
    record = budget()
    for name in ("cells", "totals_declared"):
        del record["body"][name]
    record["body"] |= form
    assert_same(back(record, kind), record["body"])


@KINDS
@pytest.mark.parametrize(
    "text", ["=1+1", "+7", "-5 is a text", "@SUM(A1)", "'quoted", 'a,b;"c"\nd', "=cmd|' /C calc'!A0"]
)
def test_no_text_of_a_record_becomes_a_formula_in_an_export(text: str, kind: str) -> None:
    record = budget(explanatory_remarks={"en": text})
    data = record_to_milex(record, kind)
    if kind == "csv":
        rows = csv.reader(io.StringIO(data.decode(), newline=""))
        cells = [cell for row in rows for cell in row]
        assert not any(cell.startswith(("=", "+", "@")) for cell in cells)
        assert not any(cell.startswith("-") for cell in cells)
    else:
        sheet = load_workbook(io.BytesIO(data)).active
        assert sheet is not None
        assert not any(cell.data_type == "f" for row in sheet.iter_rows() for cell in row)
    assert back(record, kind)["explanatory_remarks"] == {"en": text}


def test_negative_amounts_stay_numbers_in_both_formats() -> None:
    cells = [{"row": "1", "column": "land", "amount_state": "reported", "amount": "-5.5"}]
    record = budget(cells=cells)
    assert b",-5.5," in record_to_milex(record, "csv")
    sheet = load_workbook(io.BytesIO(record_to_milex(record, "xlsx"))).active
    assert sheet is not None
    assert -5.5 in {cell.value for row in sheet.iter_rows() for cell in row}


@KINDS
def test_the_same_record_gives_the_same_bytes(kind: str) -> None:
    assert record_to_milex(budget(), kind) == record_to_milex(budget(), kind)


def test_a_byte_order_mark_is_no_part_of_the_form() -> None:
    data = record_to_milex(budget(), "csv")
    assert milex_to_record(b"\xef\xbb\xbf" + data, TEMPLATE_OF_FORM).record["body"]["form"] == "simplified"


def test_a_sum_that_does_not_fit_is_a_warning_at_its_row_and_column() -> None:
    data = record_to_milex(budget(), "csv").replace(b"610.7", b"999.9")
    warnings = milex_to_record(data, TEMPLATE_OF_FORM).warnings
    assert [fault.path for fault in warnings] == ["row 18, column 7 (G)", "row 7, column 2 (B)"]
    assert all(fault.warning for fault in warnings)


def test_the_table_has_the_rows_and_columns_of_the_schema() -> None:
    definitions = self_contained("defence-budget")["$defs"]
    assert list(ROWS) == definitions["row"]["enum"]
    assert list(COLUMNS["standardized"]) == definitions["column"]["enum"]
    assert {*STATE_WORDS, "reported"} == set(definitions["amount_state"]["enum"])


def test_a_record_of_another_type_has_no_such_form() -> None:
    with pytest.raises(ConversionError, match="defence-budget"):
        record_to_milex(example("military-activity-notification", "field-exercise"), "csv")


def test_an_invalid_record_is_not_exported() -> None:
    record = budget()
    record["body"]["unit"]["currency"] = "XXX"
    with pytest.raises(RecordError):
        record_to_milex(record, "csv")


def test_the_template_may_say_that_it_is_an_update_or_an_exercise() -> None:
    given = TEMPLATE_OF_FORM | {"action": "update", "references": ["urn:xaa:1"], "mode": "exercise"}
    record = milex_to_record(record_to_milex(budget(), "csv"), given).record
    assert (record["action"], record["mode"]) == ("update", "exercise")


def test_a_template_that_lacks_a_member_is_refused_at_it() -> None:
    with pytest.raises(RecordError) as caught:
        milex_to_record(record_to_milex(budget(), "csv"), {})
    assert "/originators" in {fault.path for fault in caught.value.faults}
