"""The product's relay without its HTTP side, for races: intake, directory, its log, and the members that cosign it.

async with racing(folder, world) as relay:
    tasks = await relay.race(random.Random(7), forward=relay.submit(sealed), withdrawal=relay.withdraw(entry))
    relay.trace             # which step came when; "decided" and "served:SIZE" are among them
"""

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from exchange.clock import SetClock
from exchange.relay.app import RelayApp, build_app
from exchange.relay.intake import Intake
from exchange.relay.journal import Journal
from exchange.storage.port import RelayStore
from schemas.canon import decode, encode
from schemas.ids import MemberId
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_RECEIPT, Receipt
from schemas.relayapi import WitnessAnswer
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry
from tests.support.cosigners import Cosigner
from tests.support.interleave import GatedStore, Order
from tests.support.once import verified_once
from tests.support.relay import identity_of, settings_for, store_with_directory
from tests.support.world import Sealed, World


class RacingRelay:
    """The product's relay without its HTTP side: intake, directory, its log, and four members that cosign it."""

    def __init__(self, world: World, app: RelayApp, store: GatedStore, intake: Intake) -> None:
        self.world, self.app, self.store, self.intake = world, app, store, intake
        self.order: Order | None = None
        self.log = app.logs.directory
        self._wanted = 0
        self.cosigners = {code: Cosigner(world, code) for code in world.nodes}
        setattr(app.sessions, "ask", self._ask)  # noqa: B010  # a method of an instance, for mypy
        setattr(self.log, "_wait", self._rest)  # noqa: B010
        for code in self.cosigners:
            app.logs.joined(MemberId(code))

    @property
    def trace(self) -> list[str]:
        """What happened in the last race, in order."""
        assert self.order is not None
        return self.order.trace

    def _ask(self, member: MemberId, log: str, request: bytes) -> None:
        """Each cosigner answers when it is its turn."""
        assert self.order is not None
        if log == "directory":
            self.order.begin(f"{member} cosigns", self._answer(member, request))

    async def _answer(self, member: MemberId, request: bytes) -> None:
        answer: WitnessAnswer = self.cosigners[member].answer(request, self.app.clock.now())
        self.app.logs.answered(member, answer)

    async def _rest(self, seconds: float) -> None:
        assert self.order is not None
        await self.order.gate("rests", lambda: seconds <= 0 or self.log._news.is_set() or self._is_served())

    def _served(self) -> int:
        """The size of the checkpoint that anybody is given who asks."""
        return 0 if self.log.published is None else self.log.published.checkpoint.size

    def _is_served(self) -> bool:
        return self._served() >= self._wanted

    async def submit(self, sealed: Sealed) -> Receipt:
        """The receipt's statement."""
        with self.intake.slots.upload("127.0.0.1") as upload:
            raw = await self.intake.submit(sealed.header_bytes, self._pieces(sealed.body), upload)
        return decode(SIGNED_RECEIPT, raw, 2 * MAX_SMALL_OBJECT).receipt

    async def _pieces(self, body: bytes) -> AsyncIterator[bytes]:
        assert self.order is not None
        for start in range(0, len(body), 600):
            await self.order.gate("body")
            yield body[start : start + 600]

    async def withdraw(self, entry: DirectoryEntry) -> int:
        """As the relay takes in any entry of the directory."""
        index = await self.app.keeper.append(encode(DIRECTORY_ENTRY, entry))
        self.log.grew()
        return index

    async def publish(self, size: int) -> None:
        """The log's own turns, until a checkpoint of that size is published."""
        self._wanted = size
        while not self._is_served():
            await self.log._turn()

    async def race(self, draw: random.Random, **parties: Coroutine[Any, Any, Any]) -> dict[str, asyncio.Task[Any]]:
        """These at once, in an order that is drawn, while the relay's clock goes on; their tasks, all ended.

        One of the parties may be much slower than the others.
        """
        clock = self.app.clock
        assert isinstance(clock, SetClock)

        served = self._served()

        def tick() -> None:
            nonlocal served
            if self._served() != served:
                served = self._served()
                self.trace.append(f"served:{served}")
            clock.time += draw.choice((0, 0, 0, 0, 1, 3))

        slow = {draw.choice(sorted(parties)): draw.choice((1.0, 0.3, 0.1, 0.03))}
        self.order = self.store.order = order = Order(draw, tick, slow)
        tasks = {name: order.begin(name, work) for name, work in sorted(parties.items())}
        await order.run()
        return tasks


@asynccontextmanager
async def racing(folder: Path, world: World) -> AsyncIterator[RacingRelay]:
    """A relay whose directory is published."""
    settings = settings_for(world, checkpoint_every=1e-9)
    store = await store_with_directory(folder, world)
    gated = GatedStore(store)
    as_store = cast("RelayStore", gated)
    clock = SetClock(world.now)
    app = await build_app(folder, settings, as_store, identity_of(world), clock, None)
    journal = Journal(as_store, clock)
    intake = Intake(
        as_store, app.keeper, identity_of(world), clock, app.sessions, app.metrics, settings.limits, journal
    )
    running = RacingRelay(world, app, gated, intake)
    try:
        running.order = Order(random.Random(0))
        running.order.begin("log", running.publish(app.keeper.current.size))
        await running.order.run()
        # Four cosigners verify what the relay has verified.
        with verified_once():
            yield running
    finally:
        await store.close()
