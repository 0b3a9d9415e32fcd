"""`cbm audit`: search an audit log, and verify offline what a node or a relay says of the past."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.audit_sources import NodeDir, RelayDir
from exchange.cli.cmd_audit_keep import prune, reconcile
from exchange.cli.cmd_audit_log import anchors as write_anchors
from exchange.cli.cmd_audit_log import export, search, show, tail
from exchange.cli.cmd_audit_mirror import mirror
from exchange.cli.cmd_audit_stamps import timestamps
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, WrongUse, print_lines, print_result, utc
from schemas.limits import MAX_DAYS

ProofFile = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", exists=True, dir_okay=False, help="A proof file of an alarm.")
]
audit_app = typer.Typer(help="Search an audit log; verify offline what happened.", add_completion=False)


@audit_app.callback()
def _audit() -> None:
    """Search an audit log; verify it, and what is said of the past, offline."""


audit_app.command("tail")(tail)
audit_app.command("search")(search)
audit_app.command("show")(show)
audit_app.command("export")(export)
audit_app.command("anchors")(write_anchors)
audit_app.command("mirror")(mirror)
audit_app.command("timestamps")(timestamps)
audit_app.command("prune")(prune)
audit_app.command("reconcile")(reconcile)


@audit_app.command("verify")
def verify(
    file: ProofFile = None,
    charter: Annotated[
        Path | None,
        typer.Option("--charter", metavar="FILE", exists=True, dir_okay=False, help="A version of the charter."),
    ] = None,
    folder: NodeDir = None,
    relay: RelayDir = None,
    anchors: Annotated[
        list[Path] | None,
        typer.Option(
            "--anchors", metavar="FILE", exists=True, help="What others hold of the log; several may be given."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", dir_okay=False, help="Go on from the last time, and keep how far it is."
        ),
    ] = None,
    keep_days: Annotated[
        int | None,
        typer.Option(
            "--keep-days",
            metavar="DAYS",
            min=1,
            max=MAX_DAYS,
            help="For how long entries were to be kept; without it by the settings in the folder.",
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify a stored log entry by entry (--dir, --relay), or say what a proof file of an alarm (DIR/proofs/) proves.

    Nothing is trusted but the charter and what others hold of the log (--anchors): check the charter's fingerprint.
    Exit code 1 at the first wrong entry, and when a proof file was altered, or proves nothing.
    """
    from exchange.cli.audit_verify import verify_log

    if file is None:
        verify_log(folder, relay, charter, anchors or (), state, keep_days, as_json)
    elif folder is not None or relay is not None or charter is None:
        raise WrongUse("a proof file is judged with --charter, and without a log's folder")
    else:
        _verify_proof(file, charter, as_json)


def _verify_proof(file: Path, charter: Path, as_json: bool) -> None:
    """Say what a proof file proves, and what in it is the word of the node that wrote it."""
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
