"""What commands print: results on standard output, diagnostics of one line on standard error.

Texts that others wrote (names, titles, file names) reach a terminal only with every control and direction character
escaped, so that a record cannot rewrite what its reader sees.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import typer

R = TypeVar("R")


class Refusal(Exception):  # it is an outcome as much as an error
    """The command ends with its one line on standard error; exit code 1, a refusal or a failed verification."""

    code = 1


class WrongUse(Refusal):
    """The command was asked in a way that it cannot work in; exit code 2."""

    code = 2


def note(line: str) -> None:
    """One line of diagnostics."""
    typer.echo(printable(line), err=True)


def print_json(value: object) -> None:
    """One JSON value, indented; what is not printable is escaped as JSON allows."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if not text.isascii():
        text = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    typer.echo(text)


def announce(url: str) -> None:
    """Say on standard output where a process that goes on running answers."""
    print_json({"url": url, "pid": os.getpid()})
    sys.stdout.flush()


def print_result(value: Mapping[str, Any], as_json: bool) -> None:
    """An object as JSON, or as lines `name: value`, nested by indentation."""
    if as_json:
        print_json(value)
    else:
        for line in _lines(value, ""):
            typer.echo(line)


def print_lines(lines: Iterable[str]) -> None:
    """Lines of text."""
    for line in lines:
        typer.echo(printable(line))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table on a terminal; elsewhere one line per row, cells separated by tabs, without a heading."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in cells:
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False)
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def print_rows(rows: Sequence[R], as_json: bool, columns: Sequence[str], cells: Callable[[R], Sequence[str]]) -> None:
    """Rows of an answer as JSON, or as a table with what `cells` gives of each."""
    if as_json:
        print_json(rows)
    else:
        print_table(columns, [cells(row) for row in rows])


def printable(text: str) -> str:
    """A text on one line, with an escape in place of whatever is not printable."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def utc(seconds: int) -> str:
    """Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(value: object, indent: str) -> Iterable[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, Mapping | list) and item:
                yield f"{indent}{printable(str(name))}:"
                yield from _lines(item, indent + "  ")
            else:
                yield f"{indent}{printable(str(name))}: {_scalar(item)}"
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping) and item:
                first, *rest = _lines(item, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{indent}- {_scalar(item)}"


def _scalar(value: object) -> str:
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))
