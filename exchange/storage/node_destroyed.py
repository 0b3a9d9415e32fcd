"""A holder's own statement, and the end of its copy, in SQLite: `DestroyStore` of the withdrawal port."""

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from exchange.errors import Conflict
from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event
from exchange.storage.node_rows import insert_message, message_of, split_blobs
from exchange.storage.node_values import Message
from exchange.storage.node_withdrawals import insert_statement
from exchange.storage.withdrawal_port import DestroyedMessage, Destruction, StoredStatement
from schemas.content import ContentKind

# Everything that holds, or tells of, the content of a message. Envelopes, receipts and acknowledgements stay.
_CONTENT: Final = ("attachments", "records", "record_names", "records_due", "consent_due")


class SqliteDestroyed:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def state(
        self,
        statement: StoredStatement,
        outgoing: Message,
        official: str,
        destroy: Destruction | None,
        event: ConsentEvent,
    ) -> tuple[str, ...] | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[str, ...] | None:
            if not insert_statement(connection, statement):
                return None
            insert_message(connection, outgoing)
            insert_consent_event(connection, event)
            return () if destroy is None else _destroy(connection, destroy, statement, official)

        files = await self._db.write(job)
        if destroy is not None and files is not None:
            await self._db.fold_log()
        return files

    async def under(self, provision: bytes) -> tuple[Message, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Message, ...]:
            rows = connection.execute("SELECT * FROM messages WHERE provision = ? ORDER BY seq", (provision,))
            return tuple(message_of(connection, row) for row in rows.fetchall())

        return await self._db.read(job)

    async def draft_carriers(self, after: int, limit: int) -> tuple[Message, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Message, ...]:
            rows = connection.execute(
                "SELECT * FROM messages WHERE kind = ? AND seq > ? AND sealed_manifest <> x'' ORDER BY seq LIMIT ?",
                (ContentKind.DRAFT, after, limit),
            )
            return tuple(message_of(connection, row) for row in rows.fetchall())

        return await self._db.read(job)

    async def destroyed(self, message: bytes) -> DestroyedMessage | None:
        """See the port."""
        row = await self._db.read(
            lambda c: c.execute("SELECT * FROM destroyed WHERE message = ?", (message,)).fetchone()
        )
        return None if row is None else _destroyed_of(row)

    async def destroyed_under(self, provision: bytes) -> tuple[DestroyedMessage, ...]:
        """See the port."""
        return await self._db.read(
            lambda c: tuple(
                _destroyed_of(row)
                for row in c.execute("SELECT * FROM destroyed WHERE provision = ? ORDER BY due", (provision,))
            )
        )


def _destroy(
    connection: sqlite3.Connection, destroy: Destruction, statement: StoredStatement, official: str
) -> tuple[str, ...]:
    """Move what is left of each message, delete the rest; the names of the files that are to go."""
    provision = (destroy.provision,)
    gone = [row["id"] for row in connection.execute("SELECT id FROM messages WHERE provision = ?", provision)]
    _require_settled(connection, (*gone, *destroy.carriers))
    connection.execute(
        "INSERT OR IGNORE INTO destroyed SELECT id, box, provision, ministry, measure, record_type, precedence,"
        " created, due, expires, signed_provisions, signed_grants, purpose, path, ?, ?, ?, ? FROM messages"
        " WHERE provision = ?",
        (statement.time, official, statement.provider, statement.id, *provision),
    )
    files = [row["file"] for row in connection.execute("SELECT file FROM draft_files WHERE provision = ?", provision)]
    for message in (*gone, *destroy.carriers):
        fact = node_facts.purged(message, destroy.provision, statement.provider, official, statement.time)
        insert_fact(connection, fact)
    for message in gone:
        files += _empty(connection, message)
        connection.execute("DELETE FROM messages WHERE id = ?", (message,))
        # What the relay accepted has used its Grants.
        connection.execute(
            "DELETE FROM consent_uses WHERE message = ?1"
            " AND NOT EXISTS (SELECT 1 FROM outbox WHERE message = ?1 AND receipt IS NOT NULL)",
            (message,),
        )
    for message in destroy.carriers:
        files += empty_carrier(connection, message)
    _empty_draft(connection, destroy.provision)
    files += _end_acts(connection, destroy, statement.time, official)
    return tuple(dict.fromkeys(files))


def empty_carrier(connection: sqlite3.Connection, message: bytes) -> list[str]:
    """Inside a transaction: a message that carried a draft has no content any more; the files that are to go.

    A received one stays as a row, so that it is not delivered again; one of this state's own is never sent again.
    """
    files = _empty(connection, message)
    connection.execute("UPDATE messages SET sealed_manifest = x'' WHERE id = ?", (message,))
    connection.execute("DELETE FROM messages WHERE id = ? AND box = 'outbox'", (message,))
    return files


def _require_settled(connection: sqlite3.Connection, messages: Iterable[bytes]) -> None:
    """Raises Conflict: it may have been passed on, or be so yet, and the statement would not say it."""
    for message in messages:
        row = connection.execute(
            "SELECT hex(envelope) AS name FROM outbox WHERE state = 'sealed' AND (message = ?1"
            " OR envelope IN (SELECT envelope FROM resends WHERE message = ?1))",
            (message,),
        ).fetchone()
        if row is not None:
            why = (
                f"envelope {row['name'].lower()} with it is on its way: wait until the relay has answered or it expires"
            )
            raise Conflict("on-its-way", why)


def _empty(connection: sqlite3.Connection, message: bytes) -> list[str]:
    """Delete everything of a message's content but its row; the names of its files."""
    rows = connection.execute("SELECT file FROM attachments WHERE message = ?", (message,))
    files = [row["file"] for row in rows]
    for table in _CONTENT:
        connection.execute(f"DELETE FROM {table} WHERE message = ?", (message,))  # noqa: S608  fixed texts
    return files


def _empty_draft(connection: sqlite3.Connection, provision: bytes) -> None:
    """Terms and signatures are evidence and stay; nobody signs what nobody can read any more."""
    connection.execute(
        "UPDATE drafts SET sealed_manifest = x'', state = iif(state = 'collecting', 'expired', state)"
        " WHERE provision = ?",
        (provision,),
    )
    connection.execute("DELETE FROM draft_files WHERE provision = ?", (provision,))
    connection.execute("UPDATE draft_answers SET sealed_reason = NULL WHERE provision = ?", (provision,))


def _end_acts(connection: sqlite3.Connection, destroy: Destruction, now: int, official: str) -> list[str]:
    """What waited for officials does not wait any longer; the names of their files."""
    files: list[str] = []
    for act, why in destroy.acts:
        ended = connection.execute(
            "UPDATE acts SET state = iif(state = 'pending', 'refused', 'failed'), sealed_fault = ?,"
            " sealed_request = x'' WHERE id = ? AND state IN ('pending', 'approved') RETURNING state",
            (why, act),
        ).fetchone()
        if ended is None:
            continue
        files += [row["file"] for row in connection.execute("SELECT file FROM act_files WHERE act = ?", (act,))]
        connection.execute("DELETE FROM act_files WHERE act = ?", (act,))
        told = json.dumps({"destroyed": destroy.provision.hex()})
        insert_consent_event(connection, ConsentEvent(now, f"act.{ended['state']}", act.hex(), None, official, told))
    return files


def _destroyed_of(row: sqlite3.Row) -> DestroyedMessage:
    values = dict(row)
    for name in ("signed_provisions", "signed_grants"):
        values[name] = split_blobs(values[name])
    return DestroyedMessage(**{**values, "path": tuple(values["path"].split(","))})
