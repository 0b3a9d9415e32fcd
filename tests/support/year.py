"""A year of 28 states in fast time: every part is the real one but the network and the clock.

    year = Year(folder, Plan())
    await found(year, codes)
    await year.live()                  # one day

What happened is in its `book`: who was there when, what was found on the disks, every envelope and checkpoint that
stood. Its `halves` and `post` have every private half and every letter.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Final

from exchange.clock import SetClock
from exchange.relay.tlog import Published
from keys.checkpoint import parse_signed
from keys.directory import Directory, handover_of
from keys.identity import SigningIdentity
from keys.quorum import verify_cosigned
from schemas.ids import MemberId
from schemas.limits import DAY, HOUR
from schemas.statement import DirectoryEntry
from tests.support.once import plainly
from tests.support.waiting import until
from tests.support.year_book import BEGIN, Book, Plan, Return, Shown
from tests.support.year_halves import Halves, all_files, found_in, key_files, marks
from tests.support.year_node import YearNode
from tests.support.year_post import Post, titles
from tests.support.year_relay import YearRelay, cosigners_of

_WAKE: Final = 61
"""Seconds after which the logs' loops have looked again, and one that has grown has signed its next checkpoint."""


class FastLoop(asyncio.SelectorEventLoop):
    """A loop whose seconds can be put forward: what was to happen by then is due."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Year:
    """The states, their relay, and the clock."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        self.random = Random(plan.seed)
        self.clock = SetClock(BEGIN)
        self.nodes: dict[str, YearNode] = {}
        self.roots: dict[MemberId, SigningIdentity] = {}
        self.charters: list[DirectoryEntry] = []
        self.relays: list[YearRelay] = []
        self.halves = Halves()
        self.post = Post()
        self.book = Book()
        self.day = 0
        self._signed = 0
        self._searched: dict[str, object] = {}

    @property
    def now(self) -> int:
        """The present."""
        return self.clock.time

    @property
    def relay(self) -> YearRelay:
        """The one in use."""
        return self.relays[-1]

    @property
    def directory(self) -> Directory:
        """All that stands in the directory."""
        return self.relay.app.keeper.current

    def here(self) -> Iterator[YearNode]:
        """The nodes that run and reach the relay."""
        return (node for node in self.nodes.values() if node.connected)

    # The logs.

    async def publish(self, entry: bytes) -> int:
        """Somebody who has an entry offers it; its index."""
        index = await self.relay.app.keeper.append(entry)
        self.relay.app.logs.directory.grew()
        await self.sign()
        return index

    async def sign(self) -> None:
        """Let a minute pass for the logs, and wait until everybody who is there has cosigned what is due."""
        await self.relay.quiet()
        self._signed = self.now
        before = self.relay.app.logs.directory.published
        size = 0 if before is None else before.checkpoint.size
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FastLoop)
        loop.ahead += _WAKE
        if self.directory.size > size or before is None or self.now - before.time >= HOUR:
            try:
                await until(lambda: self._whole(before))
            except AssertionError:
                raise AssertionError(self._why_not(before)) from None
            self._show("directory", self.relay.app.logs.directory.published)
        if self.directory.size > size:
            self.book.grown.append((self.now, self.directory.size - size))
        await self.relay.logged()
        self._show("audit", self.relay.app.logs.audit.published)

    def _whole(self, before: Published | None) -> bool:
        """Whether a newer checkpoint than before has all the cosignatures that it can have."""
        published, view = self.relay.app.logs.directory.published, self.directory
        if published is None or published is before or published.checkpoint.size != view.size:
            return False
        can = {node.code for node in self.here() if node.key_in_force(view, self.now)}
        return can <= cosigners_of(published.note)

    def _why_not(self, before: Published | None) -> str:
        published, view = self.relay.app.logs.directory.published, self.directory
        if published is None or published is before:
            return f"day {self.day}: no checkpoint of {view.size} entries was published"
        can = {node.code for node in self.here() if node.key_in_force(view, self.now)}
        missing = ", ".join(sorted(can - cosigners_of(published.note)))
        return f"day {self.day}: a checkpoint of {published.checkpoint.size} of {view.size} entries lacks {missing}"

    def _show(self, log: str, published: Published | None) -> None:
        shown = [item.published for item in self.book.shown if item.log == log][-1:]
        if published is None or published in shown:
            return
        view = self.relay.app.keeper.witnessed()
        self.book.shown.append(Shown(log, published, view))
        if log == "directory":
            with plainly():
                start = time.perf_counter()
                _, quorum = verify_cosigned(parse_signed(published.note), log, view)
                self.book.verified.append(((time.perf_counter() - start) * 1000, len(quorum.times)))

    async def look(self) -> None:
        """Every node that is here and lacks something looks; what they publish is signed, and all look again."""
        size = self.directory.size
        await asyncio.gather(*(self._look(node) for node in self.here() if self._begins or self._news_for(node)))
        if self.directory.size > size:
            await self.sign()
            await asyncio.gather(*(self._look(node) for node in self.here()))

    @property
    def _begins(self) -> bool:
        return self.day % 7 == 0

    def _news_for(self, node: YearNode) -> bool:
        """Whether there are entries that it lacks, or, when everybody looks often, newer cosignatures."""
        published, newest = self.relay.app.logs.directory.published, node.wheels.parts.directory.newest
        if published is None or newest is None or newest.size < published.checkpoint.size:
            return True
        return self.plan.share == 1.0 and newest.note != published.note

    async def _look(self, node: YearNode) -> None:
        fault = await node.wheels.look()
        if fault is not None:
            self.book.faults[node.code].add(fault)
        self.halves.note(node)
        self.book.sizes[node.code].append(node.wheels.parts.directory.current.size)

    # A day.

    async def morning(self) -> None:
        """Halves whose time has come end; the directory goes on."""
        running = [node for node in self.nodes.values() if node.on]
        share = 1.0 if self._begins else self.plan.share / 2
        turning = [node for node in running if self.random.random() < share]
        await asyncio.gather(*(node.wheels.tick() for node in turning))
        self._search()
        await self.look()
        if self.day % self.plan.refresh == 0:
            if self._signed != self.now:
                await self.sign()
            await asyncio.gather(*(node.wheels.fetch_proofs() for node in self.here()))

    async def noon(self) -> None:
        """Ministries write; nodes seal and send."""
        members = list(self.nodes)
        running = [node for node in self.nodes.values() if node.on]
        # A node whose key was ended refuses at once what a ministry writes.
        able = [node for node in running if node.key_in_force(node.wheels.parts.directory.current, self.now)]
        for _ in range(self.plan.letters):
            count = len(members) if self.random.random() < 0.02 else self.random.choice((1, 1, 1, 2, 3))
            node = self.random.choice(able)
            to = set(self.random.sample(members, count)) - {node.code}
            if to:
                await self.post.write(node, to, self.random.choice(("20h", "5d", "30d")), self.now)
        await asyncio.gather(*(self.post.dispatch(node) for node in running if self.post.open_at(node)))

    async def evening(self) -> None:
        """Nodes fetch what waits for them, most of them every day."""
        await self.relay.app.store.expire(self.now)
        await self.fetch(self.plan.share)

    async def fetch(self, share: float = 1.0) -> None:
        """So many of the nodes that are here take what waits for them."""
        await asyncio.gather(*(self._fetch(node) for node in self.here() if self.random.random() < share))

    async def _fetch(self, node: YearNode) -> None:
        # A mailbox gives so much at once; who was away has more.
        while await node.wheels.pull():
            pass
        self.book.fetched[node.code].append(self.now)

    async def settle(self) -> None:
        """Two days on which nobody writes: what is under way arrives, and is answered."""
        for _ in range(2):
            self.day += 1
            self.clock.time += DAY
            await self.morning()
            running = [node for node in self.nodes.values() if node.on]
            await asyncio.gather(*(self.post.dispatch(node) for node in running))
            await self.fetch()
        for node in self.here():
            await node.wheels.tick()
            self.book.inboxes[node.code] = await titles(node)
            self.book.ends[node.code] = handover_of(node.wheels.parts.directory.current)

    def _search(self) -> None:
        """Look at the bytes on the disks for what has ended.

        What has just ended is looked for in every file of a node; all that ever ended in its keystore, on every day on
        which a file there is not what it was.
        """
        for node in self.nodes.values():
            if not node.on:
                continue
            self.book.alive += found_in(all_files(node.folder), self.halves.dead(node.code, self.now, self.now - DAY))
            files = key_files(node.folder)
            seen = marks(files)
            if seen != self._searched.get(node.code):
                self.book.alive += found_in(files, self.halves.dead(node.code, self.now))
                self._searched[node.code] = seen

    # On and off.

    async def switch_on(self, node: YearNode) -> None:
        """A node comes back: what is overdue is destroyed before anything else happens; then it takes what waits."""
        overdue = frozenset(half.name for half in self.halves.dead(node.code, self.now)) & node.names_on_disk()
        left: list[frozenset[str]] = []
        await node.start(self.relay, lambda: left.append(node.names_on_disk()))
        self.book.returns.append(Return(node.code, overdue, overdue & left[0]))
        await self._look(node)
        await self._fetch(node)

    async def end(self) -> None:
        """Everything stops."""
        for node in self.nodes.values():
            if node.on:
                await node.stop()
        for relay in self.relays[-1:]:
            await relay.close()
