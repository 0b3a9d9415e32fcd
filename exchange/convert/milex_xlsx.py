"""Tables as Office Open XML spreadsheets, read and written by openpyxl within bounds that are checked before it starts.

What a spreadsheet could compute or fetch is refused: formulas, macros, links to other files. The parts are unpacked
here, no further than the zip directory declares, and openpyxl gets them packed anew without compression: its own
unpacking would trust the file not to lie about its size.
"""

import io
import re
import warnings
import zipfile
import zlib
from datetime import datetime
from typing import Any, Final

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell

from exchange.convert.errors import ConversionError, refuse
from exchange.convert.limits import (
    MAX_COLUMNS,
    MAX_ROWS,
    MAX_SHEET_BYTES,
    MAX_SHEET_PARTS,
    MAX_SHEET_TAG,
    MAX_SHEET_TAGS,
    MAX_SHEET_UNPACKED,
)
from exchange.convert.milex_write import Amount, Rows, Written
from exchange.convert.table import Cell, Table, bounded, exact_decimal, place

_FORM: Final = "milex"
SHEET: Final = "MilEx"
_FORBIDDEN: Final = re.compile(r"vbaProject|externalLinks|activeX|embeddings|ctrlProps|connections", re.IGNORECASE)
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([^"']+)["']""")
_LONG_TAG: Final = re.compile(rb"<[^>]{%d}" % MAX_SHEET_TAG)
_DECIMALS: Final = re.compile(r"0(?:\.(0{1,4}))?")
# Digits that a double holds exactly; a longer amount is written as text.
_EXACT_DIGITS: Final = 15
_SAME_DATE: Final = (1980, 1, 1, 0, 0, 0)
_PROPERTIES: Final = "docProps/core.xml"
_NO_PROPERTIES: Final = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)


def read_xlsx(data: bytes) -> Table:
    """The cells of the sheet `MilEx`, or of the only sheet.

    Raises:
        ConversionError: it is no spreadsheet, is larger than a bound, or holds what can run.
    """
    try:
        safe = _unpacked(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(safe)
    except ConversionError:
        raise
    except Exception as error:  # noqa: BLE001  # zipfile and openpyxl let whatever their parsers raise pass through
        raise refuse(_FORM, "", f"a damaged file ({type(error).__name__})", "an XLSX spreadsheet") from None


def write_xlsx(rows: Rows) -> bytes:
    """A spreadsheet with one sheet; the same rows give the same bytes, without author or time."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    for row in rows:
        sheet.append([_cell(sheet, item) for item in row])
    written, out = io.BytesIO(), io.BytesIO()
    book.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            part = _NO_PROPERTIES if name == _PROPERTIES else source.read(name)
            target.writestr(zipfile.ZipInfo(name, _SAME_DATE), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _cell(sheet: Any, item: Written) -> Any:  # noqa: ANN401  # openpyxl's cells have no common type
    if isinstance(item, Amount) and _is_exact(item.text):
        places = len(item.text.partition(".")[2])
        cell = WriteOnlyCell(sheet, float(item.text) if places else int(item.text))
        cell.number_format = "0." + "0" * places if places else "0"
        return cell
    text = item.text if isinstance(item, Amount) else item
    cell = WriteOnlyCell(sheet, text or None)
    if text:
        # Without this, openpyxl makes a formula of a text that begins with an equals sign.
        cell.data_type = "s"
        cell.number_format = "@"
    return cell


def _is_exact(amount: str) -> bool:
    """Whether a spreadsheet's number keeps the text of an amount; a negative zero would lose its sign."""
    return sum(c.isdigit() for c in amount) <= _EXACT_DIGITS and not (amount[0] == "-" and not float(amount))


def _unpacked(data: bytes) -> bytes:
    """The parts, checked, in a zip file without compression; raises ConversionError and what zipfile raises."""
    if len(data) > MAX_SHEET_BYTES:
        raise refuse(_FORM, "", f"{len(data)} bytes", f"at most {MAX_SHEET_BYTES} bytes")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_SHEET_PARTS or len({part.filename for part in parts}) < len(parts):
            raise refuse(_FORM, "", f"{len(parts)} parts", f"at most {MAX_SHEET_PARTS} parts, none twice")
        unpacked = sum(part.file_size for part in parts)
        if unpacked > MAX_SHEET_UNPACKED:
            raise refuse(_FORM, "", f"{unpacked} bytes when unpacked", f"at most {MAX_SHEET_UNPACKED} bytes")
        out, tags = io.BytesIO(), 0
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
            for part in parts:
                content = _content(archive, part)
                if _FORBIDDEN.search(part.filename):
                    raise refuse(_FORM, "", "macros, links or embedded objects", "a plain sheet")
                # Pictures and settings of printers are left behind.
                if not part.filename.lower().endswith((".xml", ".rels", ".vml")):
                    continue
                _check_xml(content)
                tags += content.count(b"<")
                if tags > MAX_SHEET_TAGS:
                    raise refuse(_FORM, "", "more cells and styles than a form has", f"at most {MAX_SHEET_TAGS} tags")
                target.writestr(zipfile.ZipInfo(part.filename, _SAME_DATE), content)
        return out.getvalue()


def _content(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes:
    # Only these two are unpacked by zipfile in steps; the others would unfold whole.
    if part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise refuse(_FORM, "", "another compression", "an XLSX spreadsheet")
    with archive.open(part) as file:
        content = file.read(part.file_size)
    if len(content) != part.file_size or zlib.crc32(content) != part.CRC:
        raise refuse(_FORM, "", "a part of another size or content than declared", "an undamaged XLSX spreadsheet")
    return content


def _check_xml(content: bytes) -> None:
    declared = _ENCODING.match(content.removeprefix(b"\xef\xbb\xbf"))
    # In another encoding the next test would look for the wrong bytes.
    if b"\x00" in content or (declared is not None and declared[1].lower() != b"utf-8"):
        raise refuse(_FORM, "", "another encoding", "a spreadsheet whose parts are UTF-8")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise refuse(_FORM, "", "a document type declaration", "no DTD and no entities")
    if _LONG_TAG.search(content):
        raise refuse(_FORM, "", "a longer tag", f"tags of at most {MAX_SHEET_TAG} bytes")


def _read(data: bytes) -> Table:
    book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
    try:
        if SHEET not in book.sheetnames and len(book.sheetnames) != 1:
            raise refuse(_FORM, "", f"{len(book.sheetnames)} sheets", f"one sheet, or one named {SHEET}")
        sheet = book[SHEET if SHEET in book.sheetnames else book.sheetnames[0]]
        table: Table = []
        for number, row in enumerate(sheet.iter_rows(), start=1):
            if number > MAX_ROWS:
                raise refuse(_FORM, place(number, 1), "a further row", f"at most {MAX_ROWS} rows")
            if len(row) > MAX_COLUMNS and any(cell.value is not None for cell in row[MAX_COLUMNS:]):
                at = place(number, MAX_COLUMNS + 1)
                raise refuse(_FORM, at, "a further column", f"at most {MAX_COLUMNS} columns")
            cells = (_text(cell, number, column) for column, cell in enumerate(row[:MAX_COLUMNS], start=1))
            table.append([cell for cell in cells if cell is not None])
        return table
    finally:
        book.close()


def _text(cell: Any, row: int, column: int) -> Cell | None:  # noqa: ANN401  # openpyxl's cells have no common type
    value = cell.value
    if value is None or value == "":
        return None
    if cell.data_type == "f":
        raise refuse(_FORM, place(row, column), "a formula", "a value: paste values before the form is handed in")
    if cell.data_type == "e" or isinstance(value, bool):
        raise refuse(_FORM, place(row, column), "an error or a truth value", "a text or a number")
    if isinstance(value, datetime):
        if value.time().isoformat() != "00:00:00":
            raise refuse(_FORM, place(row, column), "a time of day", "a day")
        return Cell(value.date().isoformat(), row, column)
    if isinstance(value, int | float):
        return bounded(_FORM, Cell(_number(value, cell.number_format), row, column))
    if not isinstance(value, str):
        raise refuse(_FORM, place(row, column), "another kind of value", "a text, a number or a day")
    return bounded(_FORM, Cell(value, row, column))


def _number(value: float, number_format: str) -> str:
    """The decimal that a person sees, with the zeros of its format, if that is the whole number that is stored."""
    text = exact_decimal(repr(value))
    shown = _DECIMALS.fullmatch(number_format or "")
    if shown is None:
        return text.removesuffix(".0")
    rounded = f"{value:.{len(shown[1] or '')}f}"
    return rounded if float(rounded) == value else text.removesuffix(".0")
