"""`cbm consent request`, `list`, `show`, `grant`, `give`, `refuse`, `grants`, `log`: consent asked for and given."""

from typing import Annotated, Any

import typer

from exchange.cli import options
from exchange.cli.node_access import AuthorityFile, MessageId, NodeUrl, TokenFile, message_id, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import WrongUse, print_result, print_rows
from exchange.client import NodeClient

Request = Annotated[str, typer.Argument(metavar="ID", help="The request, as cbm consent list names it.")]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="A day (its end), a time, or a span: 14d.")]
Uses = Annotated[int | None, typer.Option("--uses", min=1, help="For so many transfers; else one to each recipient.")]
Unlimited = Annotated[bool, typer.Option("--unlimited", help="For any number of transfers.")]
ClassName = Annotated[
    str | None, typer.Option("--class", metavar="NAME", help="For all of this class, which the message is of.")
]
Purpose = Annotated[
    str | None, typer.Option("--purpose", callback=options.purpose, help="Another purpose than the provider's.")
]


def request(  # noqa: PLR0913  # options of a command
    ident: MessageId,
    *,
    to: Annotated[
        str, typer.Option("--to", metavar="CODES", help="To whom it is to be passed on, such as UZB,@relief.")
    ],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="A day (its end), a time, or a span: 14d.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="For the providers' officials.")],
    node: NodeUrl,
    token_file: TokenFile,
    purpose: Purpose = None,
    uses: Annotated[
        int | None, typer.Option("--uses", min=1, help="How many transfers; without it any number.")
    ] = None,
    answer_by: Annotated[
        str | None,
        typer.Option("--answer-by", metavar="TIME", help="A day, a time, or a span: 7d, which is the default."),
    ] = None,
    provision: Annotated[
        str | None,
        typer.Option("--provision", metavar="ID", help="Which one, in a message that was compiled of several."),
    ] = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask every provider of a received message to let it be passed on (provision 1.7).

    One refusal is final; nobody's answer by --answer-by is taken for a refusal.
    """
    wanted, codes = message_id(ident), options.recipients(to)

    async def work(client: NodeClient) -> dict[str, Any]:
        return await client.request_consent(
            wanted,
            codes,
            until=until,
            reason=reason,
            purpose=purpose,
            uses=uses,
            answer_by=answer_by,
            provision=provision,
            idempotency_key=key,
        )

    print_result(with_node(node, token_file, ca_file, as_json, work), as_json)


def list_requests(
    node: NodeUrl,
    token_file: TokenFile,
    made: Annotated[
        bool, typer.Option("--made", help="Those that this state made, not those that it received.")
    ] = False,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List the requests that this state received, or made."""

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        return [row async for row in client.consent_requests("out" if made else "in")]

    rows = with_node(node, token_file, ca_file, as_json, work)
    columns = ("ID", "STATE", "HOLDER", "TO", "PURPOSE", "UNTIL", "ANSWER BY", "ANSWERS")
    print_rows(rows, as_json, columns, _request)


def show(
    ident: Request, node: NodeUrl, token_file: TokenFile, ca_file: AuthorityFile = None, as_json: JsonFlag = False
) -> None:
    """Show a request, received or made, with every provider's answer."""
    wanted = message_id(ident)
    print_result(with_node(node, token_file, ca_file, as_json, lambda client: client.consent_request(wanted)), as_json)


def grant(  # noqa: PLR0913  # options of a command
    ident: Request,
    *,
    node: NodeUrl,
    token_file: TokenFile,
    to: Annotated[str | None, typer.Option("--to", metavar="CODES", help="Only to these of those asked for.")] = None,
    until: Until = None,
    uses: Uses = None,
    unlimited: Unlimited = False,
    class_name: ClassName = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Grant a request: sign a Grant for one transfer, for some, or for a class; never more than was asked."""
    wanted = message_id(ident)
    codes = None if to is None else options.recipients(to)

    async def work(client: NodeClient) -> dict[str, Any]:
        return await client.grant_consent(
            wanted,
            to=codes,
            until=until,
            uses=uses,
            unlimited=unlimited,
            class_name=class_name,
            idempotency_key=key,
        )

    _limited(uses, unlimited)
    print_result(with_node(node, token_file, ca_file, as_json, work), as_json)


def give(  # noqa: PLR0913  # options of a command
    ident: MessageId,
    *,
    holder: Annotated[str, typer.Option("--holder", metavar="CODE", help="Who may pass it on.")],
    to: Annotated[str, typer.Option("--to", metavar="CODES", help="To whom.")],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="A day (its end), a time, or a span: 14d.")],
    node: NodeUrl,
    token_file: TokenFile,
    purpose: Purpose = None,
    uses: Uses = None,
    unlimited: Unlimited = False,
    class_name: ClassName = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Give a Grant that nobody asked for, of a message that this state provided."""
    wanted, codes, member = message_id(ident), options.recipients(to), options.member(holder)

    async def work(client: NodeClient) -> dict[str, Any]:
        return await client.give_consent(
            wanted,
            member,
            codes,
            until=until,
            purpose=purpose,
            uses=uses,
            unlimited=unlimited,
            class_name=class_name,
            idempotency_key=key,
        )

    _limited(uses, unlimited)
    print_result(with_node(node, token_file, ca_file, as_json, work), as_json)


def refuse(
    ident: Request,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="For who asked.")],
    node: NodeUrl,
    token_file: TokenFile,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Refuse a request: final."""
    wanted = message_id(ident)
    told = with_node(
        node,
        token_file,
        ca_file,
        as_json,
        lambda client: client.refuse_consent(wanted, reason, idempotency_key=key),
    )
    print_result(told, as_json)


def grants(
    node: NodeUrl,
    token_file: TokenFile,
    given: Annotated[
        bool, typer.Option("--given", help="Those that this state gave, not those that it holds.")
    ] = False,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List the Grants that this state holds, with their uses, or gave."""

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        return [row async for row in client.grants("given" if given else "held")]

    rows = with_node(node, token_file, ca_file, as_json, work)
    columns = ("ID", "PROVIDER", "HOLDER", "TO", "MESSAGE", "PURPOSE", "UNTIL", "USED")
    print_rows(rows, as_json, columns, _grant)


def log(
    node: NodeUrl,
    token_file: TokenFile,
    subject: Annotated[
        str | None, typer.Option("--about", metavar="ID", help="Only of this request, Grant, message or act.")
    ] = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what happened in consent: who asked, who answered, by which token or rule."""

    async def work(client: NodeClient) -> list[dict[str, Any]]:
        return [row async for row in client.consent_log(subject)]

    rows = with_node(node, token_file, ca_file, as_json, work)
    names = ("time", "kind", "subject", "member", "official")
    columns = tuple(name.upper() for name in names)
    print_rows(rows, as_json, columns, lambda row: tuple(str(row[name] or "-") for name in names))


def register(app: typer.Typer) -> None:
    """Add these commands to `cbm consent`."""
    app.command()(request)
    app.command("list")(list_requests)
    for command in (show, grant, give, refuse, grants, log):
        app.command()(command)


def _limited(uses: int | None, unlimited: bool) -> None:
    if unlimited and uses is not None:
        raise WrongUse("give one of --uses and --unlimited")


def _request(row: dict[str, Any]) -> tuple[str, ...]:
    answered = ", ".join(f"{answer['provider']} {answer['state']}" for answer in row["answers"])
    to = ", ".join(row["recipients"])
    return row["id"], row["state"], row["holder"], to, row["purpose"], row["until"], row["answer_by"], answered


def _grant(row: dict[str, Any]) -> tuple[str, ...]:
    limit = "any" if row["uses"] is None else str(row["uses"])
    used = f"{row['used'] if row['used'] is not None else '-'}/{limit}"
    ended = f"{row['until']} withdrawn" if row["withdrawn"] else row["until"]
    message = row["message"] or row["class_tag"] or row["provision"]
    return row["id"], row["provider"], row["holder"], ", ".join(row["recipients"]), message, row["purpose"], ended, used
