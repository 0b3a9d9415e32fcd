"""What ministries see, and tokens and directory, in SQLite: `ViewStore` and `AccessStore` of the port."""

import sqlite3
from collections.abc import Mapping

from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.node_rows import CONTENT_FILES, envelope_of, message_of, received_of, token_of
from exchange.storage.node_values import (
    Event,
    Message,
    OutboxEnvelope,
    ReceivedEnvelope,
    RecipientRow,
    Token,
)
from schemas.registry import AGREED_ELSEWHERE


class SqliteViews:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def message(self, message: bytes) -> Message | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Message | None:
            row = connection.execute("SELECT * FROM messages WHERE id = ?", (message,)).fetchone()
            return None if row is None else message_of(connection, row)

        return await self._db.read(job)

    async def messages(
        self, box: str, after: int, limit: int, measures: tuple[str, ...], ministry: str | None
    ) -> tuple[Message, ...]:
        """See the port."""
        allowed, values = measure_clause(measures)
        whose = "" if ministry is None else " AND ministry = ?"

        def job(connection: sqlite3.Connection) -> tuple[Message, ...]:
            rows = connection.execute(
                "SELECT * FROM messages WHERE box = ? AND kind = 1 AND seq > ?"  # noqa: S608  # fixed text; values are bound
                f" AND {allowed}{whose} ORDER BY seq LIMIT ?",
                (box, after, *values, *(() if ministry is None else (ministry,)), limit),
            ).fetchall()
            return tuple(message_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def recipients(self, message: bytes) -> tuple[RecipientRow, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[RecipientRow, ...]:
            rows = connection.execute(
                "SELECT member, state, changed, acknowledgement FROM recipients WHERE message = ? ORDER BY member",
                (message,),
            )
            return tuple(RecipientRow(**dict(row)) for row in rows)

        return await self._db.read(job)

    async def envelopes_of(self, message: bytes) -> tuple[OutboxEnvelope, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[OutboxEnvelope, ...]:
            rows = connection.execute("SELECT * FROM outbox WHERE message = ? ORDER BY created", (message,))
            return tuple(envelope_of(row) for row in rows)

        return await self._db.read(job)

    async def received_of(self, provision: bytes, most: int = -1) -> tuple[ReceivedEnvelope, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[ReceivedEnvelope, ...]:
            rows = connection.execute(
                "SELECT * FROM received WHERE provision = ? AND outcome IN ('delivered', 'repeated') ORDER BY time"
                " LIMIT ?",
                (provision, most),
            )
            return tuple(received_of(row) for row in rows)

        return await self._db.read(job)

    async def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Event, ...]:
            rows = connection.execute(
                "SELECT e.seq, e.message, e.type, e.data, m.measure, m.record_type, m.ministry FROM events e"
                " JOIN messages m ON m.id = e.message WHERE e.seq > ? AND m.kind = 1 ORDER BY e.seq LIMIT ?",
                (after, limit),
            )
            return tuple(Event(**dict(row)) for row in rows)

        return await self._db.read(job)

    async def counts(self) -> Mapping[str, int]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> dict[str, int]:
            rows = connection.execute(
                "SELECT iif(kind = 1, '', 'consent-') || box || '.' || state AS name, count(*) AS n"
                " FROM messages GROUP BY name"
            )
            counts = {row["name"]: row["n"] for row in rows}
            counts["alarms"] = connection.execute("SELECT count(*) FROM alarms").fetchone()[0]
            return counts

        return await self._db.read(job)

    async def files(self) -> tuple[frozenset[str], frozenset[bytes]]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[frozenset[str], frozenset[bytes]]:
            files = connection.execute(CONTENT_FILES)
            spooled = connection.execute("SELECT envelope FROM outbox WHERE state = 'sealed' AND body IS NULL")
            return frozenset(row["file"] for row in files), frozenset(row["envelope"] for row in spooled)

        return await self._db.read(job)


class SqliteAccess:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def add_token(self, token: Token) -> None:
        """See the port."""
        values = (
            token.id,
            token.hash,
            token.ministry,
            ",".join(token.scopes),
            ",".join(token.measures),
            token.created,
        )

        def job(connection: sqlite3.Connection) -> None:
            added = connection.execute(
                "INSERT OR IGNORE INTO tokens (id, hash, ministry, scopes, measures, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            if added.rowcount:
                insert_fact(connection, node_facts.operated("token-added", token.created, token.id.encode()))

        await self._db.write(job)

    async def token(self, token_id: str) -> Token | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Token | None:
            row = connection.execute("SELECT * FROM tokens WHERE id = ?", (token_id,)).fetchone()
            return None if row is None else token_of(row)

        return await self._db.read(job)

    async def tokens(self) -> tuple[Token, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Token, ...]:
            return tuple(token_of(row) for row in connection.execute("SELECT * FROM tokens ORDER BY created, id"))

        return await self._db.read(job)

    async def revoke_token(self, token_id: str, now: int) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            revoked = connection.execute(
                "UPDATE tokens SET revoked = ? WHERE id = ? AND revoked IS NULL", (now, token_id)
            ).rowcount
            if revoked:
                insert_fact(connection, node_facts.operated("token-revoked", now, token_id.encode()))
            return revoked == 1

        return await self._db.write(job)

    async def directory(self) -> tuple[bytes, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[bytes, ...]:
            return tuple(row["entry"] for row in connection.execute("SELECT entry FROM directory ORDER BY position"))

        return await self._db.read(job)

    async def append_directory(self, position: int, entries: tuple[bytes, ...]) -> None:
        """See the port."""
        rows = [(position + offset, entry) for offset, entry in enumerate(entries)]
        await self._db.write(
            lambda c: c.executemany("INSERT OR IGNORE INTO directory (position, entry) VALUES (?, ?)", rows)
        )


def measure_clause(patterns: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """SQL for "one of these measures", as `exchange.node.request.may_use_measure` has it."""
    name = f"CASE measure WHEN '{AGREED_ELSEWHERE}' THEN measure || ':' || record_type ELSE measure END"
    parts = [f"{name} GLOB ?" if pattern.endswith("*") else f"{name} = ?" for pattern in patterns]
    return f"({' OR '.join(parts)})", patterns
