"""Waiting for what happens elsewhere: a condition is asked again until it holds, and the test fails at a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE = 20.0
# For what several other processes do together: a loaded machine is slow, not wrong.
PATIENCE = 60.0
_PAUSE = 0.01


async def until(holds: Callable[[], bool], within: float = DEADLINE) -> None:
    """Wait until a condition holds."""

    async def ask() -> bool:
        return holds()

    await until_async(ask, within)


async def until_async(holds: Callable[[], Awaitable[bool]], within: float = DEADLINE) -> None:
    """Wait until a condition that has to be awaited holds."""

    async def ask() -> bool | None:
        return await holds() or None

    await answered(ask, "the condition holds", within)


async def answered(ask: Callable[[], Awaitable[T | None]], what: str, within: float = PATIENCE) -> T:
    """The first answer that is not None; `what` is missing when none comes in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        answer = await ask()
        if answer is not None:
            return answer
        await asyncio.sleep(_PAUSE)
    raise AssertionError(f"not within {within:.0f} s: {what}")
