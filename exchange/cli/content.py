"""What commands write that others made or that goes into a file: bytes, never raw to a terminal."""

import base64
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from exchange.cli.ceremony_files import refuse_existing
from exchange.cli.output import Refusal, print_json, printable

OutFile = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="File to write; it must not exist. Standard output else.")
]


def write_content(content: bytes, out: Path | None, told: Mapping[str, Any], as_json: bool) -> None:
    """Write bytes to a new file or to standard output; with `as_json` print `told` about them, and them if need be.

    Raises Refusal when the file exists, or when a terminal would get what is no text.
    """
    if out is not None:
        refuse_existing(out)
        # What was decrypted is for whoever ran the command, whatever the folder's habits are.
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as target:
            target.write(content)
    if as_json:
        facts = {"out": None if out is None else str(out), "size": len(content), **told}
        print_json(facts if out is not None else facts | _inline(content))
    elif out is None and sys.stdout.isatty():
        for line in _text(content).splitlines():
            typer.echo(printable(line))
    elif out is None:
        typer.echo(content, nl=False)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("this is no text in UTF-8: name a file with --out") from None


def _inline(content: bytes) -> dict[str, str]:
    try:
        return {"encoding": "utf-8", "content": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"encoding": "base64", "content": base64.b64encode(content).decode("ascii")}
