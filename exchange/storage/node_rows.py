"""Rows of the node's store as values, and back. Used by the SQLite stores of the node only."""

import json
import sqlite3
from typing import Final

from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.node_values import (
    Alarm,
    IndexRow,
    Message,
    OutboxEnvelope,
    ReceivedEnvelope,
    StoredAttachment,
    StreamOut,
    Token,
)
from schemas.content import ContentKind

# Every content file that a row names, of messages, of acts that wait and of drafts.
CONTENT_FILES: Final = (
    "SELECT file FROM attachments UNION SELECT file FROM act_files UNION SELECT file FROM draft_files ORDER BY file"
)


def join_blobs(blobs: tuple[bytes, ...]) -> bytes:
    """Byte strings one after another, each after its length (4 bytes, big-endian)."""
    return b"".join(len(blob).to_bytes(4, "big") + blob for blob in blobs)


def split_blobs(data: bytes) -> tuple[bytes, ...]:
    """The reverse of `join_blobs`."""
    blobs = []
    position = 0
    while position < len(data):
        end = position + 4 + int.from_bytes(data[position : position + 4], "big")
        blobs.append(data[position + 4 : end])
        position = end
    return tuple(blobs)


def is_destroyed(connection: sqlite3.Connection, provision: bytes) -> bool:
    """Whether the content under a Provision (its digest) was destroyed: it is neither stored nor sealed here again."""
    query = (
        "SELECT 1 FROM destroyed WHERE provision = ?1"
        " UNION ALL SELECT 1 FROM drafts WHERE provision = ?1 AND sealed_manifest = x''"
    )
    return connection.execute(query, (provision,)).fetchone() is not None


def insert_message(connection: sqlite3.Connection, message: Message) -> None:
    """A message with its recipients and attachments."""
    connection.execute(
        "INSERT INTO messages (id, box, provision, state, ministry, measure, record_type, precedence, created, due,"
        " expires, signed_provisions, signed_grants, purpose, path, sealed_manifest, sealed_title, kind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message.id,
            message.box,
            message.provision,
            message.state,
            message.ministry,
            message.measure,
            message.record_type,
            message.precedence,
            message.created,
            message.due,
            message.expires,
            join_blobs(message.signed_provisions),
            join_blobs(message.signed_grants),
            message.purpose,
            ",".join(message.path),
            message.sealed_manifest,
            message.sealed_title,
            message.kind,
        ),
    )
    connection.executemany(
        "INSERT INTO recipients (message, member, state, changed) VALUES (?, ?, 'pending', ?)",
        [(message.id, member, message.created) for member in message.recipients],
    )
    connection.executemany(
        "INSERT INTO attachments (message, position, file) VALUES (?, ?, ?)",
        [(message.id, attachment.position, attachment.file) for attachment in message.attachments],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO consent_uses (provider, grant_id, recipient, provision, message) VALUES (?, ?, ?, ?, ?)",
        [(use.provider, use.grant, use.recipient, use.provision, message.id) for use in message.uses],
    )
    if message.box == "outbox":
        insert_fact(connection, node_facts.submitted(message))
    if message.kind != ContentKind.RECORD:
        return
    if message.record_id is None:
        connection.execute("INSERT INTO records_due (message) VALUES (?)", (message.id,))
    else:
        insert_record(connection, IndexRow(message.id, message.record_id, message.named))


def insert_record(connection: sqlite3.Connection, row: IndexRow) -> None:
    """Which record a message holds and what that names, unless it is known."""
    known = connection.execute(
        "INSERT OR IGNORE INTO records (message, record_id) VALUES (?, ?)", (row.message, row.record_id)
    )
    if known.rowcount:
        connection.executemany(
            "INSERT OR IGNORE INTO record_names (message, named) VALUES (?, ?)",
            [(row.message, named) for named in row.named],
        )


def message_of(connection: sqlite3.Connection, row: sqlite3.Row) -> Message:
    """A message with its recipients and attachments, from its row."""
    members = connection.execute("SELECT member FROM recipients WHERE message = ? ORDER BY member", (row["id"],))
    files = connection.execute(
        "SELECT position, file FROM attachments WHERE message = ? ORDER BY position", (row["id"],)
    )
    return Message(
        id=row["id"],
        box=row["box"],
        provision=row["provision"],
        state=row["state"],
        ministry=row["ministry"],
        measure=row["measure"],
        record_type=row["record_type"],
        precedence=row["precedence"],
        created=row["created"],
        due=row["due"],
        expires=row["expires"],
        signed_provisions=split_blobs(row["signed_provisions"]),
        signed_grants=split_blobs(row["signed_grants"]),
        purpose=row["purpose"],
        path=tuple(row["path"].split(",")),
        sealed_manifest=row["sealed_manifest"],
        sealed_title=row["sealed_title"],
        recipients=tuple(member["member"] for member in members),
        attachments=tuple(StoredAttachment(file["position"], file["file"]) for file in files),
        waits=row["waits"],
        seq=row["seq"],
        kind=row["kind"],
    )


def envelope_of(row: sqlite3.Row) -> OutboxEnvelope:
    """A sealed envelope from its row."""
    return OutboxEnvelope(
        envelope=row["envelope"],
        message=row["message"],
        state=row["state"],
        precedence=row["precedence"],
        created=row["created"],
        expires=row["expires"],
        header=row["header"],
        header_digest=row["header_digest"],
        body=row["body"],
        attempts=row["attempts"],
        receipt=row["receipt"],
        fault=row["fault"],
    )


def received_of(row: sqlite3.Row) -> ReceivedEnvelope:
    """Evidence of a received envelope from its row."""
    return ReceivedEnvelope(**dict(row))


def stream_out_of(row: sqlite3.Row) -> StreamOut:
    """A stream to a recipient from its row."""
    return StreamOut(**dict(row))


def token_of(row: sqlite3.Row) -> Token:
    """A token from its row."""
    return Token(
        id=row["id"],
        hash=row["hash"],
        ministry=row["ministry"],
        scopes=tuple(row["scopes"].split(",")),
        measures=tuple(row["measures"].split(",")),
        created=row["created"],
        revoked=row["revoked"],
    )


def insert_alarm(connection: sqlite3.Connection, alarm: Alarm, relay_time: int | None = None) -> bool:
    """True when the fact is new."""
    cursor = connection.execute(
        "INSERT OR IGNORE INTO alarms (fact, kind, member, detail, time) VALUES (?, ?, ?, ?, ?)",
        (alarm.fact, alarm.kind, alarm.member, alarm.detail, alarm.time),
    )
    if cursor.rowcount:
        insert_fact(connection, node_facts.alarmed(alarm, relay_time))
    return cursor.rowcount == 1


def insert_event(connection: sqlite3.Connection, message: bytes, kind: str, **data: str) -> None:
    """One event; ids and states only."""
    text = json.dumps({"id": message.hex(), **data}, separators=(",", ":"))
    connection.execute("INSERT INTO events (message, type, data) VALUES (?, ?, ?)", (message, kind, text))
