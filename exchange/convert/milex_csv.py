"""Tables as comma-separated values (RFC 4180): UTF-8, with or without a byte order mark, commas, strict quoting."""

import csv
import io
from typing import Final

from exchange.convert.errors import refuse
from exchange.convert.limits import MAX_TABLE_BYTES
from exchange.convert.milex_write import Amount, Rows
from exchange.convert.table import Cell, Table, bounded, escaped, place, unescaped

_FORM: Final = "milex"


def read_csv(data: bytes) -> Table:
    """The cells of a file.

    Raises:
        ConversionError: it is larger than a bound, not UTF-8, not strictly quoted, or has a formula.
    """
    if len(data) > MAX_TABLE_BYTES:
        raise refuse(_FORM, "", f"{len(data)} bytes", f"at most {MAX_TABLE_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(_FORM, f"line {line}", "another encoding", "CSV in UTF-8") from None
    table: Table = []
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return table
        except csv.Error as error:
            raise refuse(_FORM, f"line {rows.line_num}", str(error), "commas and double quotes (RFC 4180)") from None
        number = len(table) + 1
        cells = [bounded(_FORM, Cell(item, number, column)) for column, item in enumerate(row, start=1) if item != ""]
        table.append([_plain(cell) for cell in cells])
        bounded(_FORM, Cell("", number, max(len(row), 1)))
        if number == 1 and len(row) == 1 and ";" in row[0]:
            raise refuse(_FORM, place(1, 1), "semicolons", "commas between cells")


def write_csv(rows: Rows) -> bytes:
    """A file in UTF-8; a text that a spreadsheet would take for a formula has an apostrophe in front."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for row in rows:
        writer.writerow([cell.text if isinstance(cell, Amount) else escaped(cell) for cell in row])
    return out.getvalue().encode("utf-8")


def _plain(cell: Cell) -> Cell:
    if cell.text.startswith("="):
        raise refuse(_FORM, cell.place, "a formula", "a value; a text that begins with = has an apostrophe in front")
    return Cell(unescaped(cell.text), cell.row, cell.column)
