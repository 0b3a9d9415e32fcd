"""How the message commands reach the node: over HTTP, through the same client as any ministry's program."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from exchange.cli.output import Refusal, WrongUse, print_json
from exchange.client import ClientError, NodeClient, NotPrivate, Problem

T = TypeVar("T")

NodeUrl = Annotated[
    str, typer.Option("--node", metavar="URL", envvar="CBM_NODE", show_default=False, help="Address of the node.")
]
TokenFile = Annotated[
    Path,
    typer.Option("--token-file", metavar="FILE", envvar="CBM_TOKEN_FILE", help="File with the token, mode 0600."),
]
AuthorityFile = Annotated[
    Path | None,
    typer.Option("--ca-file", metavar="FILE", envvar="CBM_CA_FILE", help="Authority of the node's certificate (PEM)."),
]
MessageId = Annotated[str, typer.Argument(metavar="ID", help="A message's id.")]


def with_node(
    url: str,
    token_file: Path,
    authority: Path | None,
    as_json: bool,
    work: Callable[[NodeClient], Awaitable[T]],
) -> T:
    """Do `work` with the node; raises Refusal, after printing the problem document when JSON is wanted."""

    async def session() -> T:
        async with NodeClient(url, token_file=token_file, tls=_tls(authority)) as node:
            return await work(node)

    try:
        return asyncio.run(session())
    except Problem as problem:
        if as_json:
            print_json(problem.document())
        raise Refusal(f"refused by the node: {problem.detail}{_facts(problem)}") from None
    except NotPrivate as fault:
        raise WrongUse(str(fault)) from None
    except ClientError as fault:
        raise Refusal(str(fault)) from None


def message_id(text: str) -> str:
    """An id of 32 hexadecimal digits; raises BadParameter."""
    if len(text) != 32 or not all(c in "0123456789abcdef" for c in text):
        raise typer.BadParameter("a message's id has 32 hexadecimal digits: see `cbm inbox`")
    return text


def _tls(authority: Path | None) -> ssl.SSLContext | None:
    if authority is None:
        return None
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as fault:
        raise WrongUse(f"{authority} holds no certificate authority: {fault.strerror or fault}") from None


def _facts(problem: Problem) -> str:
    """The plain further members of a problem that its detail does not name, such as rule and provider."""
    facts = [
        f"{name} {value}"
        for name, value in problem.extra.items()
        if isinstance(value, str | int) and str(value) not in problem.detail
    ]
    return f" ({', '.join(facts)})" if facts else ""
