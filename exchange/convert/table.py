"""A table of cells between a file format and a form: places that a person can find, texts that are safe to open."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exchange.convert.errors import refuse
from exchange.convert.limits import MAX_CELL_CHARS, MAX_COLUMNS, MAX_ROWS

# A spreadsheet takes a text that begins so for a formula, and some also after a tab or a carriage return.
_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "'")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell with content: its text, and its place counted from 1."""

    text: str
    row: int
    column: int

    @property
    def place(self) -> str:
        """As an error names it."""
        return place(self.row, self.column)


Table = list[list[Cell]]


def place(row: int, column: int) -> str:
    """`row 3, column 4 (D)`."""
    letters, rest = "", column
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"row {row}, column {column} ({letters})"


def bounded(form: str, cell: Cell) -> Cell:
    """The cell, if it lies within the bounds of a form; raises ConversionError."""
    if cell.row > MAX_ROWS:
        raise refuse(form, cell.place, "a further row", f"at most {MAX_ROWS} rows")
    if cell.column > MAX_COLUMNS:
        raise refuse(form, cell.place, "a further column", f"at most {MAX_COLUMNS} columns")
    if len(cell.text) > MAX_CELL_CHARS:
        raise refuse(form, cell.place, f"{len(cell.text)} characters", f"at most {MAX_CELL_CHARS - 1} characters")
    return cell


def escaped(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes in front of one that looks like it."""
    return f"'{text}" if text.startswith(_STARTS) else text


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    return text[1:] if text.startswith("'") else text


def exact_decimal(text: str) -> str:
    """A number of a spreadsheet without exponent, as records write decimals; the text itself when it is none."""
    try:
        return f"{Decimal(text):f}"
    except ArithmeticError:
        return text
