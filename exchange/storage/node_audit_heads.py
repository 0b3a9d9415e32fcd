"""Checkpoints of audit logs in SQLite: `AuditHeads` of the audit port."""

import sqlite3
from typing import Final

from exchange.storage.audit_port import AuditCheckpoint, HeardAnchor
from exchange.storage.engine import Database
from schemas.limits import DAY

_HEARD: Final = "SELECT member, origin, size, root, note, time FROM audit_heard"


class SqliteAuditHeads:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def newest(self, anchored: bool = False) -> AuditCheckpoint | None:
        """See the port."""
        return await self._one("WHERE ? OR anchored IS NOT NULL ORDER BY size DESC", not anchored)

    async def covering(self, index: int) -> AuditCheckpoint | None:
        """See the port."""
        return await self._one("WHERE size > ? AND anchored IS NOT NULL ORDER BY size", index)

    async def anchors(self, after: int, limit: int) -> tuple[AuditCheckpoint, ...]:
        """See the port."""
        query = "SELECT * FROM audit_checkpoints WHERE size > ? AND anchored IS NOT NULL ORDER BY size LIMIT ?"
        return await self._db.read(lambda c: tuple(AuditCheckpoint(*row) for row in c.execute(query, (after, limit))))

    async def save(self, checkpoint: AuditCheckpoint) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM audit_checkpoints WHERE size < ? AND anchored IS NULL", (checkpoint.size,))
            connection.execute(
                "INSERT OR IGNORE INTO audit_checkpoints (size, root, note, time, anchored) VALUES (?, ?, ?, ?, ?)",
                (checkpoint.size, checkpoint.root, checkpoint.note, checkpoint.time, checkpoint.anchored),
            )

        await self._db.write(job)

    async def save_anchored(self, size: int, now: int) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "UPDATE audit_checkpoints SET anchored = ? WHERE size = ? AND anchored IS NULL", (now, size)
            )
        )

    async def hear(self, heard: HeardAnchor) -> HeardAnchor | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> HeardAnchor | None:
            other = connection.execute(
                f"{_HEARD} WHERE member = ? AND origin = ? AND size = ? AND root <> ?",
                (heard.member, heard.origin, heard.size, heard.root),
            ).fetchone()
            if other is not None:
                found = HeardAnchor(*other)
                connection.execute(
                    "INSERT OR IGNORE INTO audit_splits (member, origin, size, root, note, other, time)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (heard.member, heard.origin, heard.size, heard.root, heard.note, found.note, heard.time),
                )
                return found
            connection.execute(
                "INSERT INTO audit_heard (member, day, origin, size, root, note, time) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (member, origin, day) DO UPDATE SET size = excluded.size, root = excluded.root,"
                " note = excluded.note, time = excluded.time WHERE excluded.size > size",
                (heard.member, heard.time // DAY, heard.origin, heard.size, heard.root, heard.note, heard.time),
            )
            return None

        return await self._db.write(job)

    async def heard(self, member: str | None = None) -> tuple[HeardAnchor, ...]:
        """See the port."""
        query = f"{_HEARD} WHERE ?1 IS NULL OR member = ?1 ORDER BY member, day, origin"
        return await self._db.read(lambda c: tuple(HeardAnchor(*row) for row in c.execute(query, (member,))))

    async def _one(self, clause: str, value: int) -> AuditCheckpoint | None:
        query = f"SELECT * FROM audit_checkpoints {clause} LIMIT 1"  # noqa: S608  fixed texts; the value is bound
        row = await self._db.read(lambda c: c.execute(query, (value,)).fetchone())
        return None if row is None else AuditCheckpoint(*row)
