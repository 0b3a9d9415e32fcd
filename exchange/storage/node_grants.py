"""Grants and their uses in SQLite: `GrantStore` of the port."""

import sqlite3
from typing import Final

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event, take_due
from exchange.storage.node_idempotency import keep_key, stored_for
from exchange.storage.node_outbox import insert_queued
from exchange.storage.node_request_rows import take_answer
from exchange.storage.node_rows import message_of
from exchange.storage.node_values import GrantUse, Idempotency, Message
from exchange.storage.request_port import GRANTED, OUT, StoredAnswer, StoredGrant

_WITH_USES: Final = (
    "SELECT g.*, (SELECT count(*) FROM (SELECT DISTINCT recipient, provision FROM consent_uses u"
    " WHERE g.box = 'held' AND u.provider = g.provider AND u.grant_id = g.id)) AS used FROM consent_grants g"
)


class SqliteGrants:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def give(
        self, grant: StoredGrant, outgoing: Message, event: ConsentEvent, idempotency: Idempotency | None
    ) -> bytes:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes:
            stored = stored_for(connection, idempotency)
            if stored is not None:
                return stored
            keep_key(connection, idempotency, grant.id)
            insert_grant(connection, grant)
            insert_queued(connection, outgoing)
            insert_consent_event(connection, event)
            return grant.id

        return await self._db.write(job)

    async def save_given(self, due: bytes, grant: StoredGrant, event: ConsentEvent) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not take_due(connection, due, None) or not insert_grant(connection, grant):
                return False
            if grant.request is not None:
                answer = StoredAnswer(grant.provider, GRANTED, grant=grant.id, time=event.time)
                take_answer(connection, OUT, grant.request, answer)
            insert_consent_event(connection, event)
            return True

        return await self._db.write(job)

    async def grant(self, box: str, provider: str, ident: bytes) -> StoredGrant | None:
        """See the port."""
        found = await self._select("g.box = ? AND g.provider = ? AND g.id = ?", (box, provider, ident))
        return found[0] if found else None

    async def grants(self, box: str, after: int, limit: int) -> tuple[StoredGrant, ...]:
        """See the port."""
        return await self._select("g.box = ? AND g.seq > ? ORDER BY g.seq LIMIT ?", (box, after, limit))

    async def about(
        self, box: str, provider: str, names: tuple[bytes, ...], now: int, limit: int
    ) -> tuple[StoredGrant, ...]:
        """See the port."""
        marks = ", ".join("?" * len(names))
        return await self._select(
            f"g.box = ? AND g.provider = ? AND (g.provision IN ({marks}) OR g.class_tag IN ({marks}))"
            " AND g.until >= ? ORDER BY g.seq DESC LIMIT ?",
            (box, provider, *names, *names, now, limit),
        )

    async def unasked(self, provider: str, now: int) -> int:
        """See the port."""

        def job(connection: sqlite3.Connection) -> int:
            count: int = connection.execute(
                "SELECT count(*) FROM consent_grants"
                " WHERE box = 'held' AND provider = ? AND until >= ? AND request IS NULL",
                (provider, now),
            ).fetchone()[0]
            return count

        return await self._db.read(job)

    async def uses(self, grants: tuple[tuple[str, bytes], ...]) -> tuple[GrantUse, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[GrantUse, ...]:
            found: list[GrantUse] = []
            for name in grants:
                rows = connection.execute(
                    "SELECT DISTINCT provider, grant_id, recipient, provision FROM consent_uses"
                    " WHERE provider = ? AND grant_id = ?",
                    name,
                )
                found += [GrantUse(*row) for row in rows]
            return tuple(found)

        return await self._db.read(job)

    async def under(self, name: bytes, limit: int) -> tuple[Message, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Message, ...]:
            rows = connection.execute(
                "SELECT * FROM messages WHERE box = 'inbox' AND kind = 1 AND instr(signed_provisions, ?) > 0"
                " ORDER BY seq DESC LIMIT ?",
                (name, limit),
            ).fetchall()
            return tuple(message_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def _select(self, clause: str, values: tuple[str | bytes | int, ...]) -> tuple[StoredGrant, ...]:
        def job(connection: sqlite3.Connection) -> tuple[StoredGrant, ...]:
            rows = connection.execute(f"{_WITH_USES} WHERE {clause}", values)
            return tuple(StoredGrant(**dict(row)) for row in rows)

        return await self._db.read(job)


def insert_grant(connection: sqlite3.Connection, grant: StoredGrant) -> bool:
    """Inside a transaction: a Grant, once. False when it is here."""
    new = connection.execute(
        "INSERT OR IGNORE INTO consent_grants (box, provider, id, holder, provision, class_tag, until, uses, signed,"
        " request, message, measure, record_type, created, official)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            grant.box,
            grant.provider,
            grant.id,
            grant.holder,
            grant.provision,
            grant.class_tag,
            grant.until,
            grant.uses,
            grant.signed,
            grant.request,
            grant.message,
            grant.measure,
            grant.record_type,
            grant.created,
            grant.official,
        ),
    )
    return new.rowcount == 1
