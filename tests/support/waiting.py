"""Waiting for what happens elsewhere: a condition is asked again until it holds, and the test fails at a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable

DEADLINE = 20.0
_PAUSE = 0.01


async def until(holds: Callable[[], bool], within: float = DEADLINE) -> None:
    """Wait until a condition holds."""

    async def ask() -> bool:
        return holds()

    await until_async(ask, within)


async def until_async(holds: Callable[[], Awaitable[bool]], within: float = DEADLINE) -> None:
    """Wait until a condition that has to be awaited holds."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if await holds():
            return
        await asyncio.sleep(_PAUSE)
    raise AssertionError(f"not within {within:.0f} s")
