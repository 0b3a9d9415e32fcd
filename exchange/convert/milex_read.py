"""A table to the body of a `defence-budget` record. Every fault names its row and column."""

import re
from typing import Any, Final

from exchange.convert.errors import ConversionError
from exchange.convert.milex_form import (
    BY_LANGUAGE,
    COLUMNS,
    FORMS_WITHOUT_MATRIX,
    MATRIX_START,
    SINGLE,
    STATES,
    rows_of,
)
from exchange.convert.table import Cell, Table
from schemas.record_errors import Fault, shorten

Json = dict[str, Any]

_FORM: Final = "milex"
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,4})?")
_YEAR: Final = re.compile(r"[0-9]{4}")
_STATED: Final = "a number such as 412.5 without thousands separators, or nil, n/a or withheld"
_NOTE: Final = "note"
_SCALES: Final = {"1": 1, "1000": 1000, "1000000": 1_000_000}


class FormReader:
    """Reads one table; `places` says where in it each member of the body stood, by JSON Pointer into the record."""

    def __init__(self, table: Table) -> None:
        """`table` lists rows of cells with content; empty rows may be left out."""
        self._rows = [row for row in table if row]
        self._faults: list[Fault] = []
        self.places: dict[str, str] = {}

    def body(self) -> Json:
        """The body; raises ConversionError with every fault that one pass finds."""
        matrix = next((index for index, row in enumerate(self._rows) if _is_matrix(row)), len(self._rows))
        head = self._head([row for row in self._rows[:matrix] if row[0].text != _NOTE])
        body: Json = {}
        self._general(head, body)
        self._total(head, body)
        self._contact(head, body)
        form = body.get("form")
        if matrix < len(self._rows) and form in COLUMNS:
            self._matrix(self._rows[matrix], self._rows[matrix + 1 :], form, body)
        elif matrix < len(self._rows) and form in FORMS_WITHOUT_MATRIX:
            self._fault(self._rows[matrix][0], f"no matrix, as the form is {form}")
        if self._faults:
            raise ConversionError(_FORM, self._faults)
        return body

    def _fault(self, cell: Cell, expected: str) -> None:
        self._faults.append(Fault(cell.place, shorten(cell.text), expected))

    def _head(self, rows: list[list[Cell]]) -> dict[str, list[Cell] | dict[str, Cell]]:
        """Values by name: cells of a single row, or cells by language."""
        found: dict[str, Any] = {}
        for row in rows:
            name = row[0].text.strip().lower()
            if row[0].column != 1 or name not in (*SINGLE, *BY_LANGUAGE):
                self._fault(row[0], "in the first column one of " + ", ".join((*SINGLE, *BY_LANGUAGE, MATRIX_START)))
            elif name in BY_LANGUAGE:
                texts = found.setdefault(name, {})
                if [cell.column for cell in row] != [1, 2, 3] or row[1].text in texts:
                    self._fault(row[0], "a language in the second column, each once, and a text in the third")
                else:
                    texts[row[1].text] = row[2]
            elif name in found:
                self._fault(row[0], f"one row {name}")
            else:
                found[name] = row
        return found

    def _values(self, head: Json, name: str, count: tuple[int, ...], path: str) -> list[Cell]:
        """The cells of a row of the head from its second column; empty when it is absent or wrong."""
        if name not in head:
            return []
        first: Cell = head[name][0]
        cells: list[Cell] = head[name][1:]
        if len(cells) not in count or [cell.column for cell in cells] != list(range(2, len(cells) + 2)):
            wanted = " or ".join(str(number) for number in count)
            self._fault(first, f"{wanted} value{'s' * (wanted != '1')} from column 2 (B) on")
            return []
        self.places[path] = cells[0].place
        return cells

    def _general(self, head: Json, body: Json) -> None:
        for name in ("form", "fiscal year", "basis", "currency", "scale", "prices"):
            if name not in head:
                self._faults.append(Fault("", "nothing", f"a row {name}"))
        for name in ("form", "basis"):
            for cell in self._values(head, name, (1,), f"/body/{name}"):
                body[name] = cell.text
        if period := self._values(head, "fiscal year", (2,), "/body/fiscal_year"):
            body["fiscal_year"] = {"start": period[0].text, "end": period[1].text}
            self.places["/body/fiscal_year/end"] = period[1].place
        body["unit"] = {}
        for cell in self._values(head, "currency", (1,), "/body/unit/currency"):
            body["unit"]["currency"] = cell.text
        for cell in self._values(head, "scale", (1,), "/body/unit/scale"):
            body["unit"]["scale"] = _SCALES.get(cell.text, cell.text)
        if prices := self._values(head, "prices", (1, 2), "/body/price_basis"):
            body["price_basis"] = {"kind": prices[0].text}
            for cell in prices[1:]:
                self.places["/body/price_basis/base_year"] = cell.place
                body["price_basis"]["base_year"] = int(cell.text) if _YEAR.fullmatch(cell.text) else cell.text

    def _total(self, head: Json, body: Json) -> None:
        for cell in self._values(head, "total", (1,), "/body/totals_declared"):
            if figure := self._figure(cell):
                body["totals_declared"] = figure
        for cell in self._values(head, "total note", (1,), "/body/totals_declared/note"):
            if "totals_declared" in body:
                body["totals_declared"]["note"] = cell.text
            else:
                self._fault(cell, "no note without a total")
        if "remarks" in head:
            body["explanatory_remarks"] = self._texts(head["remarks"], "/body/explanatory_remarks")

    def _contact(self, head: Json, body: Json) -> None:
        contact: Json = {}
        for name in ("name", "role"):
            if f"contact {name}" in head:
                contact[name] = self._texts(head[f"contact {name}"], f"/body/contact/{name}")
        for name in ("country", "email", "phone"):
            for cell in self._values(head, f"contact {name}", (1,), f"/body/contact/{name}"):
                contact[name] = cell.text
        if contact:
            body["contact"] = contact

    def _texts(self, cells: dict[str, Cell], path: str) -> dict[str, str]:
        for language, cell in cells.items():
            self.places.setdefault(path, cell.place)
            self.places[f"{path}/{language}"] = cell.place
        return {language: cell.text for language, cell in cells.items()}

    def _matrix(self, names: list[Cell], rows: list[list[Cell]], form: str, body: Json) -> None:
        columns: dict[int, str] = {}
        for cell in names[2:]:
            if cell.text not in COLUMNS[form] or cell.text in columns.values():
                self._fault(cell, "each once, of " + ", ".join(COLUMNS[form]))
            columns[cell.column] = cell.text
        cells: dict[tuple[str, str], Json] = {}
        notes = []
        for row in rows:
            if row[0].text == _NOTE:
                notes.append(row)
            elif row[0].column != 1 or row[0].text not in rows_of(form):
                self._fault(row[0], "in the first column a code of " + ", ".join(rows_of(form)))
            elif any(code == row[0].text for code, _ in cells):
                self._fault(row[0], "each row once")
            else:
                self._figures(row, columns, cells)
        self._notes(notes, cells)
        body["cells"] = list(cells.values())

    def _figures(self, row: list[Cell], columns: dict[int, str], cells: dict[tuple[str, str], Json]) -> None:
        code = row[0].text
        for cell in row[1:]:
            if cell.column == 2:
                continue
            if cell.column not in columns:
                self._fault(cell, "nothing beside the columns of the form")
            elif figure := self._figure(cell):
                path = f"/body/cells/{len(cells)}"
                self.places[path] = cell.place
                cells[code, columns[cell.column]] = {"row": code, "column": columns[cell.column], **figure}

    def _figure(self, cell: Cell) -> Json | None:
        text = cell.text.strip()
        if text in STATES:
            return {"amount_state": STATES[text]}
        if _DECIMAL.fullmatch(text):
            return {"amount_state": "reported", "amount": text}
        self._fault(cell, _STATED)
        return None

    def _notes(self, rows: list[list[Cell]], cells: dict[tuple[str, str], Json]) -> None:
        for row in rows:
            if [cell.column for cell in row] != [1, 2, 3, 4]:
                self._fault(row[0], "four cells: note, row code, column, text")
            elif (found := cells.get((row[1].text, row[2].text))) is None or "note" in found:
                self._fault(row[1], "the code and the column of a cell with a figure, each once")
            else:
                found["note"] = row[3].text


def _is_matrix(row: list[Cell]) -> bool:
    return row[0].column == 1 and row[0].text.strip().lower() == MATRIX_START
