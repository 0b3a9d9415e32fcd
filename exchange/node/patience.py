"""How long the relay may take: slow is lawful, endless is not. A peer that drips bytes must not hold up what waits."""

import asyncio
from types import TracebackType
from typing import Final, Self

from schemas.limits import KIB

# Seconds until something has to come of a request, and the slowest rate at which bytes then keep it alive (as the
# relay's own for uploads).
PATIENCE: Final = 60.0
RATE: Final = 64 * KIB


class Patience:
    """A deadline that moves on with the bytes that move: `async with Patience() as patience`, then `patience.moved(n)`.

    Leaving raises TimeoutError when the peer took longer than PATIENCE, with the time that its bytes have earned.
    """

    def __init__(self) -> None:
        """Counts from now; needs a running loop."""
        self._deadline = asyncio.timeout(PATIENCE)
        self._entered = False

    async def __aenter__(self) -> Self:
        await self._deadline.__aenter__()
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered = False
        await self._deadline.__aexit__(kind, fault, trace)

    def moved(self, size: int) -> None:
        """So many bytes went over; nobody earns more than PATIENCE ahead."""
        when = self._deadline.when()
        if self._entered and when is not None and not self._deadline.expired():
            now = asyncio.get_running_loop().time()
            self._deadline.reschedule(min(when + size / RATE, now + PATIENCE))
