"""Which members have a session here: an event for a member wakes its session, so that nobody has to ask again."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from exchange.storage.port import EnvelopeKey
from schemas.ids import MemberId


class Listener(Protocol):
    """A session as the registry sees it."""

    def wake(self) -> None:
        """Something may wait for the member."""
        ...

    def answered(self, key: EnvelopeKey) -> None:
        """The member has acknowledged this envelope, on whatever way."""
        ...

    async def close(self, reason: str) -> None:
        """End the session."""
        ...


class Sessions:
    """At most one session for each member: a newer one replaces the older."""

    def __init__(self) -> None:
        """Nobody."""
        self._open: dict[MemberId, Listener] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def enter(self, member: MemberId, session: Listener) -> None:
        """Let a session in, and end the one that it replaces, without waiting for its peer."""
        older = self._open.get(member)
        self._open[member] = session
        if older is not None:
            task = asyncio.create_task(older.close("replaced"))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def leave(self, member: MemberId, session: Listener) -> None:
        """A session has ended; one that took its place stays."""
        if self._open.get(member) is session:
            del self._open[member]

    def wake(self, members: Iterable[MemberId]) -> None:
        """Something may wait for these members."""
        for member in members:
            session = self._open.get(member)
            if session is not None:
                session.wake()

    def wake_all(self) -> None:
        """Something may have changed for anyone."""
        self.wake(tuple(self._open))

    def answered(self, member: MemberId, key: EnvelopeKey) -> None:
        """A member has acknowledged an envelope: its place in the window is free."""
        session = self._open.get(member)
        if session is not None:
            session.answered(key)

    async def close_all(self, reason: str) -> None:
        """End every session."""
        closing = [session.close(reason) for session in self._open.values()]
        await asyncio.gather(*closing, *self._closing, return_exceptions=True)
