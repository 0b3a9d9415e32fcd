"""`cbm audit timestamps`: what an authority has stamped of an audit log, verified offline."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, print_json, print_table, utc

Stamps = Annotated[
    Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="log/stamps of a node, or a copy of it.")
]
Trusted = Annotated[
    Path, typer.Option("--certificates", metavar="FILE", exists=True, dir_okay=False, help="The authority's, in PEM.")
]


def timestamps(folder: Stamps, certificates: Trusted, as_json: JsonFlag = False) -> None:
    """Verify each time-stamp with the authority's certificates alone; the first that does not hold ends it.

    That a stamped checkpoint is the log's, `cbm audit verify --dir DIR --anchors SIZE.checkpoint` tells.
    """
    from keys.checkpoint import parse_signed
    from keys.errors import KeyFault
    from keys.primitives import Certificates
    from keys.timestamp import verify_stamp
    from schemas.errors import DecodeError

    trusted = Certificates.read(certificates.read_bytes())
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.tsr"), key=lambda path: (len(path.name), path.name)):
        stamped = path.with_suffix(".checkpoint")
        try:
            note = stamped.read_bytes()
            time = verify_stamp(path.read_bytes(), note, trusted)
            checkpoint = parse_signed(note).checkpoint
        except (KeyFault, DecodeError, OSError) as fault:
            raise Refusal(f"{path.name}: {fault}") from None
        row = {"time": utc(time), "entries": checkpoint.size, "log": checkpoint.origin, "root": checkpoint.root.hex()}
        rows.append({**row, "checkpoint": str(stamped)})
    if not rows:
        raise Refusal(f"there is no time-stamp in {folder}")
    if as_json:
        print_json(rows)
    else:
        columns = ("time", "entries", "log", "checkpoint")
        print_table(columns, [[str(row[name]) for name in columns] for row in rows])
