"""The command line, run as a user runs it: a process of its own, its exit code, what it prints on which stream."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

Result = tuple[int, str, str]


async def cbm(*arguments: str | Path, environment: dict[str, str] | None = None, cwd: Path | None = None) -> Result:
    """Run `cbm` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "exchange.cli",
        *(str(argument) for argument in arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def answer(result: Result) -> Any:  # noqa: ANN401  # a JSON value
    """The JSON that a command printed which succeeded and had nothing to complain of."""
    code, out, err = result
    assert (code, err) == (0, "")
    return json.loads(out)


def line(result: Result, code: int) -> str:
    """The one line of a command that failed with `code`."""
    assert result[0] == code, result
    lines = [text for text in result[2].splitlines() if not text.startswith("{")]
    assert len(lines) == 1, result
    assert lines[0].startswith("cbm: ")
    return lines[0]
