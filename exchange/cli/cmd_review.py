"""`cbm review`: numbers for the regular review of the Catalogue's implementation (1.8)."""

from typing import Annotated, Any, Final

import typer

from exchange.cli import options
from exchange.cli.cmd_send import print_queued
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import WrongUse, print_json, print_table
from exchange.client import NodeClient, Queued
from schemas.ids import SECRETARIAT
from schemas.registry import versions

_MEASURE: Final = "1.8"
_TYPE: Final = "implementation-review"


def review(  # noqa: PLR0913  # options of a command
    *,
    start: Annotated[str, typer.Option("--start", metavar="DAY", callback=options.day, help="First day that counts.")],
    end: Annotated[str, typer.Option("--end", metavar="DAY", callback=options.day, help="Last day that counts.")],
    node: NodeUrl,
    token_file: TokenFile,
    own_only: Annotated[bool, typer.Option("--own-only", help="Leave out what was received from others.")] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Send the numbers to the Secretariat as a record.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Put the reports together that this node received.")] = False,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Count what was exchanged in a period, by measure and state: numbers alone, nothing of any record.

    Submitting them is the state's own choice (1.3). The Secretariat merges the reports on one and the same period; a
    row is doubtful when another state holds more than the providing state says that it provided.
    """
    if merge and (submit or own_only):
        raise WrongUse("--merge goes with neither --submit nor --own-only: it is about what others reported")

    async def work(client: NodeClient) -> dict[str, Any] | Queued:
        if merge:
            return await client.merged_review(start, end)
        report = await client.review(start, end, own_only=own_only)
        if not submit:
            return report
        return await client.send([SECRETARIAT], _MEASURE, _record(report), idempotency_key=key)

    told = with_node(node, token_file, ca_file, as_json, work)
    if isinstance(told, Queued):
        print_queued(told, as_json)
    elif as_json:
        print_json(told)
    elif merge:
        print_table(("MEASURE", "STATE", "OWN", "SEEN BY", "SEEN", "DOUBTFUL"), [_merged(row) for row in told["rows"]])
    else:
        columns = ("measure", "state", "records", "nil", "replies")
        rows = [tuple(str(row[name]) for name in columns) for row in told["counts"]]
        print_table(tuple(name.upper() for name in columns), rows)


def _record(report: dict[str, Any]) -> dict[str, Any]:
    """The record that submits a report."""
    title = f"Report on implementation of the Catalogue, {report['start']} to {report['end']}"
    return {
        "record_type": _TYPE,
        "schema_version": versions(_TYPE)[-1],
        "language": "en",
        "title": {"en": title},
        "body": report,
    }


def _merged(row: dict[str, Any]) -> tuple[str, ...]:
    own = "-" if row["own"] is None else str(row["own"]["records"])
    return row["measure"], row["state"], own, str(row["seen_by"]), str(row["seen"]), "yes" if row["doubtful"] else "-"
