"""`cbm database`: the Secretariat's database (1.6; section 3.B; 2.3.14)."""

from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli import cmd_send, options
from exchange.cli.ceremony_files import read_bytes
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, print_result, print_rows
from exchange.client import NodeClient
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json

database_app = typer.Typer(help="Search what a node holds; compile the Secretariat's editions.", add_completion=False)


Content = Annotated[
    Path,
    typer.Option("--content", metavar="FILE", exists=True, dir_okay=False, help='Its text by language: {"en": ...}'),
]
Area = Annotated[str | None, typer.Option("--priority-area", metavar="AREA", help="Such as tourism.")]
Source = Annotated[
    list[str] | None, typer.Option("--source", metavar="RECORD", help="Only of these records. Repeatable.")
]


@database_app.command("search")
def search(  # noqa: PLR0913  # options of a command
    words: Annotated[
        str | None, typer.Argument(metavar="WORDS", help="All of them, each the beginning of one.")
    ] = None,
    *,
    node: NodeUrl,
    token_file: TokenFile,
    measure: Annotated[str | None, typer.Option("--measure", metavar="N", help="Such as 2.3.12, or 2.3.*")] = None,
    state: Annotated[str | None, typer.Option("--state", metavar="CODE", help="One that provided it.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="DAY", callback=options.day, help="First day.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="DAY", callback=options.day, help="Last day.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest.")] = 20,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Search by words, measure, state and period, as far as the token may read.

    Each row names its message and its Provision, and says who may have it on which ground (1.7). What was cancelled or
    withdrawn is shown as the trace that it was there, without its content.
    """

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        async for row in client.search(words, measure=measure, state=state, start=start, end=end):
            rows.append(row)
            if len(rows) == limit:
                break
        return rows

    rows = with_node(node, token_file, ca_file, as_json, work)
    columns = ("MESSAGE", "RECORD", "MEASURE", "BY", "STATUS", "ONWARD", "PROVISION", "MAY RECEIVE", "TITLE")
    print_rows(rows, as_json, columns, _cells)


@database_app.command("compile")
def compile_edition(  # noqa: PLR0913  # options of a command
    *,
    to: cmd_send.To,
    measure: Annotated[str, typer.Option("--measure", metavar="N", help="2.3.14, or 3.B with --priority-area.")],
    content: Content,
    node: NodeUrl,
    token_file: TokenFile,
    priority_area: Area = None,
    source: Source = None,
    onward: cmd_send.Onward = None,
    purpose: cmd_send.Purpose = None,
    until: cmd_send.Until = None,
    not_before: cmd_send.NotBefore = None,
    tlp: cmd_send.Tlp = None,
    precedence: options.PrecedenceLabel = None,
    expires: options.Expires = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Compile the next edition for some readers and send it; at the Secretariat's node only.

    A source goes in only if all of them may have it; what was left out is told with the reason. What an edition before
    had and this one has not stays as a trace.
    """
    codes, text = options.members(to), _texts(content)
    terms: dict[str, Any] = dict(
        cmd_send.stated(
            onward=onward,
            purpose=purpose,
            until=until,
            not_before=not_before,
            tlp=tlp,
            precedence=precedence,
            expires=expires,
        )
    )
    terms |= {"priority_area": priority_area} if priority_area else {}
    terms |= {"sources": source} if source else {}

    async def work(client: NodeClient) -> dict[str, Any]:
        return await client.compile_edition(codes, measure, text, idempotency_key=key, **terms)

    print_result(with_node(node, token_file, ca_file, as_json, work), as_json)


def _texts(path: Path) -> dict[str, Any]:
    """A text by language."""
    value = load_json(read_bytes(path, MAX_RECORD_BYTES))
    if not isinstance(value, dict):
        raise Refusal(f'{path} holds no JSON object: write the text by language, {{"en": "..."}}')
    return value


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    titles = row.get("title") or {}
    title = titles.get("en") or titles.get("ru") or next(islice(titles.values(), 1), "-")
    ended = row.get("ended")
    return (
        row["message"],
        row["record_id"],
        row["measure"],
        ", ".join(row["originators"]),
        row["status"],
        row["provision"]["onward"],
        row["provision"]["digest"],
        ", ".join(f"{who['member']} ({who['ground']})" for who in row["may_receive"]) or "-",
        title if ended is None else f"ended {ended['at'] or '-'} by {', '.join(ended['by'])}",
    )
