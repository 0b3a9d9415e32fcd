"""The node's inbox in SQLite: `InboxStore` of the port."""

import json
import sqlite3

from exchange.delivery.streams import MAX_STREAMS, StreamState, announce, open_since, settle
from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.node_rows import (
    insert_alarm,
    insert_event,
    insert_message,
    is_destroyed,
    join_blobs,
    received_of,
    split_blobs,
)
from exchange.storage.node_values import Alarm, Arrival, LateStream, Message, ReceivedEnvelope
from schemas.content import ContentKind
from schemas.limits import DAY


class SqliteInbox:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def received(self, sender: str, envelope: bytes) -> ReceivedEnvelope | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> ReceivedEnvelope | None:
            row = connection.execute(
                "SELECT * FROM received WHERE sender = ? AND envelope = ?", (sender, envelope)
            ).fetchone()
            return None if row is None else received_of(row)

        return await self._db.read(job)

    async def save_received(
        self,
        evidence: ReceivedEnvelope,
        message: Message | None,
        arrival: Arrival | None,
        alarms: tuple[Alarm, ...],
        told: tuple[Message, ...] = (),
        relay_time: int | None = None,
    ) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            new = message is not None and _is_new(connection, message)
            outcome = evidence.outcome
            if message is not None and not new:
                outcome = "repeated"
            if not _insert_evidence(connection, evidence, outcome):
                return False
            subject = None if message is None else message.id
            insert_fact(connection, node_facts.received(evidence, outcome, subject, relay_time))
            if message is not None and new:
                insert_message(connection, message)
                if message.kind == ContentKind.RECORD:
                    insert_event(connection, message.id, "message.received", box="inbox", state=message.state)
                else:
                    connection.execute("INSERT INTO consent_due (message) VALUES (?)", (message.id,))
            elif message is not None and message.direct:
                _put_right(connection, message)
            if arrival is not None:
                _arrive(connection, arrival, evidence.time)
            for alarm in alarms:
                insert_alarm(connection, alarm)
            for queued in told:
                insert_message(connection, queued)
            return new

        return await self._db.write(job)

    async def save_answer(self, sender: str, envelope: bytes, acknowledgement: bytes) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "UPDATE received SET acknowledgement = ? WHERE sender = ? AND envelope = ?",
                (acknowledgement, sender, envelope),
            )
        )

    async def digest_at(self, sender: str, stream: bytes, number: int) -> bytes | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(
                "SELECT digest FROM numbers_in WHERE sender = ? AND stream = ? AND number = ?",
                (sender, stream, number),
            ).fetchone()
            return None if row is None else row["digest"]

        return await self._db.read(job)

    async def number_of(self, sender: str, digest: bytes) -> tuple[int, int] | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[int, int] | None:
            row = connection.execute(
                "SELECT number, top FROM numbers_in JOIN streams_in USING (sender, stream)"
                " WHERE sender = ? AND digest = ? LIMIT 1",
                (sender, digest),
            ).fetchone()
            return None if row is None else (row["number"], row["top"])

        return await self._db.read(job)

    async def late_streams(self, before: int, limit: int) -> tuple[LateStream, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[LateStream, ...]:
            rows = connection.execute(
                "SELECT sender, stream, told FROM streams_in WHERE untold_since <= ? ORDER BY untold_since LIMIT ?",
                (before, limit),
            ).fetchall()
            return tuple(
                LateStream(row["sender"], row["stream"], _stream(connection, row["sender"], row["stream"]), row["told"])
                for row in rows
            )

        return await self._db.read(job)

    async def save_told(self, told: tuple[tuple[LateStream, int], ...], alarms: tuple[Alarm, ...]) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            for late, number in told:
                # It may have moved on since it was read.
                state = _stream(connection, late.sender, late.stream)
                connection.execute(
                    "UPDATE streams_in SET told = ?, untold_since = ? WHERE sender = ? AND stream = ?",
                    (number, open_since(state, number), late.sender, late.stream),
                )
            for alarm in alarms:
                insert_alarm(connection, alarm)

        await self._db.write(job)

    async def add_alarm(self, alarm: Alarm, relay_time: int | None = None) -> bool:
        """See the port."""
        return await self._db.write(lambda connection: insert_alarm(connection, alarm, relay_time))

    async def latest_alarms(self, limit: int) -> tuple[Alarm, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Alarm, ...]:
            rows = connection.execute("SELECT * FROM alarms ORDER BY seq DESC LIMIT ?", (limit,))
            return tuple(Alarm(**dict(row)) for row in rows)

        return await self._db.read(job)


def _insert_evidence(connection: sqlite3.Connection, evidence: ReceivedEnvelope, outcome: str) -> bool:
    """False when the envelope is known."""
    inserted = connection.execute(
        "INSERT OR IGNORE INTO received (sender, envelope, header_digest, header, receipt, acknowledgement,"
        " provision, outcome, reason, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            evidence.sender,
            evidence.envelope,
            evidence.header_digest,
            evidence.header,
            evidence.receipt,
            evidence.acknowledgement,
            evidence.provision,
            outcome,
            evidence.reason,
            evidence.time,
        ),
    )
    return inserted.rowcount == 1


def _is_new(connection: sqlite3.Connection, message: Message) -> bool:
    """A Provision is delivered once, whichever envelope brings it; to its own provider it is no news at all."""
    known = "SELECT 1 FROM messages WHERE id = ?"
    fresh = connection.execute(known, (message.id,)).fetchone() is None
    return fresh and not is_destroyed(connection, message.provision)


def _stream(connection: sqlite3.Connection, sender: str, stream: bytes) -> StreamState:
    row = connection.execute(
        "SELECT floor, top, gaps FROM streams_in WHERE sender = ? AND stream = ?", (sender, stream)
    ).fetchone()
    if row is None:
        return StreamState()
    above = connection.execute(
        "SELECT number FROM numbers_in WHERE sender = ? AND stream = ? AND number > ?", (sender, stream, row["floor"])
    )
    gaps = tuple((last, since) for last, since in json.loads(row["gaps"]))
    return StreamState(row["floor"], frozenset(n["number"] for n in above), row["top"], gaps)


def _put_right(connection: sqlite3.Connection, message: Message) -> None:
    """A copy that came from a provider itself: it does not add terms of others, and knows how urgent it is.

    A co-recipient that forwards sooner could put Provisions of its own beside the providers', or call it less urgent.
    """
    row = connection.execute(
        "SELECT signed_provisions, precedence, path FROM messages WHERE id = ? AND box = 'inbox'", (message.id,)
    ).fetchone()
    if row is None:
        return
    direct = row["path"] == ",".join(message.path)
    if direct and len(split_blobs(row["signed_provisions"])) <= len(message.signed_provisions):
        return
    connection.execute(
        "UPDATE messages SET signed_provisions = ?, signed_grants = ?, purpose = ?, path = ?, precedence = ?"
        " WHERE id = ?",
        (
            join_blobs(message.signed_provisions),
            join_blobs(message.signed_grants),
            message.purpose,
            ",".join(message.path),
            min(row["precedence"], message.precedence),
            message.id,
        ),
    )
    insert_event(connection, message.id, "message.state", box="inbox", state=message.state)


def _arrive(connection: sqlite3.Connection, arrival: Arrival, now: int) -> None:
    """Bring the stream's account up to date; what is out of all proportion is an alarm and changes no account."""
    numbers = arrival.voids if arrival.number is None else (arrival.number, *arrival.voids)
    standing = connection.execute(
        "SELECT told FROM streams_in WHERE sender = ? AND stream = ?", (arrival.sender, arrival.stream)
    ).fetchone()
    try:
        if standing is None:
            _require_room(connection, arrival.sender)
        state = settle(_stream(connection, arrival.sender, arrival.stream), numbers, now)
        state = announce(state, arrival.last, now)
    except ValueError as fault:
        # Once a day: the sender could do it with every envelope.
        fact = f"stream-jump:{arrival.sender}:{now // DAY}"
        insert_alarm(connection, Alarm(fact, "stream-jump", arrival.sender, f"{arrival.sender}: {fault}", now))
        return
    told = 0 if standing is None else standing["told"]
    connection.execute(
        "INSERT INTO streams_in (sender, stream, floor, top, gaps, untold_since) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (sender, stream) DO UPDATE SET floor = excluded.floor, top = excluded.top,"
        " gaps = excluded.gaps, untold_since = excluded.untold_since",
        (arrival.sender, arrival.stream, state.floor, state.top, json.dumps(state.gaps), open_since(state, told)),
    )
    rows: list[tuple[str, bytes, int, bytes | None]] = [
        (arrival.sender, arrival.stream, number, None) for number in arrival.voids
    ]
    if arrival.number is not None:
        rows.append((arrival.sender, arrival.stream, arrival.number, arrival.digest))
    connection.executemany(
        "INSERT OR IGNORE INTO numbers_in (sender, stream, number, digest) VALUES (?, ?, ?, ?)", rows
    )


def _require_room(connection: sqlite3.Connection, sender: str) -> None:
    """Raises ValueError when the sender has as many streams as are kept."""
    kept = connection.execute("SELECT count(*) FROM streams_in WHERE sender = ?", (sender,)).fetchone()[0]
    if kept >= MAX_STREAMS:
        raise ValueError(f"more than {MAX_STREAMS} streams: what is missing in the others is not noticed")
