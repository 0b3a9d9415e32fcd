"""The United Nations military-expenditure form to `defence-budget` records and back, as CSV or XLSX.

Source: UN Report on Military Expenditures, standardized and simplified forms; the layout of the table is this project's
(`milex_form`). An import takes the whole form or nothing.
"""

from collections.abc import Iterable
from typing import Final

from exchange.convert.errors import ConversionError, refuse
from exchange.convert.imported import Imported, Json, complete
from exchange.convert.limits import MAX_TITLE
from exchange.convert.milex_csv import read_csv, write_csv
from exchange.convert.milex_read import FormReader
from exchange.convert.milex_write import table_of
from exchange.convert.milex_xlsx import read_xlsx, write_xlsx
from exchange.convert.table import Table
from exchange.convert.texts import clean, title_text
from schemas.record_errors import Fault, RecordError
from schemas.validate import validate_record

_FORM: Final = "milex"
_RECORD_TYPE: Final = "defence-budget"
_ZIP: Final = b"PK"


def milex_to_record(data: bytes, template: Json, kind: str | None = None) -> Imported:
    """The record of one form.

    Args:
        data: the file.
        template: what the file cannot say (see `imported.complete`), without `cells` or other members of the form.
        kind: `csv` or `xlsx`; without it, the first bytes say whether the file is XLSX (a zip file).

    Raises:
        ConversionError: the file is no such form; the faults name rows and columns.
        RecordError: the record is not valid outside its body, for example because the template lacks a member.
    """
    is_xlsx = data.startswith(_ZIP) if kind is None else kind == "xlsx"
    table: Table = read_xlsx(data) if is_xlsx else read_csv(data)
    reader = FormReader(table)
    body = reader.body()
    period = body.get("fiscal_year", {})
    derived = {
        "record_type": _RECORD_TYPE,
        "schema_version": "1.0.0",
        "action": "new",
        "mode": "actual",
        "language": "en",
        "title": title_text(
            [], clean(f"Military expenditures, {period.get('start')} to {period.get('end')}", MAX_TITLE)
        ),
    }
    # A form can come as an update or an exercise; only the template knows.
    derived |= {name: template[name] for name in ("action", "mode") if name in template}
    try:
        found = complete(_FORM, template, derived, body)
    except RecordError as error:
        located = _located(error.faults, reader.places)
        if all(fault.path.startswith("/body") for fault in error.faults):
            raise ConversionError(_FORM, located) from None
        raise
    return Imported(found.record, tuple(_located(found.warnings, reader.places)))


def record_to_milex(record: Json, kind: str) -> bytes:
    """The form of a `defence-budget` record.

    Args:
        record: a record; it is validated first.
        kind: `csv` or `xlsx`.

    Raises:
        ConversionError: the record is of another type or has no body.
        RecordError: the record is not valid.
    """
    validate_record(record)
    if record["record_type"] != _RECORD_TYPE or not record["body"]:
        raise refuse(_FORM, "/record_type", "another record, or one without a body", f"a {_RECORD_TYPE} with figures")
    rows = table_of(record["body"])
    return write_xlsx(rows) if kind == "xlsx" else write_csv(rows)


def _located(faults: Iterable[Fault], places: dict[str, str]) -> list[Fault]:
    """Faults at rows and columns instead of JSON Pointers, where the table has the member."""
    return [Fault(_place(fault.path, places), fault.found, fault.expected, fault.warning) for fault in faults]


def _place(path: str, places: dict[str, str]) -> str:
    inner = path
    while inner:
        if inner in places:
            return places[inner]
        inner = inner.rpartition("/")[0]
    return path
