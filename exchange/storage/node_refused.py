"""Refused transfers in the node's store in SQLite: `RefusedStore` of the refused port."""

import sqlite3

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event, take_due
from exchange.storage.node_rows import insert_alarm, join_blobs, split_blobs
from exchange.storage.node_values import Alarm
from exchange.storage.refused_port import RefusedBounds, Saved, StoredRefusal
from schemas.limits import DAY


class SqliteRefused:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def save(
        self, row: StoredRefusal, alarm: Alarm, event: ConsentEvent, bounds: RefusedBounds, due: bytes | None
    ) -> Saved:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Saved:
            if due is not None and not take_due(connection, due, None):
                return Saved.KNOWN
            known = connection.execute(
                "SELECT 1 FROM refused_transfers WHERE digest = ? AND source = ?", (row.digest, row.source)
            )
            if known.fetchone() is not None:
                return Saved.KNOWN
            if _is_full(connection, row, bounds):
                return Saved.FULL
            _insert(connection, row)
            insert_alarm(connection, alarm)
            insert_consent_event(connection, event)
            return Saved.NEW

        return await self._db.write(job)

    async def refused(self, after: int, limit: int) -> tuple[StoredRefusal, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[StoredRefusal, ...]:
            rows = connection.execute(
                "SELECT * FROM refused_transfers WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
            )
            return tuple(_refusal_of(row) for row in rows)

        return await self._db.read(job)


def _is_full(connection: sqlite3.Connection, row: StoredRefusal, bounds: RefusedBounds) -> bool:
    today, held = connection.execute(
        "SELECT count(*) FILTER (WHERE received > ?), coalesce(sum(size), 0) FROM refused_transfers WHERE sender = ?",
        (row.received - DAY, row.sender),
    ).fetchone()
    return bool(today >= bounds.daily or held + len(row.header) > bounds.sender_bytes)


def _insert(connection: sqlite3.Connection, row: StoredRefusal) -> None:
    connection.execute(
        "INSERT INTO refused_transfers (digest, source, sender, recipients, provisions, rule, header, size, receipt,"
        " time, received, judgement) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.digest,
            row.source,
            row.sender,
            ",".join(row.recipients),
            join_blobs(row.provisions),
            row.rule,
            row.header,
            len(row.header),
            row.receipt,
            row.time,
            row.received,
            row.judgement,
        ),
    )


def _refusal_of(row: sqlite3.Row) -> StoredRefusal:
    return StoredRefusal(
        digest=row["digest"],
        source=row["source"],
        sender=row["sender"],
        recipients=tuple(row["recipients"].split(",")),
        provisions=split_blobs(row["provisions"]),
        rule=row["rule"],
        header=row["header"],
        receipt=row["receipt"],
        time=row["time"],
        received=row["received"],
        judgement=row["judgement"],
        seq=row["seq"],
    )
