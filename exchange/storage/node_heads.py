"""Heads as evidence in SQLite: `HeadStore` of the port."""

import sqlite3
from typing import Final

from exchange.storage.engine import Database
from exchange.storage.head_port import KeptHead, StoredHead
from schemas.limits import MAX_RECENT

_OWN: Final = ""
_SENT: Final = (
    "SELECT NULL AS sender, h.envelope, o.header, o.receipt, h.acknowledgement, h.manifest"
    " FROM heads h JOIN outbox o ON o.envelope = h.envelope WHERE h.sender = ''"
)
_RECEIVED: Final = (
    "SELECT h.sender, h.envelope, r.header, r.receipt, r.acknowledgement, h.manifest"
    " FROM heads h JOIN received r ON r.sender = h.sender AND r.envelope = h.envelope WHERE h.sender <> ''"
)


class SqliteHeads:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def keep(self, head: KeptHead) -> None:
        """See the port."""
        values = (head.sender or _OWN, head.envelope, head.partner, head.stream, head.last, head.manifest)
        await self._db.write(
            lambda c: c.execute(
                "INSERT OR IGNORE INTO heads (sender, envelope, partner, stream, last, manifest)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
        )

    async def naming(self, digest: bytes, limit: int) -> tuple[StoredHead, ...]:
        """See the port."""
        numbered = (
            "SELECT 1 FROM numbers_out n WHERE n.digest = ?1 AND n.stream = h.stream"
            " AND h.last BETWEEN n.number AND n.number + ?2"
        )
        clause = f"{_SENT} AND EXISTS ({numbered}) ORDER BY h.acknowledgement IS NULL, h.envelope LIMIT ?3"
        return await self._select(clause, (digest, MAX_RECENT, limit))

    async def with_partner(self, partner: str, limit: int) -> tuple[StoredHead, ...]:
        """See the port."""
        tail = " AND h.partner = ? ORDER BY h.envelope DESC LIMIT ?"
        found = [
            *await self._select(_SENT + tail, (partner, limit // 2)),
            *await self._select(_RECEIVED + tail, (partner, limit // 2)),
        ]
        return tuple(sorted(found, key=lambda head: head.envelope))

    async def _select(self, clause: str, values: tuple[bytes | str | int, ...]) -> tuple[StoredHead, ...]:
        def job(connection: sqlite3.Connection) -> tuple[StoredHead, ...]:
            return tuple(StoredHead(**dict(row)) for row in connection.execute(clause, values))

        return await self._db.read(job)
