"""What a session with the relay has under way beside its line, and the end of a session in which something was put off.

The relay delivers again what was not answered when the session begins anew.
"""

import asyncio
from collections.abc import Coroutine
from typing import Final

import aiohttp

from exchange.errors import ExchangeError
from exchange.node.transport import RelayUnreachable
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.relayapi import WINDOW

# A relay has at most WINDOW envelopes unanswered; one that pushes more wants this node's memory.
_MOST: Final = 2 * WINDOW


class Fetches:
    """Large envelopes that are fetched beside the line, so that an urgent small one does not wait for them."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Nothing is under way."""
        self._socket = socket
        self._tasks: set[asyncio.Task[None]] = set()
        self._again = False
        # What ended the session from the side.
        self.fault: Exception | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do it beside the line. Raises RelayUnreachable when the relay has pushed too many."""
        if len(self._tasks) >= _MOST:
            work.close()
            raise RelayUnreachable("relay-window", "the relay pushes more envelopes than it may before an answer")
        self._begin(work)

    def begin_again(self, seconds: int) -> None:
        """End the session after a pause, once."""
        self.start_once(self._close_after(seconds))

    def start_once(self, end: Coroutine[None, None, None]) -> None:
        """Start what is going to end the session, unless something is going to already."""
        if self._again:
            end.close()
            return
        self._again = True
        self._begin(end)

    async def end(self) -> None:
        """Stop everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _close_after(self, seconds: int) -> None:
        await asyncio.sleep(seconds)
        raise RelayUnreachable("put-off", "something was put off: the session begins anew to have it again")

    async def _guard(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (ExchangeError, DecodeError, KeyFault, aiohttp.ClientError, OSError) as fault:
            self.fault = fault
            await self._socket.close()
