"""`cbm convert`: files of other standards to records and back. Offline; an import takes the whole file or nothing."""

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.ceremony_files import read_bytes, refuse_existing
from exchange.cli.options import InFile, JsonFlag
from exchange.cli.output import Refusal, WrongUse, note, print_json, utc
from exchange.convert.errors import ConversionError
from exchange.convert.imported import Imported
from schemas.record_errors import Fault, RecordError
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json, validate_record

convert_app = typer.Typer(help="Standards in and out: CAP, UN MilEx, STIX, GeoJSON (offline).", add_completion=False)

Json = dict[str, Any]
OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="File to write; it must not exist. Standard output else.")
]
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
    from exchange.convert import cap
    from schemas.record_limits import MAX_CAP_BYTES

    def work() -> Imported:
        given = _template(template, {})
        senders = frozenset(accept_sender or ())
        data = read_bytes(file, MAX_CAP_BYTES)
        return cap.cap_to_record(data, given, accepted_senders=senders, convert_1_1=cap_1_1, filename=file.name)

    _import(file, work, out, as_json)


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
    _export(file, lambda: cap.record_to_cap(_record(file, draft=True), kept), out, as_json)


@convert_app.command("milex-import")
def milex_import(file: InFile, template: Template, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Make a defence-budget record of a UN military-expenditure form in CSV or XLSX."""
    from exchange.convert import milex
    from exchange.convert.limits import MAX_TABLE_BYTES

    _import(
        file,
        lambda: milex.milex_to_record(read_bytes(file, MAX_TABLE_BYTES), _template(template, _fresh())),
        out,
        as_json,
    )


@convert_app.command("milex-export")
def milex_export(
    file: InFile,
    form: Annotated[str, typer.Option("--as", metavar="KIND", help="csv or xlsx.")] = "csv",
    out: OutFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the form of a defence-budget record as CSV or XLSX."""
    from exchange.convert import milex

    if form not in {"csv", "xlsx"}:
        raise WrongUse(f"--as takes csv or xlsx, not {form}")
    _export(file, lambda: milex.record_to_milex(_record(file), form), out, as_json)


@convert_app.command("stix-import")
def stix_import(file: InFile, template: Template, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Make an ict-incident record of a STIX 2.1 bundle, marked as the strictest part of the bundle."""
    from exchange.convert import stix
    from exchange.convert.limits import MAX_STIX_BYTES

    _import(
        file, lambda: stix.stix_to_record(read_bytes(file, MAX_STIX_BYTES), _template(template, _fresh())), out, as_json
    )


@convert_app.command("stix-export")
def stix_export(file: InFile, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Give back the STIX 2.1 bundle of an ict-incident record."""
    from exchange.convert import stix

    _export(file, lambda: stix.record_to_stix(_record(file)), out, as_json)


@convert_app.command("geojson")
def geojson(files: InFiles, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Write the places and areas of records as one GeoJSON FeatureCollection."""
    from exchange.convert.geojson import records_to_geojson

    def work() -> bytes:
        collection = records_to_geojson([_record(file) for file in files])
        return json.dumps(collection, ensure_ascii=False, indent=2).encode("utf-8")

    _export(files[0], work, out, as_json)


@convert_app.command("ical")
def ical(files: InFiles, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Write exercises, visits and invitations, with their updates and cancellations, as one iCalendar file."""
    from exchange.convert.ical import records_to_ical

    _export(files[0], lambda: records_to_ical([_record(file) for file in files]), out, as_json)


@convert_app.command("vcard")
def vcard(file: InFile, out: OutFile = None, as_json: JsonFlag = False) -> None:
    """Write a contact point as vCard 4.0."""
    from exchange.convert.vcard import record_to_vcard

    _export(file, lambda: record_to_vcard(_record(file)), out, as_json)


def _import(file: Path, work: Callable[[], Imported], out: Path | None, as_json: bool) -> None:
    with _told(file, as_json):
        found = work()
    content = json.dumps(found.record, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
    if found.original is not None:
        note(f"note: send {file} with the record as its attachment; the record names it by its digest")
    _write(content, found.warnings, out, as_json)


def _export(file: Path, work: Callable[[], bytes], out: Path | None, as_json: bool) -> None:
    with _told(file, as_json):
        content = work()
    _write(content, (), out, as_json)


def _write(content: bytes, warnings: Iterable[Fault], out: Path | None, as_json: bool) -> None:
    if out is not None:
        refuse_existing(out)
        with out.open("xb") as target:
            target.write(content)
    faults = [_plain(fault) for fault in warnings]
    if as_json:
        told: Json = {"out": None if out is None else str(out), "size": len(content), "warnings": faults}
        print_json(told if out is not None else told | _inline(content))
        return
    for fault in faults:
        note(f"warning: {fault['path'] or 'the whole'}: found {fault['found']}, expected {fault['expected']}")
    if out is None:
        typer.echo(content, nl=False)


def _inline(content: bytes) -> Json:
    try:
        return {"encoding": "utf-8", "content": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "content": base64.b64encode(content).decode("ascii")}


@contextmanager
def _told(file: Path, as_json: bool) -> Iterator[None]:
    """Turns a refusal into one line with the place, what stands there, and what has to."""
    try:
        yield
    except (ConversionError, RecordError) as error:
        if as_json:
            print_json({"faults": [_plain(fault) for fault in error.faults]})
        first, more = error.faults[0], len(error.faults) - 1
        rest = f" (and {more} more: see --json)" if more else ""
        place = f"{first.path}: " if first.path else ""
        raise Refusal(f"{file}: {place}found {first.found}, expected {first.expected}{rest}") from None


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
    from exchange.node.outbound import envelope_id

    return {"record_id": str(uuid.UUID(bytes=envelope_id(int(time.time() * 1000), secrets.token_bytes(10))))}
