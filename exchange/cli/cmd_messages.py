"""`cbm inbox`, `cbm show`, `cbm forward`: what a ministry does with messages that its node received."""

from collections import deque
from typing import Annotated, Any

import typer

from exchange.cli import options
from exchange.cli.chain_text import chain_lines
from exchange.cli.node_access import AuthorityFile, MessageId, NodeUrl, TokenFile, message_id, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import print_json, print_lines, print_result, print_table
from exchange.client import Message, NodeClient, Summary


def inbox(
    node: NodeUrl,
    token_file: TokenFile,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest.")] = 100,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List the messages received, as far as the token may read them."""

    async def work(client: NodeClient) -> list[Summary]:
        # The node lists the oldest first; what a person wants to see is the end.
        newest: deque[Summary] = deque(maxlen=limit)
        async for row in client.messages("inbox"):
            newest.append(row)
        return list(newest)

    rows = with_node(node, token_file, ca_file, as_json, work)
    if as_json:
        print_json([row.raw for row in rows])
        return
    print_table(
        ("ID", "RECEIVED", "FROM", "MEASURE", "TYPE", "PRECEDENCE", "TLP", "TITLE"),
        [
            (row.id, row.received or "-", row.sender, row.measure, row.record_type, row.precedence, row.tlp, row.title)
            for row in rows
        ],
    )


def show(
    ident: MessageId,
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show one message, sent or received: record, terms, attachments, and how far it came at each recipient."""
    wanted = message_id(ident)

    async def work(client: NodeClient) -> Message:
        return await client.message(wanted)

    message = with_node(node, token_file, ca_file, as_json, work)
    told: dict[str, Any] = {
        **message.summary.raw,
        "record": message.record,
        "provision": message.provision,
        "classes": message.summary.raw.get("classes", []),
        "envelopes": list(message.envelopes),
    }
    if as_json:
        print_json(told)
        return
    # Its chain is read more easily as a text of its own, at the end.
    print_result({name: value for name, value in told.items() if name not in ("chain", "current")}, as_json)
    print_lines(chain_lines(message.chain, message.current))


def forward(  # noqa: PLR0913  # options of a command
    ident: MessageId,
    *,
    to: Annotated[str, typer.Option("--to", metavar="CODES", help="Recipients, such as UZB or @caspian.")],
    node: NodeUrl,
    token_file: TokenFile,
    precedence: options.PrecedenceLabel = None,
    expires: options.Expires = None,
    purpose: Annotated[
        str | None, typer.Option(callback=options.purpose, help="Another than its providers'; it takes their Grants.")
    ] = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Pass a received message on; refused, naming the provider, where its consent is missing (provision 1.7)."""
    wanted, codes = message_id(ident), options.recipients(to)
    queued = with_node(
        node,
        token_file,
        ca_file,
        as_json,
        lambda client: client.forward(
            wanted, codes, precedence=precedence, expires=expires, purpose=purpose, idempotency_key=key
        ),
    )
    print_result({"id": queued.id, "state": queued.state}, as_json)
