"""A bounded number of places for what is under way, given out in order of precedence; some are kept for the urgent."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count

from schemas.terms import Precedence


class Places:
    """Whoever is more urgent may take the places that are kept free from the less urgent."""

    def __init__(self, most: Mapping[Precedence, int]) -> None:
        """`most`: how many may be taken in all when one of this precedence takes the next; more for the urgent."""
        self._most = most
        self._taken = 0
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    def take(self, precedence: Precedence) -> bool:
        """Take a place if there is one; `give_back` it."""
        if self._taken >= self._most[precedence]:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """A place is free: it goes to the most urgent that waits."""
        self._taken -= 1
        while self._waiting:
            precedence, _, waiter = self._waiting[0]
            if not waiter.done() and not self.take(Precedence(precedence)):
                return
            heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_result(None)

    @asynccontextmanager
    async def hold(self, precedence: Precedence) -> AsyncIterator[None]:
        """Have a place while the block lasts; waits for one."""
        if not self.take(precedence):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (precedence, next(self._order), waiter))
            try:
                await waiter
            except asyncio.CancelledError:
                # It may have been given the place in the same moment.
                if not waiter.cancelled():
                    self.give_back()
                raise
        try:
            yield
        finally:
            self.give_back()
