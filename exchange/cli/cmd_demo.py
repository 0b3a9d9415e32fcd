"""`cbm demo`: the worked exchange on this machine."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import JsonFlag
from exchange.cli.output import Refusal, note, print_json


def demo(
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", file_okay=False, help="Leave the demo's folder here; must be empty."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Run one relay and four nodes, exchange records, try to cheat, kill processes, and count what arrived."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise Refusal(f"{keep} is not empty: choose another folder")
        _run(keep, as_json)
        return
    with tempfile.TemporaryDirectory(prefix="cbm-demo-") as folder:
        _run(Path(folder) / "demo", as_json)


def _run(folder: Path, as_json: bool) -> None:
    from exchange.demo.report import Report, Step
    from exchange.demo.worked import WorkedExchange

    def tell(step: Step) -> None:
        line = f"{'ok  ' if step.ok else 'FAIL'}  {step.name:<20} {step.detail}"
        if as_json:
            note(line)
        else:
            typer.echo(line)

    report = Report(tell)
    asyncio.run(WorkedExchange(folder.absolute(), report).run())
    if as_json:
        print_json(report.as_json())
    if not report.ok:
        raise Refusal("the demo did not hold: see the step that failed, and the logs with --keep DIR")
