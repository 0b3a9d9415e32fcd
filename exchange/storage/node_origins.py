"""Proofs of acceptance in SQLite: `OriginStore` of the port. A note is stored once, however many proofs lead to it."""

import hashlib
import sqlite3

from exchange.storage.engine import Database
from exchange.storage.trust_port import DueOrigin, StoredOrigin

_OWN = ""
_COLUMNS = "o.leaf, o.position, o.path, n.note FROM origins o JOIN origin_notes n ON n.id = o.note"


class SqliteOrigins:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def due(self, now: int, limit: int) -> tuple[DueOrigin, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[DueOrigin, ...]:
            rows = connection.execute(
                "SELECT sender, envelope, tries FROM origins_due WHERE due <= ? ORDER BY due LIMIT ?", (now, limit)
            )
            return tuple(DueOrigin(row["sender"] or None, row["envelope"], row["tries"]) for row in rows)

        return await self._db.read(job)

    async def put_off(self, due: DueOrigin, until: int) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "UPDATE origins_due SET due = ?, tries = tries + 1 WHERE sender = ? AND envelope = ?",
                (until, due.sender or _OWN, due.envelope),
            )
        )

    async def give_up(self, due: DueOrigin) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "DELETE FROM origins_due WHERE sender = ? AND envelope = ?", (due.sender or _OWN, due.envelope)
            )
        )

    async def save(self, sender: str | None, envelope: bytes, origin: StoredOrigin) -> None:
        """See the port."""
        name = (sender or _OWN, envelope)
        note = hashlib.sha256(origin.note).digest()

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO origin_notes (id, note) VALUES (?, ?)", (note, origin.note))
            connection.execute(
                "INSERT OR IGNORE INTO origins (sender, envelope, leaf, position, path, note)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*name, origin.leaf, origin.position, origin.path, note),
            )
            connection.execute("DELETE FROM origins_due WHERE sender = ? AND envelope = ?", name)

        await self._db.write(job)

    async def origin(self, sender: str | None, envelope: bytes) -> StoredOrigin | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> StoredOrigin | None:
            row = connection.execute(
                f"SELECT {_COLUMNS} WHERE o.sender = ? AND o.envelope = ?",  # fixed text
                (sender or _OWN, envelope),
            ).fetchone()
            return None if row is None else StoredOrigin(**dict(row))

        return await self._db.read(job)

    async def of_provision(self, provision: bytes, most: int) -> tuple[StoredOrigin, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[StoredOrigin, ...]:
            rows = connection.execute(
                "SELECT leaf, position, path, note FROM ("  # noqa: S608  # fixed text
                f"SELECT r.time AS at, {_COLUMNS} JOIN received r ON r.sender = o.sender AND r.envelope = o.envelope"
                f" WHERE r.provision = ?1 UNION ALL SELECT x.created AS at, {_COLUMNS} JOIN outbox x"
                " ON x.envelope = o.envelope JOIN messages m ON m.id = x.message"
                " WHERE o.sender = '' AND m.provision = ?1) ORDER BY at LIMIT ?2",
                (provision, most),
            )
            return tuple(StoredOrigin(**dict(row)) for row in rows)

        return await self._db.read(job)
