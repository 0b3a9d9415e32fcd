"""`cbm joint`: what several states provide together, seen, signed and refused before any of it is sent (1.7)."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import options
from exchange.cli.ceremony_files import refuse_existing
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import note, print_result, print_rows
from exchange.client import NodeClient

joint_app = typer.Typer(
    help="Joint records: several states sign one Provision before any of it is sent.", add_completion=False
)

Digest = Annotated[
    str, typer.Argument(metavar="DIGEST", help="The Provision's, or the id that `cbm send` gave: see cbm joint list.")
]


@joint_app.command("list")
def list_drafts(
    node: NodeUrl,
    token_file: TokenFile,
    every: Annotated[bool, typer.Option("--all", help="Also those that were signed, refused or given up.")] = False,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List what waits for signatures, of this state and of others, with who has signed."""

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        return [row async for row in client.joint(every=every)]

    rows = with_node(node, token_file, ca_file, as_json, work)
    columns = ("MESSAGE", "STATE", "LEAD", "MEASURE", "TYPE", "SIGNED", "WAITS FOR", "SIGN BY", "TITLE")
    print_rows(rows, as_json, columns, _cells)


@joint_app.command("show")
def show(
    digest: Digest,
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show all that is signed: the record, its attachments, the terms, the audience; and who has said what."""
    wanted = _name(digest)
    print_result(with_node(node, token_file, ca_file, as_json, lambda client: client.joint_draft(wanted)), as_json)


@joint_app.command("attachment")
def attachment(
    digest: Digest,
    index: Annotated[int, typer.Argument(metavar="INDEX", min=0, max=31, help="Its index, as shown.")],
    out: options.OutFile,
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Write an attachment of what is to be signed to a file."""
    wanted = _name(digest)
    refuse_existing(out)

    async def work(client: NodeClient) -> int:
        return await _write(client, wanted, index, out)

    try:
        size = with_node(node, token_file, ca_file, as_json, work)
    except BaseException:
        # What is not complete does not stay.
        out.unlink(missing_ok=True)
        raise
    print_result({"out": str(out), "size": size}, as_json)


@joint_app.command("sign")
def sign(
    digest: Digest,
    node: NodeUrl,
    token_file: TokenFile,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign for this state. When all have signed, the lead sends it; nothing is sent before."""
    wanted = _name(digest)
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.sign_joint(wanted, idempotency_key=key))
    print_result(told, as_json)
    if told.get("state") == "awaiting-release":
        note(f"it is signed when {told.get('needed')} other officials agree: see `cbm release list`")


@joint_app.command("refuse")
def refuse(
    digest: Digest,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the other providers are told.")],
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Refuse for this state, also what it has signed, as long as it is not sent. Final."""
    wanted = _name(digest)
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.refuse_joint(wanted, reason))
    print_result(told, as_json)


async def _write(client: NodeClient, digest: str, index: int, out: Path) -> int:
    """Into a new file, for whoever ran the command alone."""
    size = 0
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as target:
        async for piece in client.joint_attachment(digest, index):
            target.write(piece)
            size += len(piece)
    return size


def _name(text: str) -> str:
    """A digest of 64 hexadecimal digits, or an id of 32; raises BadParameter."""
    if len(text) not in (32, 64) or not all(c in "0123456789abcdef" for c in text):
        raise typer.BadParameter("a joint Provision is named by 64 or 32 hexadecimal digits: see `cbm joint list`")
    return text


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    titles = row["title"]
    answers = row["providers"]
    return (
        row["message"],
        row["state"],
        row["lead"],
        row["measure"],
        row["record_type"],
        " ".join(one["member"] for one in answers if one["answer"] == "signed") or "-",
        " ".join(one["member"] for one in answers if one["answer"] == "waiting") or "-",
        row["sign_by"],
        titles.get("en") or next(iter(titles.values()), "-"),
    )
