"""Forms that must not get in: every fault has its row and column, nothing is half imported, memory is bounded."""

import io
import tracemalloc
import zipfile
import zlib

import pytest

from exchange.convert.errors import ConversionError
from exchange.convert.limits import (
    MAX_CELL_CHARS,
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_SHEET_TAG,
    MAX_SHEET_UNPACKED,
    MAX_TABLE_BYTES,
)
from exchange.convert.milex import milex_to_record, record_to_milex
from exchange.convert.table import place
from schemas.limits import MIB
from tests.support.convert import TEMPLATE
from tests.support.records import example
from tests.support.sheets import SHEET_PART, changed, lying, replaced, sheet_xml

GOOD_CSV = record_to_milex(example("defence-budget", "simplified-actual-outlay"), "csv")
GOOD_XLSX = record_to_milex(example("defence-budget", "simplified-actual-outlay"), "xlsx")


def refusal(data: bytes) -> ConversionError:
    with pytest.raises(ConversionError) as caught:
        milex_to_record(data, TEMPLATE | {"measure": "2.1.1.b"})
    return caught.value


def bounded_refusal(data: bytes, limit: int) -> ConversionError:
    tracemalloc.start()
    try:
        error = refusal(data)
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
    return error


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("412.5", "412,5", "row 18, column 8 (H)"),
        ("412.5", "1 412.5", "row 18, column 3 (C)"),
        ("412.5", '"1,412.5"', "row 18, column 3 (C)"),
        ("412.5", "4.12e2", "row 18, column 3 (C)"),
        ("412.5", "412.55555", "row 18, column 3 (C)"),
        ("412.5", "NaN", "row 18, column 3 (C)"),
        ("412.5", "none", "row 18, column 3 (C)"),
        ("412.5", "=400+12.5", "row 18, column 3 (C)"),
        ("withheld", "secret", "row 20, column 5 (E)"),
        ("\r\n4,Research", "\r\n5,Research", "row 21, column 1 (A)"),
        ("\r\n4,Research", "\r\n3,Research", "row 21, column 1 (A)"),
        ("\r\n4,Research", "\r\n3.1,Research", "row 21, column 1 (A)"),
        (",naval,", ",navy,", "row 17, column 4 (D)"),
        (",naval,", ",land,", "row 17, column 4 (D)"),
        (",total\r\n", ",total,strategic\r\n", "row 17, column 8 (H)"),
        (",12.4\r\n", ",12.4,5\r\n", "row 21, column 8 (H)"),
        ("form,simplified", "form,simple", "row 1, column 2 (B)"),
        ("form,simplified", "form,nil", "row 17, column 1 (A)"),
        ("form,simplified", "form", "row 1, column 1 (A)"),
        ("form,simplified", "colour,red", "row 1, column 1 (A)"),
        ("basis,actual-outlay", "basis,guess", "row 3, column 2 (B)"),
        ("currency,USD", "currency,usd", "row 4, column 2 (B)"),
        ("currency,USD", "currency,USD,EUR", "row 4, column 1 (A)"),
        ("scale,1000000", "scale,100", "row 5, column 2 (B)"),
        ("prices,current", "prices,constant", "row 6, column 2 (B)"),
        ("prices,current", "prices,current,2020", "row 6, column 3 (C)"),
        ("prices,current", "prices,constant,MMXX", "row 6, column 3 (C)"),
        ("2025-12-31", "2024-12-31", "row 2, column 3 (C)"),
        ("2025-01-01", "01.01.2025", "row 2, column 2 (B)"),
        ("total,1561.3", "total,lots", "row 7, column 2 (B)"),
        ("contact country,XAA", "contact country,Utopia", "row 8, column 2 (B)"),
        ("remarks,en", "remarks,english", "row 11, column 3 (C)"),
        ("remarks,ru", "remarks,en", "row 12, column 1 (A)"),
        ("note,3,other-forces", "note,3,land-forces", "row 22, column 2 (B)"),
        ("note,3,other-forces,", "note,3,", "row 22, column 1 (A)"),
        ("contact role,en,Head of department\r\n", "", "/body/contact/role"),
    ],
)
def test_a_wrong_value_is_refused_at_its_row_and_column(old: str, new: str, path: str) -> None:
    text = GOOD_CSV.decode()
    assert old in text
    assert path in {fault.path for fault in refusal(text.replace(old, new, 1).encode()).faults}


def test_every_fault_of_a_form_is_told_at_once() -> None:
    wrong = GOOD_CSV.replace(b"412.5", b"x").replace(b"198.2", b"y").replace(b"basis,", b"bases,")
    assert [fault.path for fault in refusal(wrong).faults] == [
        "row 3, column 1 (A)",
        "",
        *(place(18, c) for c in (3, 5)),
    ]


def test_a_form_without_a_row_of_its_head_is_refused() -> None:
    assert "currency" in refusal(GOOD_CSV.replace(b"currency,USD\r\n", b"")).faults[0].expected


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"", ""),
        (GOOD_CSV.replace(b",", b";"), "row 1, column 1 (A)"),
        (GOOD_CSV.decode().encode("cp1251", "replace").replace(b"remarks,en,T", b"remarks,en,\xc2\xf1"), "line 11"),
        (GOOD_CSV.decode().encode("utf-16"), "line 1"),
        (GOOD_CSV.replace(b"remarks,en,The", b'remarks,en,"The'), "line "),
        (GOOD_CSV.replace(b"remarks,en,The", b'remarks,en,"The"re'), "line 11"),
        (b"form," + b"x" * MAX_CELL_CHARS + b"x\r\n", "row 1, column 2 (B)"),
        (b"form," + b"x" * 200_000 + b"\r\n", "line "),
        (b"," * MAX_COLUMNS, f"row 1, column {MAX_COLUMNS + 1} (P)"),
        (b"\r\n" * (MAX_ROWS + 1), f"row {MAX_ROWS + 1}, column 1 (A)"),
        (b"a,b\r\n" * 1_000_000, ""),
        (b"\n" * 1_000_000, f"row {MAX_ROWS + 1}, column 1 (A)"),
    ],
    ids=[
        "empty",
        "semicolons",
        "cp1251",
        "utf-16",
        "open",
        "quote",
        "cell",
        "field",
        "columns",
        "rows",
        "million",
        "blank",
    ],
)
def test_a_broken_or_boundless_csv_is_refused_in_bounded_memory(data: bytes, path: str) -> None:
    assert bounded_refusal(data, 24 * MIB).faults[0].path.startswith(path)


def test_a_csv_over_the_bound_is_refused_before_it_is_read() -> None:
    assert str(MAX_TABLE_BYTES) in bounded_refusal(b"a" * (MAX_TABLE_BYTES + 1), MIB // 4).faults[0].expected


def text(content: str) -> bytes:
    return cell(f'<c r="A1" t="inlineStr"><is><t>{content}</t></is></c>')


def cell(content: str, row: int = 1) -> bytes:
    return replaced(GOOD_XLSX, {SHEET_PART: sheet_xml(f'<row r="{row}">{content}</row>')})


FORMULA = changed(GOOD_XLSX, b"<v>412.5</v>", b"<f>400+12.5</f><v>412.5</v>")


@pytest.mark.parametrize(
    ("data", "path", "found"),
    [
        (FORMULA, "row 18, column 3 (C)", "a formula"),
        (cell('<c r="A1"><f>HYPERLINK("http://x.example")</f></c>'), "row 1, column 1 (A)", "a formula"),
        (cell('<c r="B1" t="e"><v>#REF!</v></c>'), "row 1, column 2 (B)", "an error"),
        (cell('<c r="B1" t="b"><v>1</v></c>'), "row 1, column 2 (B)", "an error"),
        (text("x" * (MAX_CELL_CHARS + 1)), "row 1, column 1 (A)", "20002"),
        (cell('<c r="P1"><v>1</v></c>'), "row 1, column 16 (P)", "a further column"),
        (cell('<c r="XFD1"><v>1</v></c>'), "row 1, column 16 (P)", "a further column"),
        (cell('<c r="A601"><v>1</v></c>', 601), f"row {MAX_ROWS + 1}, column 1 (A)", "a further row"),
        (cell('<c r="A1048576"><v>1</v></c>', 1_048_576), f"row {MAX_ROWS + 1}, column 1 (A)", "a further row"),
        (replaced(GOOD_XLSX, {"xl/vbaProject.bin": b"x"}), "", "macros"),
        (replaced(GOOD_XLSX, {"xl/externalLinks/externalLink1.xml": b"<x/>"}), "", "macros"),
        (replaced(GOOD_XLSX, {"xl/a.xml": b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>"}), "", "a document type declaration"),
        (replaced(GOOD_XLSX, {"xl/a.xml": "<x/>".encode("utf-16")}), "", "another encoding"),
        (replaced(GOOD_XLSX, {"xl/a.xml": b'<?xml version="1.0" encoding="cp037"?><x/>'}), "", "another encoding"),
        (replaced(GOOD_XLSX, {f"xl/{index}.xml": b"<x/>" for index in range(70)}), "", "79 parts"),
        (GOOD_XLSX[:-100], "", "a damaged"),
        (GOOD_XLSX[:200], "", "a damaged"),
        (b"PK\x03\x04" + b"x" * 100, "", "a damaged"),
        (replaced(GOOD_XLSX, {SHEET_PART: b"<worksheet"}), "", "a damaged"),
        (replaced(GOOD_XLSX, {"xl/workbook.xml": b"<workbook/>"}), "", "0 sheets"),
    ],
)  # fmt: skip
def test_a_spreadsheet_that_computes_is_damaged_or_boundless_is_refused(data: bytes, path: str, found: str) -> None:
    fault = bounded_refusal(data, 24 * MIB).faults[0]
    assert fault.path == path
    assert found in fault.found


def test_a_million_row_sheet_is_refused_by_what_its_directory_says() -> None:
    rows = "<row><c><v>1</v></c></row>" * 1_000_000
    data = replaced(GOOD_XLSX, {SHEET_PART: sheet_xml(rows)})
    assert len(data) < MIB
    assert "when unpacked" in bounded_refusal(data, MIB).faults[0].found


MAIN = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
CELL = "<row><c r='{}'><v>1</v></c></row>"
COSTLY = {
    "cells in one row": {SHEET_PART: sheet_xml("<row>" + "<c><v>1</v></c>" * 450_000 + "</row>")},
    "cells far out": {SHEET_PART: sheet_xml("<row><c r='XFD1'/></row>" * 300_000)},
    "depth": {SHEET_PART: b"<a>" * 2_000_000},
    "styles": {"xl/styles.xml": b"<styleSheet %b><cellXfs>%b</cellXfs></styleSheet>" % (MAIN, b"<xf/>" * 1_500_000)},
    "a long reference": {SHEET_PART: sheet_xml(CELL.format("A" * 7_000_000))},
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_would_cost_a_spreadsheet_library_seconds_is_refused_before_it_starts(name: str) -> None:
    data = replaced(GOOD_XLSX, COSTLY[name])
    assert len(data) < MIB // 16
    assert "tag" in bounded_refusal(data, 2 * MAX_SHEET_UNPACKED + 2 * MIB).faults[0].expected


@pytest.mark.parametrize(("excess", "found"), [(0, "1"), (1, "a longer tag")], ids=["the longest tag", "one byte more"])
def test_a_tag_is_bounded(excess: int, found: str) -> None:
    tag = f"<c r='A1' x='{'x' * (MAX_SHEET_TAG - len(chr(60) + 'c r=' + chr(39) * 4 + 'A1 x=') + excess)}'>"
    assert len(tag) == MAX_SHEET_TAG + 1 + excess
    error = refusal(replaced(GOOD_XLSX, {SHEET_PART: sheet_xml(f"<row>{tag}<v>1</v></c></row>")}))
    assert found in {fault.found.strip("'") for fault in error.faults}


def test_a_sheet_in_a_part_that_is_no_xml_by_its_name_is_not_read() -> None:
    laughs = b"<!DOCTYPE a [<!ENTITY a 'x'>]>" + sheet_xml("<row><c t='str'><v>&a;</v></c></row>").partition(b"?>")[2]
    with zipfile.ZipFile(io.BytesIO(GOOD_XLSX)) as source:
        rels = source.read("xl/_rels/workbook.xml.rels").replace(b"sheet1.xml", b"sheet1.bin")
    moved = replaced(GOOD_XLSX, {"xl/_rels/workbook.xml.rels": rels, "xl/worksheets/sheet1.bin": laughs})
    assert refusal(moved).faults[0].found == "0 sheets"


def test_a_picture_beside_the_sheet_is_left_behind() -> None:
    picture = b"\x89PNG" + b"<" * 200_000
    data = replaced(GOOD_XLSX, {"xl/media/image1.png": picture})
    assert milex_to_record(data, TEMPLATE | {"measure": "2.1.1.b"}).record["body"]["cells"]


def test_a_zip_bomb_is_refused_without_unpacking_it() -> None:
    data = replaced(GOOD_XLSX, {SHEET_PART: b" " * 200 * MIB})
    assert len(data) < MIB
    assert "when unpacked" in bounded_refusal(data, MIB).faults[0].found


def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked_beyond_it() -> None:
    data = lying(GOOD_XLSX, b" " * (MAX_SHEET_UNPACKED * 8), 5_000)
    assert "a damaged file" in bounded_refusal(data, MIB).faults[0].found


def test_a_zip_bomb_whose_checksum_fits_its_lie_is_not_unpacked_beyond_it() -> None:
    content, size = b" " * (MAX_SHEET_UNPACKED * 8), 5_000
    data = lying(GOOD_XLSX, content, size).replace(
        zlib.crc32(content).to_bytes(4, "little"), zlib.crc32(content[:size]).to_bytes(4, "little")
    )
    assert "a damaged file" in bounded_refusal(data, 4 * MIB).faults[0].found


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_cannot_be_unpacked_in_steps_is_refused(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(SHEET_PART, sheet_xml(""))
    assert refusal(out.getvalue()).faults[0].found == "another compression"


def test_a_part_that_is_there_twice_is_refused() -> None:
    out = io.BytesIO(GOOD_XLSX)
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(SHEET_PART, sheet_xml(""))
    assert "none twice" in refusal(out.getvalue()).faults[0].expected


@pytest.mark.parametrize(("number", "name"), [(1, "A"), (26, "Z"), (27, "AA"), (52, "AZ"), (703, "AAA")])
def test_columns_are_named_as_spreadsheets_do(number: int, name: str) -> None:
    assert place(2, number) == f"row 2, column {number} ({name})"
