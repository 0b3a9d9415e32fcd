"""The relay's two logs together: of which leaves they are, who is asked, and their loops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from exchange.audit.tree import Tree
from exchange.relay.config import RelaySettings
from exchange.relay.intake import RelayIdentity
from exchange.relay.journal import Journal
from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.limits import (
    CHECKPOINT_FIRST,
    CHECKPOINT_REFRESH,
    LEAF_HASHES,
    LEAVES_BYTES,
    WITNESS_AGAIN,
    WITNESS_PATIENCE,
)
from exchange.relay.metrics import Metrics
from exchange.relay.registry import Sessions
from exchange.relay.tlog import Log, Means
from exchange.relay.tlog_core import Pace, Witness
from exchange.relay.tlog_foreign import ForeignWitnesses, foreign_keys
from exchange.relay.tlog_panel import Panel
from exchange.storage.log_port import AUDIT, DIRECTORY
from exchange.storage.port import RelayStore
from exchange.tile_files import TileFiles
from keys.note import NoteKey
from keys.tiles import entry_hash
from keys.view import Directory
from keys.witness import AddCheckpoint
from schemas.ids import Digest, MemberId
from schemas.relayapi import WitnessAnswer

FOLDER: Final = "log"
"""Of the tiles, in the relay's folder: `log/directory/tile/...` and `log/audit/tile/...`."""

_Foreign = Mapping[Witness, Sequence[NoteKey]]


class DirectoryLeaves:
    """The entries of the directory. Who witnesses a checkpoint is judged by the very view that it is about."""

    def __init__(self, store: RelayStore, keeper: DirectoryKeeper, foreign: _Foreign, told: Callable[[], None]) -> None:
        """Entries in the store, views from the keeper; `told` is called when there is another view to decide by."""
        self._store = store
        self._keeper = keeper
        self._foreign = foreign
        self._told = told

    async def size(self) -> int:
        """All entries that are verified."""
        return self._keeper.current.size

    async def read(self, start: int) -> Sequence[bytes]:
        """The next entries."""
        return await self._store.entries(start, LEAVES_BYTES)

    async def hashes(self, start: int) -> Sequence[Digest]:
        """Theirs."""
        return [entry_hash(entry) for entry in await self.read(start)]

    def panel(self, size: int) -> Panel:
        """By the view at this size."""
        return Panel.of(self._keeper.current.as_of(size), self._foreign)

    def published(self, view: Directory) -> None:
        """The relay decides by this view from now on."""
        self._keeper.published = view
        self._told()


class AuditLeaves:
    """What the relay has done. Who witnesses a checkpoint is judged by the newest published view, which all have."""

    def __init__(self, store: RelayStore, keeper: DirectoryKeeper, foreign: _Foreign) -> None:
        """Leaves in the store, views from the keeper."""
        self._store = store
        self._keeper = keeper
        self._foreign = foreign

    async def size(self) -> int:
        """All entries; none before there is a view to judge by."""
        return 0 if self._keeper.published is None else await self._store.leaf_count()

    async def read(self, start: int) -> Sequence[bytes]:
        """The next leaves."""
        return await self._store.leaves(start, LEAVES_BYTES)

    async def hashes(self, start: int) -> Sequence[Digest]:
        """Those of the next leaves, pruned or not."""
        return await self._store.leaf_hashes(start, LEAF_HASHES)

    def panel(self, _size: int) -> Panel:
        """By the published view. Raises Unavailable."""
        return Panel.of(self._keeper.witnessed(), self._foreign)

    def published(self, view: Directory) -> None:
        """Nothing is decided by it."""


class Logs:
    """Both logs, and who is asked to cosign them."""

    def __init__(self, sessions: Sessions, foreign: _Foreign) -> None:
        """Use `open`."""
        self._sessions = sessions
        self._logs: dict[str, Log] = {}
        self._foreign = ForeignWitnesses(foreign, lambda witness, name, said: self._logs[name].answered(witness, said))

    @classmethod
    async def open(
        cls,
        folder: Path,
        settings: RelaySettings,
        store: RelayStore,
        keeper: DirectoryKeeper,
        identity: RelayIdentity,
        journal: Journal,
        sessions: Sessions,
        metrics: Metrics,
    ) -> "Logs":
        """Both logs as they are stored. Raises Invalid for a bad witness, StoreFault for a contradiction."""
        foreign = foreign_keys(settings.witnesses)
        logs = cls(sessions, foreign)
        pace = Pace(
            first=min(CHECKPOINT_FIRST, settings.checkpoint_every),
            every=settings.checkpoint_every,
            patience=WITNESS_PATIENCE,
            again=WITNESS_AGAIN,
        )
        means = Means(
            store=store,
            clock=journal.clock,
            metrics=metrics,
            relay=identity.key_id,
            sign=identity.sign_checkpoint,
            ask=logs.ask,
            pace=pace,
            refresh=CHECKPOINT_REFRESH,
            alarm=journal.alarm,
        )
        sources: dict[str, DirectoryLeaves | AuditLeaves] = {
            DIRECTORY: DirectoryLeaves(store, keeper, foreign, logs._has_view),
            AUDIT: AuditLeaves(store, keeper, foreign),
        }
        for name, leaves in sources.items():
            tree = await Tree.load_hashes(TileFiles(folder / FOLDER / name), _all(leaves))
            logs._logs[name] = await Log.open(name, leaves, tree, means)
        published = logs.directory.published
        if published is not None:
            keeper.published = keeper.current.as_of(published.checkpoint.size)
        sessions.watch(logs)
        return logs

    @property
    def directory(self) -> Log:
        """The log of the directory's entries."""
        return self._logs[DIRECTORY]

    @property
    def audit(self) -> Log:
        """The log of what the relay has done."""
        return self._logs[AUDIT]

    def log(self, name: str) -> Log | None:
        """A log by its name."""
        return self._logs.get(name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Their loops, until the block ends."""
        for witness in self._foreign.keys:
            self._joined(witness)
        loops = [asyncio.create_task(log.run(), name=f"log-{name}") for name, log in self._logs.items()]
        try:
            yield
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await self._foreign.close()

    def _has_view(self) -> None:
        """There is another view to decide by; before the first, the audit log has no leaves to show."""
        self.audit.grew()

    # Witnesses.

    def ask(self, witness: Witness, name: str, request: AddCheckpoint) -> None:
        """Have a member's node, or a witness of others, asked."""
        if witness in self._foreign.keys:
            self._foreign.ask(witness, name, request)
        else:
            self._sessions.ask(MemberId(witness), name, request.encode())

    def answered(self, member: MemberId, answer: WitnessAnswer) -> None:
        """What a member's node answers in its session."""
        for log in self._logs.values():
            if log.origin == answer.origin:
                log.answered(Witness(member), answer)

    def joined(self, member: MemberId) -> None:
        """A member's node is there."""
        self._joined(Witness(member))

    def left(self, member: MemberId) -> None:
        """It is not any more."""
        for log in self._logs.values():
            log.left(Witness(member))

    def _joined(self, witness: Witness) -> None:
        for log in self._logs.values():
            log.joined(witness)


async def _all(leaves: DirectoryLeaves | AuditLeaves) -> AsyncIterator[Sequence[Digest]]:
    start = 0
    while batch := await leaves.hashes(start):
        yield batch
        start += len(batch)
