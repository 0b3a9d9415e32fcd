"""`cbm send`: hand a record, with its attachments, to the node."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from exchange.cli import options
from exchange.cli.ceremony_files import read_bytes
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, note, print_result
from exchange.client import Attachment, NodeClient, Queued
from exchange.client.node import Terms
from exchange.client.upload import Progress
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json

# Below this a bar would only flash.
_WORTH_A_BAR: Final = 4 * 1024 * 1024


To = Annotated[str, typer.Option("--to", metavar="CODES", help="Recipients, such as IND,PAK or @caspian.")]
Measure = Annotated[str, typer.Option("--measure", metavar="N", help="Measure of the Catalogue, such as 2.1.1.b.")]
RecordFile = Annotated[
    Path, typer.Option("--record", metavar="FILE", exists=True, dir_okay=False, help="The record, JSON.")
]
Attachments = Annotated[
    list[Path] | None, typer.Option("--attach", metavar="FILE", exists=True, dir_okay=False, help="Repeatable.")
]
Onward = Annotated[
    str | None, typer.Option(callback=options.onward, help="none (default), on-consent, members or public.")
]
Purpose = Annotated[str | None, typer.Option(callback=options.purpose, help="Purpose code.")]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="No transfer is accepted later.")]
NotBefore = Annotated[str | None, typer.Option(metavar="TIME", help="Embargo, RFC 3339.")]
Tlp = Annotated[str | None, typer.Option(callback=options.tlp, help="TLP 2.0 label.")]
Thread = Annotated[
    str | None, typer.Option(metavar="ID", help="Record, or message that holds it, that the record is to refer to.")
]
Joint = Annotated[
    str | None,
    typer.Option("--joint", metavar="CODES", help="Further providers, such as UZB,KAZ: all sign before it is sent."),
]
SignBy = Annotated[
    str | None, typer.Option("--sign-by", metavar="SPAN", help="How long to wait for their signatures, such as 14d.")
]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="NAME", help="Class of information that it belongs to. Repeatable."),
]
Copy = Annotated[bool, typer.Option("--copy-secretariat", help="Send to CICA as well.")]


def send(  # noqa: PLR0913  # the options of the command are the terms of a Provision
    *,
    to: To,
    measure: Measure,
    record: RecordFile,
    node: NodeUrl,
    token_file: TokenFile,
    attach: Attachments = None,
    onward: Onward = None,
    purpose: Purpose = None,
    until: Until = None,
    not_before: NotBefore = None,
    tlp: Tlp = None,
    copy_secretariat: Copy = False,
    thread: Thread = None,
    classes: Classes = None,
    joint: Joint = None,
    sign_by: SignBy = None,
    precedence: options.PrecedenceLabel = None,
    expires: options.Expires = None,
    key: options.IdempotencyKey = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a record; the node answers when it has it durably, and delivers it from then on."""
    codes = options.recipients(to)
    content = _record(record)
    terms = stated(
        onward=onward,
        purpose=purpose,
        until=until,
        not_before=not_before,
        tlp=tlp,
        copy_secretariat=copy_secretariat or None,
        precedence=precedence,
        expires=expires,
        thread=thread,
        classes=classes or None,
        joint=None if joint is None else [str(code) for code in options.members(joint)],
        sign_by=sign_by,
    )
    files = [Attachment.of(path) for path in attach or []]

    async def work(client: NodeClient) -> Queued:
        with _bar(files, as_json) as progress:
            return await client.send(
                codes, measure, content, attachments=files, idempotency_key=key, progress=progress, **terms
            )

    print_queued(with_node(node, token_file, ca_file, as_json, work), as_json)


def print_queued(queued: Queued, as_json: bool) -> None:
    """What became of a record that was handed in; what is unusual about it, as diagnostics as well."""
    told: dict[str, object] = {"id": queued.id, "state": queued.state}
    if as_json:
        told["warnings"] = [{"code": warned.code, "detail": warned.detail} for warned in queued.warnings]
    print_result(told, as_json)
    for warned in queued.warnings:
        note(f"warning: {warned.detail} ({warned.code})")


def _record(path: Path) -> dict[str, Any]:
    content = load_json(read_bytes(path, MAX_RECORD_BYTES))
    if not isinstance(content, dict):
        raise Refusal(f"{path} holds no JSON object: a record is one")
    return content


def stated(**terms: str | bool | list[str] | None) -> Terms:
    """The terms that the user stated; the others are for the node to choose."""
    return cast(Terms, {name: value for name, value in terms.items() if value is not None})


@contextmanager
def _bar(files: list[Attachment], as_json: bool) -> Iterator[Progress | None]:
    """A progress bar on a terminal, when there is much to send."""
    total = sum(file.path.stat().st_size for file in files)
    if as_json or total < _WORTH_A_BAR or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    with Progress(BarColumn(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("sending", total=total)
        yield lambda sent, _total: bar.update(task, completed=sent)
