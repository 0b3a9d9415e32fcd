"""`cbm send`: hand a record, with its attachments, to the node."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from exchange.cli import options
from exchange.cli.ceremony_files import read_bytes
from exchange.cli.node_access import AuthorityFile, NodeUrl, TokenFile, with_node
from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, print_result
from exchange.client import Attachment
from exchange.client.node import Terms
from exchange.client.upload import Progress
from schemas.record_limits import MAX_RECORD_BYTES
from schemas.validate import load_json

# Below this a bar would only flash.
_WORTH_A_BAR: Final = 4 * 1024 * 1024


def send(  # noqa: PLR0913  # the options of the command are the terms of a Provision
    *,
    to: Annotated[str, typer.Option("--to", metavar="CODES", help="Recipients, such as IND,PAK.")],
    measure: Annotated[str, typer.Option("--measure", metavar="N", help="The Catalogue's measure, such as 2.1.1.b.")],
    record: Annotated[Path, typer.Option("--record", metavar="FILE", exists=True, dir_okay=False, help="JSON.")],
    node: NodeUrl,
    token_file: TokenFile,
    attach: Annotated[
        list[Path] | None, typer.Option("--attach", metavar="FILE", exists=True, dir_okay=False, help="Repeatable.")
    ] = None,
    onward: Annotated[
        str | None, typer.Option(callback=options.onward, help="none, on-consent, members or public; default none.")
    ] = None,
    purpose: Annotated[str | None, typer.Option(callback=options.purpose, help="Purpose code.")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="No transfer is accepted later.")] = None,
    not_before: Annotated[str | None, typer.Option(metavar="TIME", help="Embargo, RFC 3339.")] = None,
    tlp: Annotated[str | None, typer.Option(callback=options.tlp, help="TLP 2.0 label.")] = None,
    copy_secretariat: Annotated[bool, typer.Option("--copy-secretariat", help="Send to CICA as well.")] = False,
    precedence: Annotated[
        str | None, typer.Option(callback=options.precedence, help="flash, immediate, priority or routine.")
    ] = None,
    expires: Annotated[str | None, typer.Option(metavar="SPAN", help="Such as 30d or 12h.")] = None,
    thread: Annotated[str | None, typer.Option(metavar="ID", help="The thread that it belongs to.")] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="The same key again sends the same record once.")
    ] = None,
    ca_file: AuthorityFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Send a record; the node answers when it has it durably, and delivers it from then on."""
    codes = options.members(to)
    content = load_json(read_bytes(record, MAX_RECORD_BYTES))
    if not isinstance(content, dict):
        raise Refusal(f"{record} holds no JSON object: a record is one")
    terms: Terms = {}
    if copy_secretariat:
        terms["copy_secretariat"] = True
    texts = (
        ("onward", onward),
        ("purpose", purpose),
        ("until", until),
        ("not_before", not_before),
        ("tlp", tlp),
        ("precedence", precedence),
        ("expires", expires),
        ("thread", thread),
    )
    for name, value in texts:
        if value is not None:
            terms[name] = value  # type: ignore[literal-required]  # the names above are those of Terms
    files = [Attachment.of(path) for path in attach or []]
    with _bar(files, as_json) as progress:
        queued = with_node(
            node,
            token_file,
            ca_file,
            as_json,
            lambda client: client.send(
                codes, measure, content, attachments=files, idempotency_key=key, progress=progress, **terms
            ),
        )
    print_result({"id": queued.id, "state": queued.state}, as_json)


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
