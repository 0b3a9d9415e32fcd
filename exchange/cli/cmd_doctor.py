"""`cbm node doctor`: examines a node, running or stopped, and says what to do."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.options import JsonFlag, PassphraseFile
from exchange.cli.output import Refusal, WrongUse, note, print_json, print_table
from exchange.cli.passphrase import read_passphrase

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", file_okay=False, help="The node's folder.")]


def doctor(folder: Folder, passphrase_file: PassphraseFile = None, as_json: JsonFlag = False) -> None:
    """Examine a node, running or stopped: clock, TLS, directory, its quorum, keys, disk, permissions, the relay.

    Each finding is ok, warn or fail, with what to do; exit code 1 when one fails. Without the passphrase no signed
    request is sent to the relay.
    """
    from exchange.clock import SystemClock
    from exchange.node.checkup import examine
    from exchange.node.checkup_facts import Level
    from exchange.wiring.doctor import gather

    facts = asyncio.run(gather(folder, _passphrase(folder, passphrase_file), _status(folder), SystemClock()))
    findings = examine(facts)
    rows: list[dict[str, Any]] = [
        {"check": item.check, "level": item.level.value, "what": item.what, "todo": item.todo} for item in findings
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(["check", "level", "what", "to do"], [list(row.values()) for row in rows])
    failed = sorted({item.check for item in findings if item.level is Level.FAIL})
    if failed:
        raise Refusal(f"the node in {folder} needs attention: {', '.join(failed)}")


def _passphrase(folder: Path, file: Path | None) -> bytes | None:
    """None when there is neither a file nor a terminal: the rest is examined all the same."""
    try:
        return read_passphrase(file, new=False, what=f"the node in {folder}")
    except WrongUse:
        return None


def _status(folder: Path) -> Mapping[str, object] | None:
    """What the running node says of itself; an empty answer when it runs and does not answer, None when none runs."""
    from exchange.client import ClientError, NodeClient, Retry
    from exchange.process import running_at
    from exchange.wiring.node import status_access

    url = running_at(folder)
    if url is None:
        return None
    token_file, tls = status_access(folder)

    async def ask() -> dict[str, object]:
        async with NodeClient(url, token_file=token_file, tls=tls, retry=Retry(attempts=1)) as node:
            return dict(await node.status())

    try:
        return asyncio.run(ask())
    except ClientError as fault:
        note(f"the node runs and does not say how it is: {fault}")
        return {}
