"""Which message holds which record, in SQLite: `RecordStore` of the port."""

import json
import sqlite3
from typing import Final

from exchange.storage.engine import Database
from exchange.storage.node_rows import insert_record, message_of
from exchange.storage.node_values import HeldRecord, IndexRow, RecordRow

_ROW: Final = "SELECT m.id AS message, m.measure, m.record_type, m.ministry, length(m.sealed_manifest) AS size"
# What ended before the relay accepted it never reached anybody, so that its record may be sent anew under its own id.
_COUNTS: Final = (
    "(m.box = 'inbox' OR m.state NOT IN ('refused', 'expired')"
    " OR EXISTS (SELECT 1 FROM outbox o WHERE o.message = m.id AND o.receipt IS NOT NULL))"
)
# Whoever may send a Provision can send it without end; the first that came tell when it was accepted.
_MOST_RECEIPTS: Final = 64
# Upwards first, then downwards: who names two matters draws neither into the other. A limit inside ends the recursion.
_AROUND: Final = """
WITH RECURSIVE
    up (id) AS (
        SELECT value FROM json_each(:ids)
        UNION
        SELECT n.named FROM up JOIN records r ON r.record_id = up.id JOIN record_names n ON n.message = r.message
        LIMIT :most
    ),
    down (id) AS (
        SELECT id FROM up
        UNION
        SELECT r.record_id FROM down JOIN record_names n ON n.named = down.id JOIN records r ON r.message = n.message
        LIMIT :most
    )
SELECT id FROM down
"""


class SqliteRecords:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def around(self, record_ids: tuple[str, ...], limit: int) -> tuple[RecordRow, ...] | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[RecordRow, ...] | None:
            values = {"ids": json.dumps(record_ids), "most": limit + 1}
            ids = [row["id"] for row in connection.execute(_AROUND, values)]
            if len(ids) > limit:
                return None
            rows = connection.execute(
                f"{_ROW} FROM records r JOIN messages m ON m.id = r.message"  # noqa: S608  fixed texts; values are bound
                f" WHERE r.record_id IN (SELECT value FROM json_each(?)) AND {_COUNTS} ORDER BY m.seq LIMIT ?",
                (json.dumps(ids), limit + 1),
            )
            return _within(rows, limit)

        return await self._db.read(job)

    async def about(
        self, measures: tuple[str, ...] | None, record_type: str | None, limit: int
    ) -> tuple[RecordRow, ...] | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[RecordRow, ...] | None:
            rows = connection.execute(
                f"{_ROW} FROM messages m JOIN records r ON r.message = m.id"  # noqa: S608  fixed texts; values are bound
                " WHERE (:measures IS NULL OR m.measure IN (SELECT value FROM json_each(:measures)))"
                f" AND (:type IS NULL OR m.record_type = :type) AND {_COUNTS} ORDER BY m.seq LIMIT :most",
                {
                    "measures": None if measures is None else json.dumps(measures),
                    "type": record_type,
                    "most": limit + 1,
                },
            )
            return _within(rows, limit)

        return await self._db.read(job)

    async def held(self, messages: tuple[bytes, ...]) -> tuple[HeldRecord, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[HeldRecord, ...]:
            found = (_held(connection, message) for message in messages)
            return tuple(record for record in found if record is not None)

        return await self._db.read(job)

    async def due(self, after: bytes, limit: int) -> tuple[bytes, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[bytes, ...]:
            rows = connection.execute(
                "SELECT message FROM records_due WHERE message > ? ORDER BY message LIMIT ?", (after, limit)
            )
            return tuple(row["message"] for row in rows)

        return await self._db.read(job)

    async def index(self, rows: tuple[IndexRow, ...]) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            for row in rows:
                insert_record(connection, row)
                connection.execute("DELETE FROM records_due WHERE message = ?", (row.message,))

        await self._db.write(job)


def _within(rows: sqlite3.Cursor, limit: int) -> tuple[RecordRow, ...] | None:
    found = tuple(RecordRow(**dict(row)) for row in rows)
    return found if len(found) <= limit else None


def _held(connection: sqlite3.Connection, message: bytes) -> HeldRecord | None:
    row = connection.execute("SELECT * FROM messages WHERE id = ?", (message,)).fetchone()
    if row is None:
        return None
    if row["box"] == "inbox":
        receipts = connection.execute(
            "SELECT receipt FROM received WHERE provision = ? AND outcome IN ('delivered', 'repeated')"
            " ORDER BY time LIMIT ?",
            (row["provision"], _MOST_RECEIPTS),
        )
    else:
        receipts = connection.execute(
            "SELECT receipt FROM outbox WHERE message = ? AND receipt IS NOT NULL ORDER BY created", (message,)
        )
    acknowledgements = connection.execute(
        "SELECT acknowledgement FROM recipients WHERE message = ? AND acknowledgement IS NOT NULL ORDER BY member",
        (message,),
    )
    return HeldRecord(
        message_of(connection, row),
        tuple(found["receipt"] for found in receipts),
        tuple(found["acknowledgement"] for found in acknowledgements),
    )
