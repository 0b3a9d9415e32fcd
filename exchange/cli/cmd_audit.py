"""`cbm audit`: verify offline what a node or a relay says of the past."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import InFile, JsonFlag
from exchange.cli.output import Refusal, print_lines, print_result, utc

audit_app = typer.Typer(help="Verify offline what happened.", add_completion=False)


@audit_app.callback()
def _audit() -> None:
    """Verify offline what happened."""


@audit_app.command("verify")
def verify(
    file: InFile,
    charter: Annotated[
        Path,
        typer.Option("--charter", metavar="FILE", exists=True, dir_okay=False, help="A version of the charter."),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Say what a proof file of an alarm (DIR/proofs/) proves, and what in it is the word of the node that wrote it.

    Nothing is trusted but the charter: check its fingerprint. Exit code 1 when the file was altered, or proves nothing.
    """
    from exchange.audit.observed import ProvesNothing, examine
    from exchange.cli.ceremony_files import load, read_bytes
    from keys.digests import charter_digest, fingerprint
    from schemas.errors import DecodeError
    from schemas.files import SIGNED_CHARTER
    from schemas.limits import MAX_PROOF_FILE
    from schemas.observation import read_proof

    digest = charter_digest(load(charter, SIGNED_CHARTER).body)
    try:
        found = examine(*read_proof(read_bytes(file, MAX_PROOF_FILE)), digest)
    except (DecodeError, ProvesNothing) as fault:
        raise Refusal(f"{file}: {fault}") from None
    told = {"kind": found.kind.label, "observer": found.observer, "time": utc(found.time)}
    if as_json:
        proved = {"proved": list(found.proved), "stated": list(found.stated)}
        print_result({**told, **proved, "charter": fingerprint(digest)}, as_json)
        return
    print_lines((f"{told['kind']}, observed by {told['observer']} at {told['time']}", "proved, under this charter:"))
    print_lines(f"  {line}" for line in found.proved)
    if found.stated:
        print_lines(("and besides, which is no proof:", *(f"  {line}" for line in found.stated)))
