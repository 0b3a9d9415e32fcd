"""`cbm group`: lists of states under a name, to be sent to as `--to @name`."""

from typing import Annotated

import typer

from exchange.cli import options
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import print_result, print_rows

group_app = typer.Typer(help="Lists of states to send to.", add_completion=False)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as caspian.")]


@group_app.callback()
def _group() -> None:
    """Lists of states: a message to @NAME goes to the states that the list has when it is composed."""


@group_app.command("set")
def set_group(
    name: Name,
    codes: Annotated[str, typer.Argument(metavar="CODES", help="States, such as IND,PAK.")],
    node: NodeUrl,
    token_file: TokenFile,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a list, or put another in its place. It takes the scope release or admin."""
    members = options.members(codes)
    told = with_node(node, token_file, ca_file, as_json, lambda client: client.set_group(name, members))
    print_result(told, as_json)


@group_app.command("list")
def list_groups(node: NodeUrl, token_file: TokenFile, ca_file: AuthorityFile = None, as_json: JsonFlag = False) -> None:
    """List the lists."""
    rows = with_node(node, token_file, ca_file, as_json, lambda client: client.groups())
    print_rows(
        rows,
        as_json,
        ("NAME", "STATES", "VERSION", "SINCE"),
        lambda row: (row["name"], ",".join(row["members"]), str(row["version"]), row["created"]),
    )


@group_app.command("show")
def show(
    name: Name, node: NodeUrl, token_file: TokenFile, ca_file: AuthorityFile = None, as_json: JsonFlag = False
) -> None:
    """Show one list."""
    print_result(with_node(node, token_file, ca_file, as_json, lambda client: client.group(name)), as_json)


@group_app.command("remove")
def remove(
    name: Name, node: NodeUrl, token_file: TokenFile, ca_file: AuthorityFile = None, as_json: JsonFlag = False
) -> None:
    """Remove a list. It takes the scope release or admin."""
    print_result(with_node(node, token_file, ca_file, as_json, lambda client: client.remove_group(name)), as_json)
