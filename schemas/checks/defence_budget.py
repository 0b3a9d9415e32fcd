"""Rules of `defence-budget`: the period, cells given twice, and sums (UN Report on Military Expenditures).

Sums are warnings: a state's own figures stand as it gives them. Each figure may be off by half of the last place that
the coarsest figure of its sum shows, so n parts and their total may differ by (n + 1) / 2 of that place.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from schemas.checks.common import Json, period_faults
from schemas.record_errors import Fault

_UNKNOWN: Final = frozenset({"not-available", "withheld"})
Cells = dict[tuple[str, str], tuple[int, Json]]
Sum = tuple[str, Json, list[Json], str]


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from period_faults("/body/fiscal_year", body["fiscal_year"])
    cells: Cells = {}
    for index, cell in enumerate(body.get("cells", ())):
        place = (cell["row"], cell["column"])
        if place in cells:
            yield Fault(f"/body/cells/{index}", "a cell given before", "one cell for each row and column")
        cells.setdefault(place, (index, cell))
    for sums in (_row_sums(cells), _column_sums(cells), _grand_total(body, cells)):
        for path, whole, parts, what in sums:
            yield from _sum_warnings(path, whole, parts, what)


def _row_sums(cells: Cells) -> Iterator[Sum]:
    """A row that is split must equal its parts in the same column: 1 = 1.1 + 1.2 + 1.3."""
    parts: dict[tuple[str, str], list[Json]] = {}
    for (row, column), (_, cell) in cells.items():
        if "." in row:
            parts.setdefault((row.rpartition(".")[0], column), []).append(cell)
    for place, group in parts.items():
        if place in cells:
            index, whole = cells[place]
            yield f"/body/cells/{index}/amount", whole, group, "the rows that it is split into"


def _column_sums(cells: Cells) -> Iterator[Sum]:
    """Column `total` must equal the other columns of its row."""
    rows: dict[str, list[Json]] = {}
    for (row, column), (_, cell) in cells.items():
        if column != "total":
            rows.setdefault(row, []).append(cell)
    for row, group in rows.items():
        if (row, "total") in cells:
            index, whole = cells[row, "total"]
            yield f"/body/cells/{index}/amount", whole, group, "the columns of its row"


def _grand_total(body: Json, cells: Cells) -> Iterator[Sum]:
    """The declared total must equal the four resource groups in column `total`."""
    groups = [cells[row, "total"][1] for row in "1234" if (row, "total") in cells]
    if groups and "totals_declared" in body:
        yield "/body/totals_declared/amount", body["totals_declared"], groups, "rows 1 to 4"


def _sum_warnings(path: str, whole: Json, parts: list[Json], what: str) -> Iterator[Fault]:
    """A warning if a reported whole differs from its parts by more than rounding; silent if a part is unknown."""
    if whole["amount_state"] != "reported" or any(part["amount_state"] in _UNKNOWN for part in parts):
        return
    # A nil and a zero are exact, however few places they show.
    texts = [part["amount"] for part in parts if part["amount_state"] == "reported" and Decimal(part["amount"])]
    total, added = Decimal(whole["amount"]), sum(map(Decimal, texts), Decimal(0))
    places = min(len(text.partition(".")[2]) for text in (*texts, whole["amount"]))
    tolerance = Decimal(len(texts) + 1).scaleb(-places) / 2
    if abs(total - added) > tolerance:
        yield Fault(path, f"{total}, sum {added}", f"the sum of {what} within {tolerance}", warning=True)
