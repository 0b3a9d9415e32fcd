"""`cbm release`: what waits for other officials: look at it, approve it, refuse it, change one's own."""

from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import cmd_send, options
from exchange.cli.ceremony_files import read_bytes
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, print_json, print_result, print_rows
from exchange.client import Attachment, NodeClient
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json

release_app = typer.Typer(help="What waits for other officials.", add_completion=False)
Ident = Annotated[str, typer.Argument(metavar="ID", help="As cbm send said it, or cbm release list.")]


@release_app.callback()
def _release() -> None:
    """What waits for other officials. A token is personal, and nobody approves what the same token asked for."""


@release_app.command("list")
def list_releases(
    node: NodeUrl,
    token_file: TokenFile,
    ended: Annotated[bool, typer.Option("--all", help="Also what was decided.")] = False,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List what this token asked for or may decide, the newest first."""
    rows = with_node(node, token_file, ca_file, as_json, lambda client: client.releases(ended=ended))
    columns = ("ID", "KIND", "STATE", "MEASURE", "TYPE", "MINISTRY", "APPROVED", "EXPIRES")
    print_rows(rows, as_json, columns, _cells)


@release_app.command("show")
def show(
    ident: Ident, node: NodeUrl, token_file: TokenFile, ca_file: AuthorityFile = None, as_json: JsonFlag = False
) -> None:
    """Show all of it: the record, the terms, the files, who has approved it, and the digest to approve."""
    print_result(with_node(node, token_file, ca_file, as_json, lambda client: client.release(ident)), as_json)


@release_app.command("approve")
def approve(
    ident: Ident,
    *,
    digest: Annotated[
        str, typer.Option("--digest", metavar="HEX", help="Of what you looked at, as cbm release show said it.")
    ],
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Approve it; the last approval that is needed sends it."""
    wanted = options.digest(digest).hex()
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.approve_release(ident, wanted))
    if told["state"] == "failed":
        if as_json:
            print_json(told)
        raise Refusal(f"it was released and could not be done: {told['reason']}")
    print_result(told, as_json)


@release_app.command("refuse")
def refuse(
    ident: Ident,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="For its author.")],
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Refuse it, or withdraw your own: final."""
    print_result(
        with_node(node, token_file, ca_file, as_json, lambda client: client.refuse_release(ident, reason)), as_json
    )


@release_app.command("change")
def change(  # noqa: PLR0913  # options of a command
    ident: Ident,
    *,
    node: NodeUrl,
    token_file: TokenFile,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", exists=True, dir_okay=False, help="Another record.")
    ] = None,
    attach: cmd_send.Attachments = None,
    to: Annotated[str | None, typer.Option("--to", metavar="CODES", help="Other recipients.")] = None,
    onward: cmd_send.Onward = None,
    purpose: cmd_send.Purpose = None,
    until: cmd_send.Until = None,
    not_before: cmd_send.NotBefore = None,
    tlp: cmd_send.Tlp = None,
    precedence: options.PrecedenceLabel = None,
    expires: options.Expires = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what you asked for: what you state replaces what was there. Every approval is gone, and begins again.

    Files are not kept: attach again all that are to travel with the record.
    """
    terms = cmd_send.stated(
        onward=onward,
        purpose=purpose,
        until=until,
        not_before=not_before,
        tlp=tlp,
        precedence=precedence,
        expires=expires,
    )
    content = None if record is None else load_json(read_bytes(record, MAX_RECORD_BYTES))
    codes = None if to is None else options.recipients(to)
    files = [Attachment.of(path) for path in attach or []]

    async def work(client: NodeClient) -> dict[str, Any]:
        asked = (await client.release(ident)).get("request")
        if not isinstance(asked, dict):
            raise Refusal("what was asked for is not kept any more: see how it ended")
        return await client.change_release(ident, _changed(asked, content, codes, dict(terms)), files)

    print_result(with_node(node, token_file, ca_file, as_json, work), as_json)


def _changed(asked: dict[str, Any], content: object, codes: list[str] | None, terms: dict[str, Any]) -> dict[str, Any]:
    """The request with what is stated now; what its record repeats of the terms follows them."""
    changed = {**asked, **terms} | ({} if codes is None else {"to": codes})
    if "record" not in asked:
        return changed
    if content is not None:
        return changed | {"record": content}
    kept = {name: value for name, value in asked["record"].items() if name not in ("recipients", "attachments")}
    if terms.keys() & {"tlp", "onward"}:
        kept["handling"] = {**kept["handling"], "tlp": changed["tlp"], "onward": changed["onward"]}
    return changed | {"record": kept}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["id"],
        row["kind"],
        row["state"],
        row["measure"],
        row["record_type"],
        row["author"]["ministry"],
        f"{row['approved']} of {row['needed']}",
        row["expires"],
    )
