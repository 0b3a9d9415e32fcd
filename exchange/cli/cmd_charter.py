"""`cbm charter`: draft, sign, assemble and verify a charter. Works offline, without any configuration."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.ceremony_files import load, load_any, refuse_existing, store
from exchange.cli.describe import Description, describe
from exchange.cli.options import InFile, JsonFlag, OutFile, PassphraseFile, RootFile, digest
from exchange.cli.output import Refusal, note, print_result
from exchange.cli.passphrase import load_root
from exchange.clock import SystemClock
from keys import ceremony
from keys.directory import verify_first_charter
from keys.errors import KeyFault
from schemas.charter import Charter
from schemas.files import CHARTER_DRAFT, CHARTER_SIGNATURE, SIGNED_CHARTER
from schemas.statement import DirectoryEntry

charter_app = typer.Typer(help="Draft, sign, assemble and verify a charter (offline).", add_completion=False)

DraftFile = Annotated[Path, typer.Argument(metavar="DRAFT", exists=True, dir_okay=False)]


@charter_app.command("draft")
def draft(
    description: Annotated[
        Path, typer.Argument(metavar="DESCRIPTION", exists=True, dir_okay=False, help="TOML, or JSON as .json.")
    ],
    out: OutFile,
    as_json: JsonFlag = False,
) -> None:
    """Draft version 1 of a charter from a description of its members, chairmanship, relays and quorums."""
    from exchange.cli.charter_description import draft_from

    refuse_existing(out)
    charter = draft_from(description, SystemClock().now())
    store(out, CHARTER_DRAFT, charter)
    warnings = ceremony.draft_warnings(charter)
    for warning in warnings:
        note(f"warning: {warning}")
    print_result({**describe(CHARTER_DRAFT, charter), "warnings": list(warnings), "file": str(out)}, as_json)


@charter_app.command("sign")
def sign(
    file: DraftFile,
    root_file: RootFile,
    out: OutFile,
    passphrase_file: PassphraseFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign a draft with a Member State's root key; compare its fingerprint with the other members before you do."""
    refuse_existing(out)
    charter = load(file, CHARTER_DRAFT)
    signature = ceremony.sign_charter(load_root(root_file, passphrase_file), charter)
    store(out, CHARTER_SIGNATURE, signature)
    print_result({**describe(CHARTER_SIGNATURE, signature), "file": str(out)}, as_json)


@charter_app.command("assemble")
def assemble(
    file: DraftFile,
    signatures: Annotated[list[Path], typer.Argument(metavar="SIGNATURE...", exists=True, dir_okay=False)],
    out: OutFile,
    as_json: JsonFlag = False,
) -> None:
    """Put the signatures of all Member States to the draft; the result is what nodes and relays are set up with."""
    refuse_existing(out)
    given = [load(path, CHARTER_SIGNATURE) for path in signatures]
    entry = ceremony.assemble_charter(load(file, CHARTER_DRAFT), given)
    store(out, SIGNED_CHARTER, entry)
    print_result({**_short(entry), "file": str(out)}, as_json)


@charter_app.command("verify")
def verify(
    file: InFile,
    pinned: Annotated[
        str | None, typer.Option("--fingerprint", metavar="HEX", help="The fingerprint that the members agreed on.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify the signature of every Member State, and the fingerprint when it is given."""
    wanted = None if pinned is None else digest(pinned)
    entry = load(file, SIGNED_CHARTER)
    verify_first_charter(entry, wanted)
    if wanted is None:
        note("the signatures hold; compare the fingerprint with the other members, or give it as --fingerprint")
    print_result({"verified": True, "pinned": wanted is not None, **_short(entry)}, as_json)


@charter_app.command("show")
def show(file: InFile, as_json: JsonFlag = False) -> None:
    """Show a charter or a draft in full, and whether its signatures hold."""
    kind, value = load_any(file)
    if isinstance(value, Charter):
        print_result(describe(kind, value), as_json)
        return
    if not isinstance(value, DirectoryEntry) or not isinstance(value.statement, Charter):
        raise Refusal(f"{file} is a {kind.name}, not a charter: use `cbm keys show`")
    try:
        verify_first_charter(value, None)
    except KeyFault as fault:
        signatures = str(fault)
    else:
        signatures = "complete, and all hold"
    print_result({"signatures": signatures, **describe(kind, value)}, as_json)


def _short(entry: DirectoryEntry) -> Description:
    told = describe(SIGNED_CHARTER, entry)
    return {name: told[name] for name in ("fingerprint", "version", "signed_by")}
