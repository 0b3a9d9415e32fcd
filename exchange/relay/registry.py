"""Which members have a session here: an event for a member wakes its session, so that nobody has to ask again."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from exchange.errors import Unauthenticated
from exchange.storage.port import EnvelopeKey
from keys.directory import Directory
from schemas.ids import MemberId


class Listener(Protocol):
    """A session as the registry sees it."""

    def wake(self) -> None:
        """Something may wait for the member."""
        ...

    def answered(self, key: EnvelopeKey) -> None:
        """The member has acknowledged this envelope, on whatever way."""
        ...

    def ask(self, log: str, request: bytes) -> None:
        """Ask the member's node to cosign a checkpoint; one of the same log that was not sent yet is replaced."""
        ...

    def check(self, directory: Directory) -> None:
        """Raises Unauthenticated when the key by which the session was begun is not in force any more."""
        ...

    def end(self) -> None:
        """From now on nothing is pushed, and nothing taken."""
        ...

    async def close(self, reason: str) -> None:
        """End the session."""
        ...


class Watcher(Protocol):
    """Who wants to know which members are there."""

    def joined(self, member: MemberId) -> None:
        """A session of this member has begun, perhaps in place of another."""
        ...

    def left(self, member: MemberId) -> None:
        """The member has no session any more."""
        ...


class Sessions:
    """At most one session for each member: a newer one replaces the older."""

    def __init__(self) -> None:
        """Nobody."""
        self._open: dict[MemberId, Listener] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._watchers: list[Watcher] = []

    def __len__(self) -> int:
        """How many there are."""
        return len(self._open)

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher of every session from now on."""
        self._watchers.append(watcher)

    def enter(self, member: MemberId, session: Listener) -> None:
        """Let a session in, and end the one that it replaces, without waiting for its peer."""
        older = self._open.get(member)
        self._open[member] = session
        for watcher in self._watchers:
            watcher.joined(member)
        if older is not None:
            self._close(older, "replaced")

    def end_untrusted(self, directory: Directory) -> None:
        """End every session whose key is not in force in this view, without waiting for its peer."""
        for member, session in list(self._open.items()):
            try:
                session.check(directory)
            except Unauthenticated as fault:
                self.leave(member, session)
                self._close(session, f"{fault.code}: {fault.detail}")

    def leave(self, member: MemberId, session: Listener) -> None:
        """A session has ended; one that took its place stays."""
        if self._open.get(member) is session:
            del self._open[member]
            for watcher in self._watchers:
                watcher.left(member)

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

    def ask(self, member: MemberId, log: str, request: bytes) -> None:
        """Ask a member's node to cosign a checkpoint."""
        session = self._open.get(member)
        if session is not None:
            session.ask(log, request)

    def _close(self, session: Listener, reason: str) -> None:
        session.end()
        task = asyncio.create_task(session.close(reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close_all(self, reason: str) -> None:
        """End every session."""
        closing = [session.close(reason) for session in self._open.values()]
        await asyncio.gather(*closing, *self._closing, return_exceptions=True)
