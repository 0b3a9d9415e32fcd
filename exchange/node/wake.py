"""How one loop of a node tells another that there is work, instead of every loop asking the store all the time."""

import asyncio


class Wakes:
    """Events inside one process: work for the other loops, wanted directory entries, news for event streams."""

    def __init__(self) -> None:
        """Nothing to do yet."""
        self.to_seal = asyncio.Event()
        self.to_send = asyncio.Event()
        self.directory = asyncio.Event()
        self.to_desk = asyncio.Event()
        self.to_anchor = asyncio.Event()
        self._news = asyncio.Event()

    def tell_news(self) -> None:
        """There is a new event for ministries."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def news(self) -> asyncio.Event:
        """Set at the next news. Take it before looking at the store, so that nothing falls between look and wait."""
        return self._news


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most `seconds`: what was missed is found on the next look at the store."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
