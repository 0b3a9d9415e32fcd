"""`cbm charter`: draft, amend, sign, assemble and verify a charter. Works offline, without any configuration."""

from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.ceremony_files import load, load_any, refuse_existing, store
from exchange.cli.describe import Description, describe
from exchange.cli.options import JsonFlag, OutFile, PassphraseFile, RootFile, digest
from exchange.cli.output import Refusal, note, print_result
from exchange.cli.passphrase import load_root
from exchange.clock import SystemClock
from keys import ceremony
from keys.amendment import draft_changes
from keys.charter import verify_amendment, verify_first_charter, vote
from keys.errors import KeyFault, Untrusted
from schemas.charter import Charter
from schemas.files import CHARTER_DRAFT, CHARTER_SIGNATURE, SIGNED_CHARTER
from schemas.statement import DirectoryEntry

charter_app = typer.Typer(help="Draft, amend, sign, assemble and verify a charter (offline).", add_completion=False)

DraftFile = Annotated[Path, typer.Argument(metavar="DRAFT", exists=True, dir_okay=False)]
Previous = Annotated[
    Path | None,
    typer.Option("--previous", metavar="FILE", exists=True, dir_okay=False, help="The version that it follows."),
]


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
    _keep_draft(draft_from(description, SystemClock().now()), {}, out, as_json)


@charter_app.command("amend")
def amend(
    previous: Annotated[Path, typer.Argument(metavar="CHARTER", exists=True, dir_okay=False)],
    changes: Annotated[
        Path, typer.Argument(metavar="CHANGES", exists=True, dir_okay=False, help="TOML, or JSON as .json.")
    ],
    out: OutFile,
    as_json: JsonFlag = False,
) -> None:
    """Draft the version that follows CHARTER: admit, remove, replace a root or a relay, change quorums or the chair.

    The command tells what the draft changes and who has to sign it.
    """
    from exchange.cli.charter_description import amended

    refuse_existing(out)
    before = _charter(previous)
    charter = amended(changes, before, SystemClock().now())
    _keep_draft(charter, _told_of(before, charter), out, as_json)


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
    previous: Previous = None,
    as_json: JsonFlag = False,
) -> None:
    """Put the signatures that a draft needs to it. Version 1 needs all Member States; a later one is told `--previous`.

    What comes out of version 1 is what nodes and relays are set up with; a later version is published in the directory.
    """
    refuse_existing(out)
    charter = load(file, CHARTER_DRAFT)
    if (charter.version == 1) != (previous is None):
        raise Refusal(f"{file} drafts version {charter.version}: a later version than 1, and only that, has --previous")
    given = [load(path, CHARTER_SIGNATURE) for path in signatures]
    entry = ceremony.assemble_charter(charter, given, None if previous is None else _charter(previous))
    store(out, SIGNED_CHARTER, entry)
    print_result({**_short(entry), "file": str(out)}, as_json)


@charter_app.command("verify")
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="Version 1, then each later version."),
    ],
    pinned: Annotated[
        str | None,
        typer.Option("--fingerprint", metavar="HEX", help="The agreed fingerprint of version 1."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify the signatures of version 1, of each version that follows it, and the fingerprint when it is given."""
    wanted = None if pinned is None else digest(pinned)
    entries = [load(path, SIGNED_CHARTER) for path in files]
    charter, told = verify_first_charter(entries[0], wanted), Description()
    for entry in entries[1:]:
        before, charter = charter, verify_amendment(entry, charter)
        told = {"changes": list(draft_changes(before, charter))}
    if wanted is None:
        note("the signatures hold; compare the fingerprint with the other members, or give it as --fingerprint")
    print_result({"verified": True, "pinned": wanted is not None, **_short(entries[-1]), **told}, as_json)


@charter_app.command("show")
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)],
    previous: Previous = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a charter or a draft in full, and whether its signatures hold; with --previous also what it changes."""
    kind, value = load_any(file)
    before = None if previous is None else _charter(previous)
    if isinstance(value, Charter):
        print_result({**describe(kind, value), **({} if before is None else _told_of(before, value))}, as_json)
        return
    if not isinstance(value, DirectoryEntry) or not isinstance(value.statement, Charter):
        raise Refusal(f"{file} is a {kind.name}, not a charter: use `cbm keys show`")
    told = {} if before is None else _told_of(before, value.statement)
    print_result({"signatures": _verdict(value, before), **describe(kind, value), **told}, as_json)


def _keep_draft(charter: Charter, told: Description, out: Path, as_json: bool) -> None:
    store(out, CHARTER_DRAFT, charter)
    warnings = ceremony.draft_warnings(charter)
    for warning in warnings:
        note(f"warning: {warning}")
    print_result({**describe(CHARTER_DRAFT, charter), **told, "warnings": list(warnings), "file": str(out)}, as_json)


def _told_of(before: Charter, charter: Charter) -> Description:
    """What a version changes, and who signs it. Raises Untrusted when it does not follow `before`."""
    rule = vote(before, charter)
    return {
        "changes": list(draft_changes(before, charter)),
        "signatures_needed": {
            "of": sorted(rule.eligible),
            "at_least": rule.needed,
            "and_with_the_new_root": sorted(rule.introduced),
        },
    }


def _verdict(entry: DirectoryEntry, before: Charter | None) -> str:
    """Whether the signatures hold, in words."""
    version = entry.statement.version if isinstance(entry.statement, Charter) else 0
    if version > 1 and before is None:
        return f"not verified: version {version} is verified by the one before it (--previous)"
    try:
        if before is None:
            verify_first_charter(entry, None)
        else:
            verify_amendment(entry, before)
    except KeyFault as fault:
        return str(fault)
    return "complete, and all hold"


def _charter(path: Path) -> Charter:
    """The version in a file of a signed charter; its signatures are not looked at."""
    statement = load(path, SIGNED_CHARTER).statement
    if not isinstance(statement, Charter):
        raise Untrusted(f"{path} is no charter")
    return statement


def _short(entry: DirectoryEntry) -> Description:
    told = describe(SIGNED_CHARTER, entry)
    return {name: told[name] for name in ("fingerprint", "version", "signed_by")}
