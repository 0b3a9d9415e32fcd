"""`cbm convert`: files of other standards to records and back. Offline; an import takes the whole file or nothing."""

import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from exchange.cli.ceremony_files import read_bytes
from exchange.cli.content import OutFile, write_content
from exchange.cli.options import InFile, JsonFlag
from exchange.cli.output import Refusal, WrongUse, note, print_json, utc
from exchange.convert.errors import ConversionError
from schemas.record_errors import Fault, RecordError
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json, validate_record

if TYPE_CHECKING:
    from exchange.convert.formats import Importer

convert_app = typer.Typer(help="Standards in and out: CAP, UN MilEx, STIX, GeoJSON (offline).", add_completion=False)

Json = dict[str, Any]
# Faults on the one line of a refusal: what one slip causes at several places is still seen as one.
_SHOWN: Final = 3
InFiles = Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False)]
Template = Annotated[
    Path,
    typer.Option(
        "--template",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="JSON: what the file cannot say of the record, such as measure, originators, recipients, handling.",
    ),
]


@convert_app.command("cap-to-record")
def cap_to_record(
    file: InFile,
    template: Template,
    accept_sender: Annotated[
        list[str] | None,
        typer.Option("--accept-sender", metavar="SENDER", help="Take alerts of this sender that break the schema."),
    ] = None,
    cap_1_1: Annotated[bool, typer.Option("--cap-1-1", help="Convert an alert of CAP 1.1.")] = False,
    out: OutFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a disaster-alert record of a CAP 1.2 alert, which the record keeps byte for byte."""
    from exchange.convert.formats import IMPORTERS

    _import(file, IMPORTERS["cap"], template, out, as_json, frozenset(accept_sender or ()), cap_1_1=cap_1_1)


@convert_app.command("record-to-cap")
def record_to_cap(
    file: InFile,
    original: Annotated[
        Path | None,
        typer.Option("--original", metavar="FILE", exists=True, dir_okay=False, help="The issuer's file, if attached."),
    ] = None,
    out: OutFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Give back the CAP file of a disaster-alert record, or build it for a draft that has none yet."""
    from exchange.convert import cap
    from schemas.record_limits import MAX_CAP_BYTES

    kept = None if original is None else read_bytes(original, MAX_CAP_BYTES)
    with _told(file, as_json):
        content = cap.record_to_cap(_record(file, draft=True), kept)
    _write(content, (), out, as_json)


@convert_app.command("milex-import")
def milex_import(file: InFile, template: Template, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Make a defence-budget record of a UN military-expenditure form in CSV or XLSX."""
    from exchange.convert.formats import MILEX

    _import(file, MILEX, template, out, as_json)


@convert_app.command("milex-export")
def milex_export(
    file: InFile,
    form: Annotated[str, typer.Option("--as", metavar="KIND", help="csv or xlsx.")] = "csv",
    out: OutFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the form of a defence-budget record as CSV or XLSX."""
    if form not in {"csv", "xlsx"}:
        raise WrongUse(f"--as takes csv or xlsx, not {form}")
    _export([file], form, out, as_json)


@convert_app.command("stix-import")
def stix_import(file: InFile, template: Template, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Make an ict-incident record of a STIX 2.1 bundle, marked as the strictest part of the bundle."""
    from exchange.convert.formats import IMPORTERS

    _import(file, IMPORTERS["stix"], template, out, as_json)


@convert_app.command("stix-export")
def stix_export(file: InFile, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Give back the STIX 2.1 bundle of an ict-incident record."""
    _export([file], "stix", out, as_json)


@convert_app.command("geojson")
def geojson(files: InFiles, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Write the places and areas of records as one GeoJSON FeatureCollection."""
    _export(files, "geojson", out, as_json)


@convert_app.command("ical")
def ical(files: InFiles, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Write exercises, visits and invitations, with their updates and cancellations, as one iCalendar file."""
    _export(files, "ical", out, as_json)


@convert_app.command("vcard")
def vcard(file: InFile, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Write a contact point as vCard 4.0."""
    _export([file], "vcard", out, as_json)


def _import(
    file: Path,
    importer: "Importer",
    template: Path,
    out: Path | None,
    as_json: bool,
    senders: frozenset[str] = frozenset(),
    *,
    cap_1_1: bool = False,
) -> None:
    from exchange.convert.formats import Source, record_text

    with _told(file, as_json):
        given = _template(template, {} if importer.names_record else _fresh())
        data = read_bytes(file, importer.largest)
        found = importer.convert(Source(data, given, file.name, senders, cap_1_1))
    if found.original is not None:
        note(f"note: send {file} with the record as its attachment; the record names it by its digest")
    _write(record_text(found.record), found.warnings, out, as_json)


def _export(files: list[Path], form: str, out: Path | None, as_json: bool) -> None:
    from exchange.convert.formats import EXPORTERS

    with _told(files[0], as_json):
        content = EXPORTERS[form].convert([_record(file) for file in files])
    _write(content, (), out, as_json)


def _write(content: bytes, warnings: Iterable[Fault], out: Path | None, as_json: bool) -> None:
    faults = [_plain(fault) for fault in warnings]
    write_content(content, out, {"warnings": faults}, as_json)
    if not as_json:
        for fault in faults:
            note(f"warning: {fault['path'] or 'the whole'}: found {fault['found']}, expected {fault['expected']}")


@contextmanager
def _told(file: Path, as_json: bool) -> Iterator[None]:
    """Turns a refusal into one line with the place, what stands there, and what has to."""
    try:
        yield
    except (ConversionError, RecordError) as error:
        if as_json:
            print_json({"faults": [_plain(fault) for fault in error.faults]})
        shown = "; ".join(_line(fault) for fault in error.faults[:_SHOWN])
        more = len(error.faults) - _SHOWN
        rest = f" (and {more} more: see --json)" if more > 0 else ""
        raise Refusal(f"{file}: {shown}{rest}") from None


def _line(fault: Fault) -> str:
    place = f"{fault.path}: " if fault.path else ""
    return f"{place}found {fault.found}, expected {fault.expected}"


def _plain(fault: Fault) -> dict[str, str]:
    return {"path": fault.path, "found": fault.found, "expected": fault.expected}


def _record(file: Path, *, draft: bool = False) -> Json:
    value = load_json(read_bytes(file, MAX_RECORD_BYTES))
    if not isinstance(value, dict):
        raise Refusal(f"{file} holds no JSON object: a record is one")
    if not draft:
        validate_record(value)
    return value


def _template(file: Path, fresh: Json) -> Json:
    """The template, with the time of now when it names none, and with `fresh` where it says nothing."""
    return {"issued_at": utc(int(time.time())), **fresh, **_record(file, draft=True)}


def _fresh() -> Json:
    """A new record id, a UUIDv7."""
    from exchange.node.outbound import record_uuid

    return {"record_id": record_uuid(int(time.time() * 1000), secrets.token_bytes(10))}
