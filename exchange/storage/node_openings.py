"""Openings in SQLite: `OpeningStore` of the port."""

import sqlite3

from exchange.storage.engine import Database
from exchange.storage.node_consent import take_due
from exchange.storage.node_outbox import insert_queued
from exchange.storage.node_values import Message
from exchange.storage.opening_port import DueOpening, StoredOpening


class SqliteOpenings:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def noted(self, message: bytes) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT 1 FROM openings_due WHERE message = ?", (message,)).fetchone()
            return row is not None

        return await self._db.read(job)

    async def note(self, opening: DueOpening) -> None:
        """See the port."""
        values = (
            opening.message,
            opening.sender,
            opening.envelope,
            opening.header_digest,
            opening.opened,
            opening.due,
        )
        await self._db.write(
            lambda c: c.execute(
                "INSERT OR IGNORE INTO openings_due (message, sender, envelope, header_digest, opened, due)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
        )

    async def due(self, now: int, limit: int) -> tuple[DueOpening, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[DueOpening, ...]:
            rows = connection.execute(
                "SELECT message, sender, envelope, header_digest, opened, due FROM openings_due"
                " WHERE teller IS NULL AND due <= ? ORDER BY sender, due LIMIT ?",
                (now, limit),
            )
            return tuple(DueOpening(**dict(row)) for row in rows)

        return await self._db.read(job)

    async def tell(self, messages: tuple[bytes, ...], outgoing: Message) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            told = 0
            for message in messages:
                told += connection.execute(
                    "UPDATE openings_due SET teller = ? WHERE message = ? AND teller IS NULL", (outgoing.id, message)
                ).rowcount
            if told:
                insert_queued(connection, outgoing)

        await self._db.write(job)

    async def take(self, due: bytes, openings: tuple[StoredOpening, ...]) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            if take_due(connection, due, None):
                connection.executemany(
                    "INSERT OR IGNORE INTO openings (envelope, reader, signed) VALUES (?, ?, ?)",
                    [(opening.envelope, opening.reader, opening.signed) for opening in openings],
                )

        await self._db.write(job)

    async def of_envelope(self, envelope: bytes) -> tuple[StoredOpening, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[StoredOpening, ...]:
            rows = connection.execute(
                "SELECT envelope, reader, signed FROM openings WHERE envelope = ? ORDER BY reader", (envelope,)
            )
            return tuple(StoredOpening(**dict(row)) for row in rows)

        return await self._db.read(job)
