"""Consent in the demo: asked for, given by an official, used once, withdrawn."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from exchange.client import NodeClient, Problem
from exchange.demo.ministry import Ministry

_POLL: Final = 0.1


class Consenting:
    """MNG holds what KAZ provided and wants to pass it on to UZB; `official` is KAZ's, who may consent."""

    def __init__(self, holder: Ministry, third: Ministry, official: NodeClient, patience: float) -> None:
        """`patience`: how long each step may take, in seconds."""
        self._holder = holder
        self._third = third
        self._official = official
        self._patience = patience

    async def asked_and_passed_on(self, message: str) -> bool:
        """A request, a Grant for one transfer, and the transfer; whether the third state holds the same record."""
        reason = "asked for by its ministry of defence"
        asked = await self._holder.client.request_consent(message, [self._third.member], until="7d", reason=reason)
        ident = str(asked["id"])
        if not await self._until(lambda: self._open(ident)):
            return False
        await self._official.grant_consent(ident)
        if not await self._until(lambda: self._granted(ident)):
            return False
        await self._holder.client.forward(message, [self._third.member])
        arrived = await self._third.received(message, self._patience)
        return arrived and self._third.messages[message].record == self._holder.messages[message].record

    async def withdrawn(self, message: str) -> tuple[bool, str | None]:
        """The provider withdraws; whether that is in force, and what the holder's node says to another transfer."""
        name = str((await self._official.withdraw(message, "the figures were corrected"))["name"])
        in_force = await self._until(lambda: self._in_force(name))
        if not await self._until(lambda: self._explained(message)):
            return False, None
        try:
            await self._holder.client.forward(message, [self._third.member])
        except Problem as problem:
            return in_force, problem.type.rpartition(":")[2]
        return in_force, None

    async def _open(self, ident: str) -> bool:
        return any([row["id"] == ident async for row in self._official.consent_requests("in")])

    async def _granted(self, ident: str) -> bool:
        return bool((await self._holder.client.consent_request(ident))["state"] == "granted")

    async def _in_force(self, name: str) -> bool:
        return bool((await self._official.withdrawal(name))["state"] == "in-force")

    async def _explained(self, message: str) -> bool:
        """Whether the holder's node has learned of it."""
        return not (await self._holder.client.explain(message, [self._third.member]))["allowed"]

    async def _until(self, holds: Callable[[], Awaitable[bool]]) -> bool:
        deadline = time.monotonic() + self._patience
        while not await holds():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL)
        return True
