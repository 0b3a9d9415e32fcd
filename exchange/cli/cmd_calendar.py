"""`cbm calendar`: which returns are due to and from each partner, and what became of them."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange.cli import options
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import print_result, print_rows
from exchange.client import NodeClient
from exchange.process import write_durably

_COLUMNS: Final = ("DUE", "MEASURE", "PARTNER", "FOR", "ANSWER", "DAYS LATE", "EVIDENCE", "MESSAGE")


def calendar(  # noqa: PLR0913  # options of a command
    *,
    node: NodeUrl,
    token_file: TokenFile,
    partner: Annotated[str | None, typer.Option("--partner", metavar="CODE", help="With this member.")] = None,
    measure: Annotated[str | None, typer.Option("--measure", metavar="N", help="Of this measure.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="DAY", callback=options.day, help="Due on this day or later.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DAY", callback=options.day, help="Due on this day or earlier.")
    ] = None,
    ics: Annotated[
        Path | None, typer.Option("--ics", metavar="FILE", help="Write it as iCalendar to FILE, anew each time.")
    ] = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show which returns are due, sent, received, nil, late or missing, by what the state declared and by evidence.

    The node's operator declares what is agreed with whom in participation.toml in the node's folder.
    """
    with_whom = None if partner is None else options.member(partner)
    asked = {"partner": with_whom, "measure": measure, "start": start, "end": end}

    async def work(client: NodeClient) -> tuple[list[dict[str, Any]], bytes]:
        return ([], await client.calendar_feed(**asked)) if ics else (await client.calendar(**asked), b"")

    rows, feed = with_node(node, token_file, ca_file, as_json, work)
    if ics:
        write_durably(ics, feed)
        print_result({"written": str(ics)}, as_json)
    else:
        print_rows(rows, as_json, _COLUMNS, _cells)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    way = "to" if row["ours"] else "from"
    return (
        row["due"],
        row["measure"],
        f"{way} {row['partner']}",
        f"{row['start']} to {row['end']}",
        row["answer"],
        str(row["days_late"] or "-"),
        row["evidenced_at"] or "-",
        row["message"] or "-",
    )
