"""`cbm consent withdraw`, `withdrawals`, `state`, `explain`: consent that ends, and why a transfer is allowed."""

from typing import Annotated, Any

import typer

from exchange.cli import options
from exchange.cli.node_access import AuthorityFile, MessageId, NodeUrl, TokenFile, message_id, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import WrongUse, print_json, print_lines, print_result, print_table


def withdraw(
    ident: Annotated[str, typer.Argument(metavar="ID", help="A message's id, or a Grant's.")],
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Told to every holder.")],
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Withdraw consent to a message that this state provided, with all Grants for it, or one Grant.

    Nothing more of it is sent from here at once. It is in force for all when it stands in the cosigned directory; what
    was accepted before stands, and the holders are asked what they have done.
    """
    wanted = message_id(ident)
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.withdraw(wanted, reason))
    print_result(_short(told), False) if not as_json else print_json(told)


def withdrawals(
    node: NodeUrl,
    token_file: TokenFile,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One withdrawal, such as KAZ-0123...; all without it.")
    ] = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List withdrawals: this state's own, with what holders stated, and others' of what is here."""
    if name is not None:
        wanted = name
        one = with_node(node, token_file, ca_file, as_json, lambda client: client.withdrawal(wanted))
        print_result(one, as_json)
        return
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.withdrawals())
    if as_json:
        print_json(told)
        return
    rows = [_row(row, _holders(row)) for row in told["own"]]
    rows += [_row(row, ", ".join(one["conduct"] for one in row["stated"]) or "-") for row in told["others"]]
    print_table(("NAME", "TARGET", "STATE", "INDEX", "STATED"), rows)


def state(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The withdrawal, such as KAZ-0123...")],
    *,
    ceased: Annotated[bool, typer.Option("--ceased", help="It is used and passed on no more.")] = False,
    destroyed: Annotated[
        bool, typer.Option("--destroyed", help="Destroy this node's copy, now and for good, and say so.")
    ] = False,
    not_held: Annotated[bool, typer.Option("--not-held", help="It was never here.")] = False,
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """State to a provider, signed, what was done after its withdrawal, and to whom it had been passed on.

    --destroyed reaches what this node holds. Exported files and backups are for people to destroy before they say so.
    """
    chosen = [label for label, on in (("ceased", ceased), ("destroyed", destroyed), ("not-held", not_held)) if on]
    if len(chosen) != 1:
        raise WrongUse("give one of --ceased, --destroyed and --not-held")
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.state(name, chosen[0]))
    print_result(told, as_json)


def explain(
    ident: MessageId,
    *,
    to: Annotated[str, typer.Option("--to", metavar="CODES", help="States, such as UZB,CHN.")],
    node: NodeUrl,
    token_file: TokenFile,
    purpose: Annotated[
        str | None, typer.Option("--purpose", callback=options.purpose, help="Another purpose than the provider's.")
    ] = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Explain whether a message may go to these states now: on whose consent, until when; or whom to ask."""
    wanted, codes = message_id(ident), options.members(to)
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.explain(wanted, codes, purpose))
    if as_json:
        print_json({name: value for name, value in told.items() if name != "lines"})
    else:
        print_lines(str(line) for line in told["lines"])


def register(app: typer.Typer) -> None:
    """Add these commands to `cbm consent`."""
    for command in (withdraw, withdrawals, state, explain):
        app.command()(command)


def _short(told: dict[str, Any]) -> dict[str, Any]:
    """Without the statements, of which there are none yet."""
    holders = [row["member"] for row in told["holders"]]
    return {**{name: value for name, value in told.items() if name != "holders"}, "told": holders}


def _row(row: dict[str, Any], stated: str) -> tuple[str, ...]:
    return row["name"], row["target"], row["state"], "-" if row["index"] is None else str(row["index"]), stated


def _holders(row: dict[str, Any]) -> str:
    told = [
        f"{one['member']} {one['statements'][-1]['conduct'] if one['statements'] else '?'}" for one in row["holders"]
    ]
    return ", ".join(told) or "-"
