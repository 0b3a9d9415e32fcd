"""`cbm consent refusals`, `check`: transfers that were refused, each with its proof, and the proof checked offline."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from exchange.cli.ceremony_files import load, refuse_existing, store
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import InFile, JsonFlag
from exchange.cli.output import Refusal, WrongUse, print_json, print_lines, print_result, print_rows, utc
from exchange.client import NodeClient
from schemas.files import REFUSED
from schemas.refused import decode_refused

if TYPE_CHECKING:
    from exchange.consent.refused import JudgedRefusal
    from keys.directory import Directory

# Of a digest in a table; enough to name one by.
_SHORT: Final = 16


def refusals(
    node: NodeUrl,
    token_file: TokenFile,
    digest: Annotated[
        str | None, typer.Argument(metavar="DIGEST", help="One refused transfer, by the beginning of its digest.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File for its proof, for anyone; must not exist.")
    ] = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List the transfers of what this state provided that the relay or a recipient refused.

    With a DIGEST and --out the forwarder's signed header is written to a file, which `cbm consent check` checks.
    """
    if digest is None and out is not None:
        raise WrongUse("--out is for one of them: give its DIGEST, as cbm consent refusals lists it")
    if out is not None:
        refuse_existing(out)

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        return [row async for row in client.refused_transfers()]

    rows = with_node(node, token_file, ca_file, as_json, work)
    if digest is not None:
        _one(rows, digest, out, as_json)
    else:
        columns = ("DIGEST", "TIME", "SENDER", "TO", "RULE", "REFUSED BY", "JUDGEMENT", "MESSAGES")
        print_rows(rows, as_json, columns, _cells)


def check(
    file: InFile,
    *,
    directory: Annotated[
        Path | None,
        typer.Option("--directory", metavar="FILE", exists=True, dir_okay=False, help="A directory that was exported."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", exists=True, file_okay=False, help="Or a node's folder.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check offline what a file of `cbm consent refusals --out` proves: who wanted to pass on what, and the rule.

    Nothing is trusted but the directory: compare the charter's fingerprint. Exit code 1 when the file was altered or
    proves nothing, and when the transfer was lawful.
    """
    from exchange.consent.refused import judge_refused
    from keys.digests import fingerprint

    refused = load(file, REFUSED)
    view = _directory(directory, folder)
    found = judge_refused(refused, view, int(time.time()))
    if found.lawful:
        raise Refusal(
            f"{file}: by its own header and receipt the transfer was lawful: who says that it was not is wrong"
        )
    told = {**_facts(found), "charter": fingerprint(view.charters[0].digest)}
    if as_json:
        print_json(told)
        return
    print_result({name: value for name, value in told.items() if name not in ("proved", "stated")}, False)
    print_lines(("proved, under this charter:", *(f"  {line}" for line in told["proved"])))
    if told["stated"]:
        print_lines(("and besides, which is no proof:", *(f"  {line}" for line in told["stated"])))


def register(app: typer.Typer) -> None:
    """Add these commands to `cbm consent`."""
    app.command()(refusals)
    app.command()(check)


def _one(rows: list[dict[str, Any]], digest: str, out: Path | None, as_json: bool) -> None:
    found = [row for row in rows if row["header_digest"].startswith(digest)]
    if len(found) != 1:
        raise Refusal(f"{len(found)} refused transfers have a digest that begins so: see cbm consent refusals")
    row = found[0]
    if out is None:
        print_result(row, as_json)
        return
    store(out, REFUSED, decode_refused(bytes.fromhex(row["notice"])))
    print_result({"digest": row["header_digest"], "out": str(out)}, as_json)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    to, messages = ", ".join(row["recipients"]), ", ".join(row["messages"]) or "-"
    digest = row["header_digest"][:_SHORT]
    return digest, row["time"], row["sender"], to, row["rule"], row["source"], row["judgement"], messages


def _directory(file: Path | None, folder: Path | None) -> "Directory":
    from exchange.wiring.epochs import node_directory
    from exchange.wiring.relay_directory import verified_directory

    if file is not None and folder is None:
        return verified_directory(file, None)
    if folder is not None and file is None:
        return node_directory(folder)
    raise WrongUse("give one of --directory and --dir")


def _facts(found: "JudgedRefusal") -> dict[str, Any]:
    core, receipt = found.header.core, found.receipt
    to = list(found.header.recipients)
    proved = [f"{core.sender} signed the transfer to {', '.join(to)}, made {utc(core.created)}"]
    for signed, faulty in zip(core.provisions, found.faulty, strict=True):
        names, ident = ", ".join(signed.provision.providers), signed.provision.id.hex()
        sound = f"{names} signed Provision {ident}, which it carries"
        proved.append(
            sound if faulty is None else f"it carries Provision {ident} of {names}, which {faulty} did not sign"
        )
    stated = []
    if receipt is not None:
        proved.append(f"the relay accepted it {utc(receipt.time)}, by a directory of {receipt.directory_size} entries")
    else:
        stated.append(f"that it was refused {utc(found.time)}")
    if found.agrees:
        why = next(refusal.detail for refusal in found.decision.refusals if refusal.rule is found.rule)
        # Without a receipt the moment, by which it is judged, is the word of who refused.
        proved.append(f"the rule of consent refuses it{'' if receipt else ' at the time stated'}: {why} ({found.rule})")
    else:
        stated.append(f"that the rule {found.rule} refuses it, which cannot be told from this file and this directory")
    return {
        "digest": found.header.digest.hex(),
        "sender": core.sender,
        "recipients": to,
        "rule": found.rule.value,
        "judgement": "agrees" if found.agrees else "cannot-tell",
        "time": utc(found.time),
        "proved": proved,
        "stated": stated,
    }
