"""The command line, run as a user runs it: a process of its own, its exit code, what it prints on which stream."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

Result = tuple[int, str, str]


ROOT = Path(__file__).parents[2]


async def start(
    *arguments: str | Path, environment: dict[str, str] | None = None, cwd: Path | None = None
) -> asyncio.subprocess.Process:
    """Start `cbm` in a folder, with pipes on both its outputs."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "exchange.cli",
        *(str(argument) for argument in arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=cwd,
    )


async def cbm(*arguments: str | Path, environment: dict[str, str] | None = None, cwd: Path | None = None) -> Result:
    """Run `cbm` to its end."""
    process = await start(*arguments, environment=environment, cwd=cwd)
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def answer(result: Result) -> Any:  # noqa: ANN401  # a JSON value
    """The JSON that a command printed which succeeded and had nothing to complain of."""
    code, out, err = result
    assert (code, err) == (0, ""), (code, out, err)
    return json.loads(out)


def line(result: Result, code: int) -> str:
    """The one line of a command that failed with `code`."""
    assert result[0] == code, result
    lines = [text for text in result[2].splitlines() if not text.startswith("{")]
    assert len(lines) == 1, result
    assert lines[0].startswith("cbm: "), result
    return lines[0]
