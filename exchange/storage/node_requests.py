"""Requests for consent and their answers in SQLite: `RequestStore` of the port."""

import sqlite3

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event, take_due
from exchange.storage.node_grants import insert_grant
from exchange.storage.node_idempotency import keep_key, stored_for
from exchange.storage.node_outbox import insert_queued
from exchange.storage.node_request_rows import (
    insert_request,
    request_row,
    request_rows,
    take_answer,
    tell_request,
)
from exchange.storage.node_values import Idempotency, Message
from exchange.storage.request_port import IN, OPEN, OUT, Reply, StoredAnswer, StoredRequest


class SqliteRequests:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def add_request(
        self, request: StoredRequest, outgoing: Message, event: ConsentEvent, idempotency: Idempotency | None
    ) -> bytes:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes:
            stored = stored_for(connection, idempotency)
            if stored is not None:
                return stored
            keep_key(connection, idempotency, request.id)
            insert_request(connection, request)
            insert_queued(connection, outgoing)
            insert_consent_event(connection, event)
            return request.id

        return await self._db.write(job)

    async def save_request(self, due: bytes, request: StoredRequest, event: ConsentEvent, reply: Reply | None) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not take_due(connection, due, None) or request_row(connection, IN, request.id) is not None:
                return False
            insert_request(connection, request)
            insert_consent_event(connection, event)
            tell_request(connection, request, OPEN)
            if reply is not None:
                _reply(connection, request.id, reply)
            return True

        return await self._db.write(job)

    async def request(self, box: str, ident: bytes) -> StoredRequest | None:
        """See the port."""
        return await self._db.read(lambda connection: request_row(connection, box, ident))

    async def requests(self, box: str, after: int, limit: int) -> tuple[StoredRequest, ...]:
        """See the port."""
        return await self._db.read(
            lambda c: request_rows(c, "box = ? AND seq > ? ORDER BY seq LIMIT ?", (box, after, limit))
        )

    async def waiting_from(self, member: str, since: int) -> tuple[int, int]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[int, int]:
            row = connection.execute(
                "SELECT coalesce(sum(state = 'open'), 0) AS open, coalesce(sum(created >= ?), 0) AS recent"
                " FROM consent_requests WHERE box = 'in' AND member = ?",
                (since, member),
            ).fetchone()
            return row["open"], row["recent"]

        return await self._db.read(job)

    async def answer(self, request: bytes, reply: Reply, idempotency: Idempotency | None) -> bytes | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes | None:
            made = request if reply.given is None else reply.given.id
            stored = stored_for(connection, idempotency)
            if stored is not None:
                return stored
            if not _reply(connection, request, reply):
                return None
            keep_key(connection, idempotency, made)
            return made

        return await self._db.write(job)

    async def save_refused(self, due: bytes, request: bytes, answer: StoredAnswer, event: ConsentEvent) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not take_due(connection, due, None) or not take_answer(connection, OUT, request, answer):
                return False
            insert_consent_event(connection, event)
            return True

        return await self._db.write(job)

    async def due_requests(self, box: str, remind_by: int, now: int, limit: int) -> tuple[StoredRequest, ...]:
        """See the port."""
        clause = "box = ? AND state = 'open' AND (answer_by < ? OR told = 0 AND answer_by <= ?)"
        return await self._db.read(
            lambda c: request_rows(c, f"{clause} ORDER BY answer_by LIMIT ?", (box, now, remind_by, limit))
        )

    async def timed(self, request: StoredRequest, state: str, event: ConsentEvent) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            moved = connection.execute(
                "UPDATE consent_requests SET state = ?, told = 1 WHERE box = ? AND id = ? AND state = 'open'",
                (state, request.box, request.id),
            )
            if moved.rowcount:
                insert_consent_event(connection, event)
                if state != OPEN:
                    tell_request(connection, request, state)

        await self._db.write(job)


def _reply(connection: sqlite3.Connection, request: bytes, reply: Reply) -> bool:
    if not take_answer(connection, IN, request, reply.answer):
        return False
    if reply.given is not None:
        insert_grant(connection, reply.given)
    insert_queued(connection, reply.outgoing)
    insert_consent_event(connection, reply.event)
    return True
