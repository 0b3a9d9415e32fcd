"""The logs of the relay's store on SQLite: its own two, and what it holds of its members'."""

import sqlite3
from collections.abc import Sequence

from exchange.storage import relay_anchors as anchors
from exchange.storage import relay_logs as logs
from exchange.storage.anchor_port import Fork, Growth, HeldLog
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.log_port import AuditLeaf, StoredCheckpoint
from schemas.audit import AuditKind
from schemas.ids import Digest, EnvelopeId, MemberId


class SqliteLogs:
    """`exchange.storage.log_port.LogStore` and `anchor_port.AnchorStore`: part of the relay's store."""

    def __init__(self, database: Database) -> None:
        """Over the relay's open database."""
        self._database = database

    async def leaves(self, start: int, max_bytes: int) -> tuple[bytes, ...]:
        """See the port."""
        return await self._database.read(lambda c: logs.leaves(c, start, max_bytes))

    async def leaf_hashes(self, start: int, limit: int) -> tuple[Digest, ...]:
        """See the port."""
        return await self._database.read(lambda c: logs.leaf_hashes(c, start, limit))

    async def leaf_count(self) -> int:
        """See the port."""
        return await self._database.read(logs.leaf_count)

    async def leaf_of(self, sender: MemberId, envelope: EnvelopeId) -> AuditLeaf | None:
        """See the port."""
        return await self._database.read(lambda c: logs.leaf_of(c, sender, envelope))

    async def save_checkpoint(self, log: str, checkpoint: StoredCheckpoint) -> None:
        """See the port."""
        await self._database.write(lambda c: logs.save(c, log, checkpoint))

    async def settle(self) -> None:
        """See the port."""
        # There is one writer: what was given to it before this has ended when this has.
        await self._database.write(lambda _: None)

    async def newest_checkpoint(self, log: str, published: bool) -> StoredCheckpoint | None:
        """See the port."""
        return await self._database.read(lambda c: logs.newest(c, log, published))

    async def covering_checkpoint(self, log: str, position: int) -> StoredCheckpoint | None:
        """See the port."""
        return await self._database.read(lambda c: logs.covering(c, log, position))

    async def answer_leaf_of(self, recipient: MemberId, envelope: EnvelopeId, header: Digest) -> AuditLeaf | None:
        """See the port."""
        return await self._database.read(lambda c: logs.answer_leaf_of(c, recipient, envelope, header))

    async def record(self, facts: Sequence[AuditFact]) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            for fact in facts:
                insert_fact(connection, fact)

        await self._database.write(job)

    async def newest_of(self, kind: AuditKind) -> bytes | None:
        """See the port."""
        return await self._database.read(lambda c: logs.newest_of(c, kind))

    # Logs of members.

    async def member_log(self, member: MemberId) -> HeldLog:
        """See the port."""
        return await self._database.read(lambda c: anchors.held_log(c, member))

    async def grow_log(self, growth: Growth) -> None:
        """See the port."""
        await self._database.write(lambda c: anchors.grow(c, growth))

    async def member_hashes(self, member: MemberId, start: int, limit: int) -> bytes:
        """See the port."""
        return await self._database.read(lambda c: anchors.hashes(c, member, start, limit))

    async def anchored_root(self, member: MemberId, size: int) -> Digest | None:
        """See the port."""
        return await self._database.read(lambda c: anchors.root_at(c, member, size))

    async def anchor_note(self, member: MemberId) -> bytes | None:
        """See the port."""
        return await self._database.read(lambda c: anchors.newest_note(c, member))

    async def anchor_leaf(self, member: MemberId, size: int) -> AuditLeaf | None:
        """See the port."""
        return await self._database.read(lambda c: anchors.leaf_at(c, member, size))

    async def keep_fork(self, fork: Fork, most: int) -> bool:
        """See the port."""
        return await self._database.write(lambda c: anchors.keep_fork(c, fork, most))

    async def forks(self, member: MemberId) -> tuple[tuple[bytes, bytes], ...]:
        """See the port."""
        return await self._database.read(lambda c: anchors.forks(c, member))
