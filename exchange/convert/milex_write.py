"""The body of a `defence-budget` record to a table, complete: reading the table gives the same body."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exchange.convert.milex_form import COLUMNS, MATRIX_LABEL, MATRIX_START, ROWS, STATE_WORDS, rows_of

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Amount:
    """A decimal number, as the record writes it."""

    text: str


Written = str | Amount
Rows = list[list[Written]]


def table_of(body: Json) -> Rows:
    """Rows of the form; an empty text is an empty cell."""
    unit, prices = body["unit"], body["price_basis"]
    rows: Rows = [
        ["form", body["form"]],
        ["fiscal year", body["fiscal_year"]["start"], body["fiscal_year"]["end"]],
        ["basis", body["basis"]],
        ["currency", unit["currency"]],
        ["scale", str(unit["scale"])],
        ["prices", prices["kind"], *([str(prices["base_year"])] if "base_year" in prices else [])],
    ]
    if "totals_declared" in body:
        rows.append(["total", _figure(body["totals_declared"])])
        if "note" in body["totals_declared"]:
            rows.append(["total note", body["totals_declared"]["note"]])
    contact = body.get("contact", {})
    rows.extend([f"contact {name}", contact[name]] for name in ("country", "email", "phone") if name in contact)
    for name, texts in (
        ("remarks", body.get("explanatory_remarks", {})),
        ("contact name", contact.get("name", {})),
        ("contact role", contact.get("role", {})),
    ):
        rows.extend([name, language, text] for language, text in texts.items())
    if body["form"] in COLUMNS:
        rows.extend(_matrix(body))
    return rows


def _matrix(body: Json) -> Iterator[list[Written]]:
    columns = COLUMNS[body["form"]]
    cells = {(cell["row"], cell["column"]): cell for cell in body.get("cells", ())}
    yield []
    yield [MATRIX_START, MATRIX_LABEL, *columns]
    for code in rows_of(body["form"]):
        yield [code, ROWS[code], *(_figure(cells.get((code, column), {})) for column in columns)]
    for (row, column), cell in cells.items():
        if "note" in cell:
            yield ["note", row, column, cell["note"]]


def _figure(figure: Json) -> Written:
    state = figure.get("amount_state")
    if state is None:
        return ""
    return Amount(figure["amount"]) if state == "reported" else STATE_WORDS[state]
