"""Evidence about sent envelopes in SQLite: `EvidenceStore` of the port."""

import sqlite3

from exchange.delivery.state import MessageState, RecipientState, recipient_may_move
from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.node_moves import give_back_uses, move_message, move_recipient, move_recipients, settle_message
from exchange.storage.node_rows import envelope_of, insert_event, stream_out_of
from exchange.storage.node_values import OutboxEnvelope, SettledStream, StreamOut
from schemas.limits import MAX_RECENT

# A head may state this many voids; older ones were stated by the heads before.
_MAX_VOIDS = 256


class SqliteEvidence:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def envelope(self, envelope: bytes) -> OutboxEnvelope | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> OutboxEnvelope | None:
            row = connection.execute("SELECT * FROM outbox WHERE envelope = ?", (envelope,)).fetchone()
            return None if row is None else envelope_of(row)

        return await self._db.read(job)

    async def save_acknowledgement(self, envelope: bytes, member: str, state: str, ack: bytes, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT message, state, envelope, header_digest FROM outbox WHERE envelope = ?", (envelope,)
            ).fetchone()
            # A recipient that refuses what the relay should not have delivered leaves the envelope in its place open.
            if row is None or (row["state"] == "superseded" and state != RecipientState.DELIVERED):
                return
            if row["message"] is None:
                _answer_to_resent(connection, row, member, state, ack, now)
                connection.execute(
                    "UPDATE heads SET acknowledgement = ?"
                    " WHERE sender = '' AND envelope = ? AND acknowledgement IS NULL",
                    (ack, envelope),
                )
                return
            message = row["message"]
            if move_recipient(connection, message, member, RecipientState(state), now):
                insert_event(connection, message, "message.recipient", box="outbox", member=member, state=state)
                settle_message(connection, message)
            # The first is the one that counts, also when it moves nothing.
            first = connection.execute(
                "UPDATE recipients SET acknowledgement = ? WHERE message = ? AND member = ?"
                " AND acknowledgement IS NULL",
                (ack, message, member),
            ).rowcount
            if first:
                insert_fact(connection, node_facts.answered(row, message, member, state, ack, now))

        await self._db.write(job)

    async def expire(self, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            rows = connection.execute(
                "SELECT id, state FROM messages WHERE box = 'outbox' AND state IN ('queued', 'accepted')"
                " AND expires <= ? LIMIT 1000",
                (now,),
            ).fetchall()
            for row in rows:
                move_recipients(connection, row["id"], RecipientState.EXPIRED, now)
                if row["state"] == "queued":
                    move_message(connection, row["id"], MessageState.EXPIRED)
                    give_back_uses(connection, row["id"])
                else:
                    settle_message(connection, row["id"])
                _expired(connection, row, now)

        await self._db.write(job)

    async def settled(self, stream: bytes) -> SettledStream:
        """See the port."""

        def job(connection: sqlite3.Connection) -> SettledStream:
            first_open = connection.execute(
                "SELECT min(number) FROM numbers_out WHERE stream = ? AND settled = 0", (stream,)
            ).fetchone()[0]
            row = connection.execute(
                "SELECT number, digest FROM numbers_out WHERE stream = ? AND number < ? ORDER BY number DESC LIMIT 1",
                (stream, first_open if first_open is not None else 2**62),
            ).fetchone()
            if row is None:
                return SettledStream(stream, 0, bytes(32), ())
            voids = connection.execute(
                "SELECT number, settled - 1 AS reason FROM numbers_out WHERE stream = ? AND number <= ?"
                " AND settled > 1 ORDER BY number DESC LIMIT ?",
                (stream, row["number"], _MAX_VOIDS),
            ).fetchall()
            pairs = tuple((void["number"], void["reason"]) for void in reversed(voids))
            last, digest = row["number"], row["digest"]
            return SettledStream(stream, last, digest, pairs, _recent(connection, stream, last))

        return await self._db.read(job)

    async def heads_due(self, now: int) -> tuple[StreamOut, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[StreamOut, ...]:
            rows = connection.execute("SELECT * FROM streams_out WHERE kind IN (1, 3) AND head_due <= ?", (now,))
            return tuple(stream_out_of(row) for row in rows)

        return await self._db.read(job)

    async def move_head_due(self, stream: bytes, was: int | None, due: int) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "UPDATE streams_out SET head_due = ? WHERE stream = ? AND head_due IS ?", (due, stream, was)
            )
        )

    async def undelivered(self, accepted_before: int) -> tuple[tuple[bytes, str], ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[tuple[bytes, str], ...]:
            rows = connection.execute(
                "SELECT message, member FROM recipients WHERE state = 'accepted' AND changed < ? LIMIT 1000",
                (accepted_before,),
            )
            return tuple((row["message"], row["member"]) for row in rows)

        return await self._db.read(job)


def _recent(connection: sqlite3.Connection, stream: bytes, last: int) -> tuple[bytes, ...]:
    """Digests of the headers with the numbers before `last`, without a gap."""
    rows = connection.execute(
        "SELECT number, digest FROM numbers_out WHERE stream = ? AND number < ? ORDER BY number DESC LIMIT ?",
        (stream, last, MAX_RECENT),
    )
    found = [row["digest"] for place, row in enumerate(rows, 1) if row["number"] == last - place]
    return tuple(reversed(found))


def _expired(connection: sqlite3.Connection, was: sqlite3.Row, now: int) -> None:
    """Write it down, if it has moved: what does not move comes up again a second later."""
    state = connection.execute("SELECT state FROM messages WHERE id = ?", (was["id"],)).fetchone()["state"]
    if state != was["state"]:
        insert_fact(connection, node_facts.expired(was["id"], was["state"] != "queued", now))


def _answer_to_resent(
    connection: sqlite3.Connection, envelope: sqlite3.Row, member: str, state: str, ack: bytes, now: int
) -> None:
    """What was sent anew and is delivered counts, whatever the recipient answered to the envelope before."""
    row = connection.execute(
        "SELECT message FROM resends WHERE envelope = ? AND member = ?", (envelope["envelope"], member)
    ).fetchone()
    if row is None or state != RecipientState.DELIVERED:
        return
    standing = connection.execute(
        "SELECT state FROM recipients WHERE message = ? AND member = ?", (row["message"], member)
    ).fetchone()
    if standing is not None and recipient_may_move(RecipientState(standing["state"]), RecipientState(state), False):
        connection.execute(
            "UPDATE recipients SET state = ?, changed = ?, acknowledgement = ? WHERE message = ? AND member = ?",
            (state, now, ack, row["message"], member),
        )
        insert_fact(connection, node_facts.answered(envelope, row["message"], member, state, ack, now))
        insert_event(connection, row["message"], "message.recipient", box="outbox", member=member, state=state)
        settle_message(connection, row["message"])
