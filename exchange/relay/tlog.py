"""One log of the relay: signs checkpoints at its pace, has them cosigned, publishes them with the quorum.

The order that a crash must not break: leaves are in the store; their tiles are on the disk; the signed checkpoint is
stored; only then does a witness see it. It is stored as published before anything is decided by it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exchange.audit.tree import Tree
from exchange.clock import Clock
from exchange.errors import ExchangeError, StoreFault
from exchange.logs import get_logger
from exchange.relay.metrics import Metrics
from exchange.relay.tlog_core import Ask, Pace, Step, Witness, Witnessing
from exchange.relay.tlog_panel import OtherTime, Panel
from exchange.storage.log_port import LogStore, StoredCheckpoint
from keys.checkpoint import Checkpoint, SignedCheckpoint, parse_signed
from keys.errors import KeyFault
from keys.merkle import Proof
from keys.note import NoteSignature
from keys.quorum import origin_of, verify_cosigned
from keys.view import Directory
from keys.witness import AddCheckpoint
from schemas.errors import DecodeError
from schemas.ids import Digest, KeyId
from schemas.relayapi import WitnessAnswer, WitnessStatus

# After a fault of the store or the disk.
_PAUSE: Final = 1.0
# Between two looks at the clock.
_LONGEST_WAIT: Final = 60.0

# What a witness answers when it was shown another log than this one.
_CONTRADICTIONS: Final = ("ahead", WitnessStatus.INCONSISTENT.name.lower())

log = get_logger("relay.log")

SignCheckpoint = Callable[[str, int, Digest], SignedCheckpoint]
"""Signs the checkpoint of a log (`directory`, `audit`) of this size and root."""
AskWitness = Callable[[Witness, str, AddCheckpoint], None]
"""Has a witness asked for its cosignature on a checkpoint of a log; the answer comes to `Log.answered`."""


Alarm = Callable[[str, str], None]
"""Tells of something that is wrong: a stable code, and which witness."""


class Leaves(Protocol):
    """What a log is of."""

    async def size(self) -> int:
        """How many leaves there are; 0 as well while no checkpoint of them could be judged."""
        ...

    async def read(self, start: int) -> Sequence[bytes]:
        """The next leaves from `start`, at least one when there is one."""
        ...

    def panel(self, size: int) -> Panel:
        """Who witnesses a checkpoint of this size."""
        ...

    def published(self, view: Directory) -> None:
        """A larger checkpoint than before has been published, durably; its witnesses were those of `view`."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What the logs of one relay share; `refresh`: seconds after which a log that rests is cosigned anew."""

    store: LogStore
    clock: Clock
    metrics: Metrics
    relay: KeyId
    sign: SignCheckpoint
    ask: AskWitness
    pace: Pace
    refresh: int
    alarm: Alarm


@dataclass(slots=True)
class _Round:
    """A checkpoint on its way; `time` of its begin, Unix seconds."""

    signed: SignedCheckpoint
    panel: Panel
    time: int
    lines: dict[Witness, tuple[NoteSignature, ...]]
    proofs: dict[int, Proof]


class Log:
    """One log. `run` serves it; everything else returns at once."""

    def __init__(self, name: str, leaves: Leaves, tree: Tree, means: Means, published: StoredCheckpoint | None) -> None:
        """Use `open`."""
        self.name = name
        self.origin = origin_of(name, means.relay)
        self.tree = tree
        self._leaves = leaves
        self._means = means
        self._news = asyncio.Event()
        self._rounds = Witnessing(means.pace, published is not None)
        self._round: _Round | None = None
        # The newest checkpoint that was published, as it is served.
        self.published = None if published is None else Published.of(published)

    @classmethod
    async def open(cls, name: str, leaves: Leaves, tree: Tree, means: Means) -> "Log":
        """A log that goes on with what is stored. Raises StoreFault when that contradicts what was signed."""
        signed = await means.store.newest_checkpoint(name, published=False)
        published = await means.store.newest_checkpoint(name, published=True)
        for stored in (signed, published):
            if stored is not None:
                _check_stored(name, stored, tree)
        if tree.mended and signed is not None:
            log.warning("log.mended", log=name, tiles=tree.mended)
        return cls(name, leaves, tree, means, published)

    # What happens to it.

    def grew(self) -> None:
        """There are new leaves."""
        self._news.set()

    def joined(self, witness: Witness) -> None:
        """A witness can be asked."""
        self._rounds.join(witness)
        self._news.set()

    def left(self, witness: Witness) -> None:
        """A witness cannot be asked any more."""
        self._rounds.leave(witness)
        self._news.set()

    def answered(self, witness: Witness, answer: WitnessAnswer) -> None:
        """Judge an answer. One that was not asked for, or is for another checkpoint, is not looked at."""
        rounds, current, now = self._rounds, self._round, asyncio.get_running_loop().time()
        if current is None or not rounds.expects(witness, current.signed.checkpoint.size):
            return
        size = current.signed.checkpoint.size
        if answer.status is WitnessStatus.OTHER_SIZE and answer.size <= size:
            rounds.other_size(witness, answer.size, now)
        elif answer.lines is None:
            # A witness that is ahead of this log has seen leaves that are lost here.
            code = "ahead" if answer.status is WitnessStatus.OTHER_SIZE else answer.status.name.lower()
            if code in _CONTRADICTIONS:
                self._means.alarm(f"witness-{code}", witness)
            self._refused(witness, code, now)
        elif answer.size != size:
            rounds.knows(witness, answer.size)
        else:
            self._take(current, witness, answer.lines, now)
        self._news.set()

    def _take(self, current: _Round, witness: Witness, lines: bytes, now: float) -> None:
        try:
            held = current.panel.lines(witness, current.signed.checkpoint, lines, self._means.clock.now())
        except (KeyFault, DecodeError) as fault:
            if isinstance(fault, OtherTime):
                self._means.alarm("clock-skew", witness)
            self._refused(witness, type(fault).__name__, now, str(fault))
            return
        current.lines[witness] = held
        self._rounds.cosigned(witness, current.panel.counts(witness))

    def _refused(self, witness: Witness, code: str, now: float, why: str = "") -> None:
        self._rounds.refused(witness, now)
        self._means.metrics.cosignatures_refused.labels(self.name, code).inc()
        log.warning("cosignature.refused", log=self.name, witness=witness, code=code, why=why)

    # Its loop.

    async def run(self) -> None:
        """Serve until cancelled; a fault is told, and the log goes on after a pause."""
        while True:
            try:
                await self._turn()
            except ExchangeError as fault:
                log.warning("log.failed", log=self.name, code=fault.code, why=fault.detail)
                await asyncio.sleep(_PAUSE)
            except Exception:
                log.exception("log.fault", log=self.name)
                await asyncio.sleep(_PAUSE)

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._news.clear()
        size = await self._leaves.size()
        if self._rounds.due(size, loop.time(), self._stale()):
            await self._begin(size)
        for ask in self._rounds.asks(loop.time()):
            await self._ask(ask)
        if self._rounds.step(loop.time()) is Step.PUBLISH:
            await self._publish()
        await self._wait(self._rounds.wake_at(size, loop.time(), self._stale()) - loop.time())

    def _stale(self) -> bool:
        """Age is what others judge by their clocks: the loop's own stands still while the machine sleeps."""
        return self._round is not None and self._means.clock.now() - self._round.time >= self._means.refresh

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(max(seconds, 0.0), _LONGEST_WAIT)):
                await self._news.wait()
        except TimeoutError:
            return

    async def _begin(self, size: int) -> None:
        while self.tree.size < size:
            batch = await self._leaves.read(self.tree.size)
            await asyncio.to_thread(self.tree.append, batch[: size - self.tree.size])
        signed = await asyncio.to_thread(self._means.sign, self.name, size, self.tree.head)
        newest = await self._means.store.newest_checkpoint(self.name, published=False)
        # One that is cosigned anew says what it said before: its note of then stays until this one is complete.
        if newest is None or newest.size < size:
            await self._save(signed, None)
        panel = await asyncio.to_thread(self._leaves.panel, size)
        self._round = _Round(signed, panel, self._means.clock.now(), {}, {})
        self._rounds.begin(size, panel.witnesses, panel.needed, asyncio.get_running_loop().time())
        log.info("checkpoint.signed", log=self.name, size=size, needed=panel.needed)

    async def _ask(self, ask: Ask) -> None:
        current = self._round
        if current is None:
            return
        checkpoint = current.signed.checkpoint
        if ask.old not in current.proofs:
            prove = self.tree.consistency
            current.proofs[ask.old] = await asyncio.to_thread(prove, ask.old, checkpoint.size, checkpoint.root)
        self._means.ask(ask.witness, self.name, AddCheckpoint(ask.old, current.proofs[ask.old], current.signed))

    async def _publish(self) -> None:
        current = self._round
        if current is None:
            return
        lines = [line for witness in sorted(current.lines) for line in current.lines[witness]]
        signed = current.signed.add(tuple(lines))
        size = signed.checkpoint.size
        # What every node is going to check: a fault of the panel would end here, not there.
        await asyncio.to_thread(verify_cosigned, signed, self.name, current.panel.view)
        try:
            stored = await self._save(signed, current.panel.view)
            if self.published is None or self.published.checkpoint.size < size:
                self._leaves.published(current.panel.view)
                # Whoever sees this checkpoint may rely on what it ends: what was decided before is committed by then.
                await self._means.store.settle()
        except ExchangeError:
            # A log that rests would else stand unpublished until it is cosigned anew.
            self._rounds.not_published()
            raise
        self.published = Published.of(stored)
        self._means.metrics.published_size.labels(self.name).set(size)
        log.info("checkpoint.published", log=self.name, size=size, cosigners=len(current.lines))

    async def _save(self, signed: SignedCheckpoint, witnessed_by: Directory | None) -> StoredCheckpoint:
        """`witnessed_by`: the view by which the witnesses of a published one were judged."""
        published, view = witnessed_by is not None, 0 if witnessed_by is None else witnessed_by.size
        stored = StoredCheckpoint(signed.checkpoint.size, signed.encode(), published, self._means.clock.now(), view)
        await self._means.store.save_checkpoint(self.name, stored)
        return stored


@dataclass(frozen=True, slots=True)
class Published:
    """A published checkpoint, its note as it is served, and when it was stored (Unix seconds)."""

    checkpoint: Checkpoint
    note: bytes
    time: int

    @classmethod
    def of(cls, stored: StoredCheckpoint) -> "Published":
        """Read what was stored; raises DecodeError."""
        return cls(parse_signed(stored.note).checkpoint, stored.note, stored.time)


def _check_stored(name: str, stored: StoredCheckpoint, tree: Tree) -> None:
    """The stored leaves are those of a checkpoint that may be in others' hands. Raises StoreFault."""
    try:
        checkpoint = parse_signed(stored.note).checkpoint
        same = checkpoint.size <= tree.size and tree.root(checkpoint.size) == checkpoint.root
    except (DecodeError, ExchangeError):
        same = False
    if not same:
        raise StoreFault(
            "log-contradicts",
            f"the {name} log is not the one of its checkpoint of size {stored.size}: nothing more may be signed; "
            "restore the newest copy of the store",
        )
