"""`cbm schema`: the record types that this release knows, their schemas, and whether a record is valid. Offline."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.ceremony_files import read_bytes
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, WrongUse, note, print_json, print_result, print_table

schema_app = typer.Typer(help="Record types and their JSON Schemas (offline).", add_completion=False)


@schema_app.command("list")
def list_types(as_json: JsonFlag = False) -> None:
    """List every record type and version."""
    from schemas.registry import list_schemas, measures_of

    if as_json:
        print_json([{"id": name, "version": version} for name, version in list_schemas()])
        return
    rows = [(name, version, ", ".join(measures_of(name))) for name, version in list_schemas()]
    print_table(("ID", "VERSION", "MEASURES"), rows)


@schema_app.command("show")
def show(
    record_type: Annotated[str, typer.Argument(metavar="ID", help="A record type, as `schema list` names it.")],
    version: Annotated[str | None, typer.Option("--version", help="The newest when it is left out.")] = None,
    as_json: JsonFlag = False,  # noqa: ARG001  # a schema is JSON either way
) -> None:
    """Print one self-contained JSON Schema (2020-12), the one that validation enforces."""
    from schemas.record_errors import RecordError
    from schemas.registry import self_contained

    try:
        schema = self_contained(record_type, version)
    except RecordError as error:
        fault = error.faults[0]
        raise WrongUse(f"{fault.found}: {fault.expected}") from None
    print_json(schema)


@schema_app.command("example")
def example(
    record_type: Annotated[str, typer.Argument(metavar="TYPE", help="A record type, as `schema list` names it.")],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="The first when it is left out.")] = None,
    as_json: JsonFlag = False,  # noqa: ARG001  # a record is JSON either way
) -> None:
    """Print a worked example of a record type: a valid record to begin from."""
    from schemas.registry import examples, list_schemas
    from schemas.validate import load_json

    found = {file.removesuffix(".json"): data for file, data in examples(record_type)}
    if not found:
        known = ", ".join(sorted({kind for kind, _ in list_schemas()}))
        raise WrongUse(f"there is no record type {record_type}: take one of {known}")
    if name is not None and name not in found:
        raise WrongUse(f"{record_type} has no example {name}: take one of {', '.join(found)}")
    print_json(load_json(found[name] if name is not None else next(iter(found.values()))))


@schema_app.command("validate")
def validate(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A record as JSON; - for standard input.")],
    as_json: JsonFlag = False,
) -> None:
    """Validate a record; exits 1 when it is refused, with every fault that one pass finds."""
    from schemas.record_errors import Fault, RecordError
    from schemas.record_limits import MAX_RECORD_BYTES
    from schemas.validate import load_json, validate_record

    if file == "-":
        data = sys.stdin.buffer.read(MAX_RECORD_BYTES + 1)
    elif Path(file).is_file():
        data = read_bytes(Path(file), MAX_RECORD_BYTES)
    else:
        raise WrongUse(f"there is no file {file}: give a record's file, or - for standard input")
    told: dict[str, Any]
    faults: tuple[Fault, ...]
    try:
        report = validate_record(load_json(data))
        told = {"valid": True, "record_type": report.record_type, "schema_version": report.schema_version}
        faults, refusal = report.warnings, None
    except RecordError as error:
        told = {"valid": False, "record_type": None, "schema_version": None}
        faults, refusal = error.faults, str(error)
    told["faults"] = [{"path": f.path, "found": f.found, "expected": f.expected, "warning": f.warning} for f in faults]
    print_result(told, as_json)
    if refusal is not None:
        raise Refusal(refusal)
    for fault in faults:
        note(f"warning: {fault.path}: found {fault.found}, expected {fault.expected}")
