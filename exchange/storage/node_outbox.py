"""The node's outbox in SQLite: `OutboxStore` of the port."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace

from exchange.delivery.state import MessageState, RecipientState
from exchange.errors import Conflict, NotFound
from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.node_idempotency import keep_key, stored_for
from exchange.storage.node_moves import (
    due_again,
    give_back_uses,
    move_message,
    move_recipients,
    settle_message,
    void_numbers,
)
from exchange.storage.node_rows import (
    envelope_of,
    insert_event,
    insert_message,
    is_destroyed,
    message_of,
    stream_out_of,
)
from exchange.storage.node_values import Idempotency, Message, OutboxEnvelope, Place, StreamOut
from schemas.content import VoidReason


class SqliteOutbox:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def add_message(self, message: Message, idempotency: Idempotency | None) -> bytes:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes:
            stored = stored_for(connection, idempotency)
            if stored is not None:
                return stored
            keep_key(connection, idempotency, message.id)
            if is_destroyed(connection, message.provision):
                raise NotFound("message-destroyed", "its content was destroyed meanwhile: there is nothing to send")
            if connection.execute("SELECT 1 FROM messages WHERE id = ?", (message.id,)).fetchone() is None:
                insert_queued(connection, message)
            return message.id

        return await self._db.write(job)

    async def stored_for(self, idempotency: Idempotency) -> bytes | None:
        """See the port."""
        return await self._db.read(lambda connection: stored_for(connection, idempotency))

    async def queued(self, now: int, limit: int) -> tuple[Message, ...]:
        """See the port."""
        clause = "waits IS NULL ORDER BY precedence, seq LIMIT ?"
        return await self._db.read(lambda c: _due(c, clause, (now, now, limit)))

    async def waiting(self, now: int, after: int, limit: int) -> tuple[Message, ...]:
        """See the port."""
        clause = "waits IS NOT NULL AND seq > ? ORDER BY seq LIMIT ?"
        return await self._db.read(lambda c: _due(c, clause, (now, now, after, limit)))

    async def set_waits(self, message: bytes, why: str | None) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute("UPDATE messages SET waits = ? WHERE id = ? AND state = 'queued'", (why, message))
        )

    async def streams_out(self, kind: int) -> Mapping[str, StreamOut]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> dict[str, StreamOut]:
            rows = connection.execute("SELECT * FROM streams_out WHERE kind = ?", (kind,))
            return {row["recipient"]: stream_out_of(row) for row in rows}

        return await self._db.read(job)

    async def save_sealed(self, envelope: OutboxEnvelope, places: tuple[Place, ...]) -> None:
        """See the port."""
        await self._db.write(lambda c: insert_sealed(c, envelope, places))

    async def to_send(self, now: int, limit: int) -> tuple[OutboxEnvelope, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[OutboxEnvelope, ...]:
            rows = connection.execute(
                "SELECT * FROM outbox WHERE state = 'sealed' AND next_try <= ? ORDER BY precedence, created LIMIT ?",
                (now, limit),
            )
            return tuple(envelope_of(row) for row in rows)

        return await self._db.read(job)

    async def to_expire(self, now: int, limit: int) -> tuple[bytes, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[bytes, ...]:
            rows = connection.execute(
                "SELECT envelope FROM outbox WHERE state = 'sealed' AND expires <= ? LIMIT ?", (now, limit)
            )
            return tuple(row["envelope"] for row in rows)

        return await self._db.read(job)

    async def save_accepted(self, envelope: bytes, receipt: bytes, now: int, relay_time: int | None = None) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            row = _leave_sealed(connection, envelope, "accepted", None)
            if row is None:
                return
            insert_fact(connection, node_facts.relayed(row, receipt, relay_time, now))
            connection.execute("UPDATE outbox SET receipt = ?, body = NULL WHERE envelope = ?", (receipt, envelope))
            connection.execute("UPDATE numbers_out SET settled = 1 WHERE envelope = ?", (envelope,))
            if row["message"] is not None:
                move_message(connection, row["message"], MessageState.ACCEPTED)
                move_recipients(connection, row["message"], RecipientState.ACCEPTED, now)
                # Acknowledgements may have overtaken the receipt.
                settle_message(connection, row["message"])

        await self._db.write(job)

    async def try_now(self) -> None:
        """See the port."""
        await self._db.write(lambda c: c.execute("UPDATE outbox SET next_try = 0 WHERE state = 'sealed'"))

    async def save_failed(self, envelope: bytes, fault: str, next_try: int) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "UPDATE outbox SET fault = ?, next_try = ?, attempts = attempts + 1"
                " WHERE envelope = ? AND state = 'sealed'",
                (fault, next_try, envelope),
            )
        )

    async def save_final(self, envelope: bytes, state: str, reason: int, fault: str, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            row = _leave_sealed(connection, envelope, state, fault)
            if row is None:
                return
            void_numbers(connection, envelope, reason, now)
            refused = state == MessageState.REFUSED
            # `fault` begins with the relay's code.
            why = fault.partition(":")[0] if refused else node_facts.NOT_RELAYED
            insert_fact(connection, node_facts.not_relayed(row, refused, why, fault, now))
            if row["message"] is not None:
                move_message(connection, row["message"], MessageState(state), fault)
                move_recipients(connection, row["message"], RecipientState(state), now)
                give_back_uses(connection, row["message"])

        await self._db.write(job)

    async def save_superseded(self, envelope: bytes, fault: str, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            row = _leave_sealed(connection, envelope, "superseded", fault)
            if row is None:
                return
            void_numbers(connection, envelope, VoidReason.SUPERSEDED, now)
            insert_fact(connection, node_facts.not_relayed(row, True, "superseded", fault, now))
            if row["message"] is not None:
                move_message(connection, row["message"], MessageState.QUEUED)
            else:
                due_again(connection, envelope, now)

        await self._db.write(job)


def insert_queued(connection: sqlite3.Connection, message: Message) -> None:
    """Inside a transaction: a message that is to be sealed."""
    insert_message(connection, message)
    insert_event(connection, message.id, "message.state", box="outbox", state=message.state)


def insert_sealed(connection: sqlite3.Connection, envelope: OutboxEnvelope, places: tuple[Place, ...]) -> None:
    """A sealed envelope with its numbers, once; its message becomes sealed. Raises Conflict."""
    standing = connection.execute(
        "SELECT header_digest FROM outbox WHERE envelope = ?", (envelope.envelope,)
    ).fetchone()
    if standing is not None:
        if standing["header_digest"] != envelope.header_digest:
            raise Conflict("envelope-id-used", "another envelope is sealed under this id: seal it anew")
        return
    if envelope.message is not None:
        require_kept(connection, envelope.message)
    connection.execute(
        "INSERT INTO outbox (envelope, message, state, precedence, created, expires, header, header_digest,"
        " body) VALUES (?, ?, 'sealed', ?, ?, ?, ?, ?, ?)",
        (
            envelope.envelope,
            envelope.message,
            envelope.precedence,
            envelope.created,
            envelope.expires,
            envelope.header,
            envelope.header_digest,
            envelope.body,
        ),
    )
    for place in places:
        _take_number(connection, envelope, place)
        insert_fact(connection, node_facts.sealed(envelope, place))
    if envelope.message is not None:
        move_message(connection, envelope.message, MessageState.SEALED)


def require_kept(connection: sqlite3.Connection, message: bytes) -> None:
    """Raises Conflict for a message whose content was destroyed while its envelope was made."""
    if connection.execute("SELECT 1 FROM destroyed WHERE message = ?", (message,)).fetchone() is not None:
        raise Conflict("message-destroyed", "its content was destroyed meanwhile: there is nothing to send")


def _due(connection: sqlite3.Connection, clause: str, values: tuple[int, ...]) -> tuple[Message, ...]:
    """Queued messages that may be sealed now and to which `clause` applies."""
    rows = connection.execute(
        f"SELECT * FROM messages WHERE state = 'queued' AND due <= ? AND expires > ? AND {clause}",  # noqa: S608  fixed texts
        values,
    ).fetchall()
    return tuple(replace(message_of(connection, row), replaces=_superseded(connection, row["id"])) for row in rows)


def _superseded(connection: sqlite3.Connection, message: bytes) -> bytes | None:
    """The last envelope of a message that is to be sealed anew."""
    row = connection.execute(
        "SELECT envelope FROM outbox WHERE message = ? AND state = 'superseded' ORDER BY created DESC, envelope DESC",
        (message,),
    ).fetchone()
    return None if row is None else bytes(row["envelope"])


def _take_number(connection: sqlite3.Connection, envelope: OutboxEnvelope, place: Place) -> None:
    """A number is used once. Raises Conflict when another envelope has it."""
    taken = connection.execute(
        "SELECT 1 FROM numbers_out WHERE stream = ? AND number = ?", (place.stream, place.number)
    ).fetchone()
    if taken is not None:
        raise Conflict("number-used", "another envelope took this number of its stream: seal it anew")
    connection.execute(
        "INSERT INTO numbers_out (stream, number, envelope, recipient, digest) VALUES (?, ?, ?, ?, ?)",
        (place.stream, place.number, envelope.envelope, place.recipient, envelope.header_digest),
    )
    connection.execute(
        "INSERT INTO streams_out (recipient, kind, stream, last, digest, head_due) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (recipient, kind) DO UPDATE SET stream = excluded.stream, last = excluded.last,"
        # A void may have brought the head forward since the caller looked.
        " digest = excluded.digest, head_due = min(head_due, excluded.head_due)",
        (place.recipient, place.kind, place.stream, place.number, envelope.header_digest, place.head_due),
    )


def _leave_sealed(connection: sqlite3.Connection, envelope: bytes, state: str, fault: str | None) -> sqlite3.Row | None:
    """Move an envelope out of `sealed`; None when it has left it already."""
    row: sqlite3.Row | None = connection.execute(
        "SELECT envelope, message, header_digest FROM outbox WHERE envelope = ? AND state = 'sealed'", (envelope,)
    ).fetchone()
    if row is not None:
        connection.execute("UPDATE outbox SET state = ?, fault = ? WHERE envelope = ?", (state, fault, envelope))
    return row
