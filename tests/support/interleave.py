"""A relay's real parts in one process, whose steps are taken in an order that a seed decides.

Parties are coroutines. Before and after each use of the store, and inside the accepting transaction, a party waits at a
gate; only when all wait is one of them let through, so that exactly one moves at a time, and the seed says which.

    order = Order(random.Random(7))
    order.begin("forward", submit(...))
    order.begin("withdrawal", append(...))
    await order.run()
    order.trace         # ["forward:facts", "withdrawal:append", ...]
"""

import asyncio
import contextvars
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exchange.storage.audit_port import AuditFact
from exchange.storage.log_port import StoredCheckpoint
from exchange.storage.port import Arrival, Facts, Held, Judge, Staged, Verdict
from exchange.storage.refusal_port import Kept, RefusalBounds, RefusedHeader
from exchange.storage.relay_sqlite import SqliteRelayStore

_PARTY: Final[contextvars.ContextVar[str | None]] = contextvars.ContextVar("party", default=None)
# A party that neither reaches a gate nor ends within so many seconds is stuck, and so is the test.
_STUCK: Final = 30


def _always() -> bool:
    return True


@dataclass(frozen=True)
class _Gate:
    label: str
    ready: Callable[[], bool]
    opened: asyncio.Future[None]


class Order:
    """Parties, and the gates at which they wait. `trace` is what happened, in order."""

    def __init__(
        self, draw: random.Random, between: Callable[[], None] = lambda: None, pace: Mapping[str, float] | None = None
    ) -> None:
        """`between` is called before each step and at the end; `pace`: how likely a party goes next, by default 1."""
        self._draw = draw
        self._between = between
        self._pace = pace or {}
        self._live: dict[str, asyncio.Task[Any]] = {}
        self._waiting: dict[str, _Gate] = {}
        self._moved = asyncio.Event()
        self.trace: list[str] = []

    def begin(self, party: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Another party; it waits before its first step."""

        async def whole() -> object:
            _PARTY.set(party)
            await self.gate("begins")
            return await work

        task = asyncio.create_task(whole(), name=party)
        self._live[party] = task
        task.add_done_callback(lambda _: self._end(party))
        return task

    def _end(self, party: str) -> None:
        del self._live[party]
        self._moved.set()

    async def gate(self, label: str, ready: Callable[[], bool] = _always) -> None:
        """Wait for one's turn, which comes only while `ready`; who is no party does not wait."""
        party = _PARTY.get()
        if party is None:
            return
        opened = asyncio.get_running_loop().create_future()
        self._waiting[party] = _Gate(label, ready, opened)
        self._moved.set()
        await opened

    def note(self, event: str) -> None:
        """Something that a test looks for in the trace."""
        self.trace.append(event)

    async def run(self) -> None:
        """Until all parties have ended."""
        while self._live:
            async with asyncio.timeout(_STUCK):
                while self._waiting.keys() != self._live.keys():
                    self._moved.clear()
                    await self._moved.wait()
            if not self._live:
                self._between()
                return
            ready = sorted(party for party, gate in self._waiting.items() if gate.ready())
            assert ready, f"nobody can go on: {[(p, g.label) for p, g in self._waiting.items()]}, {self.trace}"
            (party,) = self._draw.choices(ready, [self._pace.get(party, 1.0) for party in ready])
            self._between()
            gate = self._waiting.pop(party)
            self.trace.append(f"{party}:{gate.label}")
            gate.opened.set_result(None)


class GatedStore:
    """The product's store; each use that matters to a race is a step of its own."""

    def __init__(self, store: SqliteRelayStore) -> None:
        self._store = store
        self._writing = False
        self.order: Order | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever else the store has
        return getattr(self._store, name)

    async def facts(self, arrival: Arrival) -> Held | Facts:
        """Read, in a step."""
        await self._gate("facts")
        return await self._store.facts(arrival)

    async def append(self, entry: bytes, size: int, facts: Sequence[AuditFact] = ()) -> None:
        """Write, with a step before and one after."""
        await self._write("append")
        await self._store.append(entry, size, facts)
        await self._gate("appended")

    async def save_checkpoint(self, log: str, checkpoint: StoredCheckpoint) -> None:
        """Write, with a step before and one after."""
        await self._write("save")
        await self._store.save_checkpoint(log, checkpoint)
        await self._gate("saved")

    async def settle(self) -> None:
        """Wait for the writer, with a step before and one after."""
        await self._write("settle")
        await self._store.settle()
        await self._gate("settled")

    async def add_refusal(self, refused: RefusedHeader, bounds: RefusalBounds) -> Kept:
        """Write, in a step."""
        await self._write("refusal")
        return await self._store.add_refusal(refused, bounds)

    async def accept(self, arrival: Arrival, body: Staged, judge: Judge) -> Held:
        """Write; others have turns before, after, and within the transaction before and after it is judged."""
        await self._write("accept")
        loop, order, party = asyncio.get_running_loop(), self.order, _PARTY.get()

        async def turn(label: str) -> None:
            if order is not None:
                _PARTY.set(party)
                await order.gate(label)

        def judged(facts: Facts) -> Verdict:
            """In the writer's thread."""
            self._writing = True
            try:
                asyncio.run_coroutine_threadsafe(turn("transaction"), loop).result()
                verdict = judge(facts)
                if order is not None:
                    order.note("decided")
                asyncio.run_coroutine_threadsafe(turn("judged"), loop).result()
            finally:
                self._writing = False
            return verdict

        held = await self._store.accept(arrival, body, judged)
        if order is not None:
            order.note("committed")
        await self._gate("accepted")
        return held

    async def _gate(self, label: str) -> None:
        if self.order is not None:
            await self.order.gate(label)

    async def _write(self, label: str) -> None:
        """The store has one writer: nobody's write begins within a transaction."""
        if self.order is not None:
            await self.order.gate(label, lambda: not self._writing)
