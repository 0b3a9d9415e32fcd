"""A ministry's program at one node: sends, and notes everything that it is handed, however often."""

import asyncio
from collections import Counter

from exchange.client import NodeClient
from exchange.client.errors import ClientError
from exchange.client.models import Message


class Ministry:
    """One client of one node. It follows the event stream through restarts of the node, as a real program would."""

    def __init__(self, member: str, client: NodeClient) -> None:
        """`client` is open."""
        self.member = member
        self.client = client
        self.handed_over: Counter[str] = Counter()
        self.messages: dict[str, Message] = {}
        self._changed = asyncio.Event()
        self._last_event: str | None = None

    async def listen(self) -> None:
        """Take what comes until cancelled."""
        while True:
            try:
                async for message in self.client.inbox(self._last_event):
                    self._last_event = message.event_id
                    self.handed_over[message.id] += 1
                    self.messages[message.id] = message
                    self._changed.set()
            except ClientError:
                # The node is away; it goes on where it stopped.
                await asyncio.sleep(0.1)

    async def received(self, message_id: str, seconds: float) -> bool:
        """Whether a message is handed over within a time."""
        try:
            async with asyncio.timeout(seconds):
                while message_id not in self.messages:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
