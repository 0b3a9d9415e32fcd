"""The desk's part of the node's store in SQLite: `ConsentStore` of the consent port."""

import json
import sqlite3
from collections.abc import Collection
from typing import Final

from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_rows import message_of
from exchange.storage.node_values import Message

# Who speaks about consent is its only provider, so that the path is the sender.
_DUE: Final = (
    "SELECT m.* FROM messages m JOIN (SELECT d.message, row_number() OVER (PARTITION BY o.path ORDER BY o.seq) AS place"
    " FROM consent_due d JOIN messages o ON o.id = d.message"
    " WHERE hex(d.message) NOT IN (SELECT value FROM json_each(?))) w ON w.message = m.id"
    " ORDER BY w.place, m.seq LIMIT ?"
)


class SqliteConsent:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def due(self, limit: int, skip: Collection[bytes] = ()) -> tuple[Message, ...]:
        """See the port."""
        skipped = json.dumps([message.hex().upper() for message in skip])

        def job(connection: sqlite3.Connection) -> tuple[Message, ...]:
            rows = connection.execute(_DUE, (skipped, limit)).fetchall()
            return tuple(message_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def done(self, message: bytes, event: ConsentEvent | None) -> None:
        """See the port."""
        await self._db.write(lambda c: take_due(c, message, event))

    async def add_event(self, event: ConsentEvent) -> None:
        """See the port."""
        await self._db.write(lambda c: insert_consent_event(c, event))

    async def events(self, after: int, limit: int, subject: str | None = None) -> tuple[ConsentEvent, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[ConsentEvent, ...]:
            rows = connection.execute(
                "SELECT * FROM consent_log WHERE seq > ?1 AND (?2 IS NULL OR subject = ?2) ORDER BY seq LIMIT ?3",
                (after, subject, limit),
            )
            return tuple(ConsentEvent(**dict(row)) for row in rows)

        return await self._db.read(job)


def take_due(connection: sqlite3.Connection, message: bytes, event: ConsentEvent | None) -> bool:
    """Inside a transaction: the message's effect is taken. False when it was before: then nothing may be changed."""
    taken = connection.execute("DELETE FROM consent_due WHERE message = ?", (message,)).rowcount
    if taken and event is not None:
        insert_consent_event(connection, event)
    return bool(taken)


def insert_consent_event(connection: sqlite3.Connection, event: ConsentEvent) -> None:
    """Inside a transaction: one line of the log, and its entry in the audit log."""
    insert_fact(connection, node_facts.consented(event))
    connection.execute(
        "INSERT INTO consent_log (time, kind, subject, member, official, detail) VALUES (?, ?, ?, ?, ?, ?)",
        (event.time, event.kind, event.subject, event.member, event.official, event.detail),
    )
