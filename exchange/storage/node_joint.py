"""Joint Provisions in the node's store in SQLite: `JointStore` of the joint port."""

import sqlite3
from typing import Final

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.joint_port import Answer, DraftRow
from exchange.storage.node_consent import insert_consent_event, take_due
from exchange.storage.node_destroyed import empty_carrier
from exchange.storage.node_idempotency import keep_key, stored_for
from exchange.storage.node_rows import insert_event, insert_message, is_destroyed
from exchange.storage.node_values import Idempotency, Message, StoredAttachment
from exchange.storage.node_views import measure_clause
from schemas.limits import OUTBOX_LIMIT

_ANSWERS: Final = "SELECT member, signature, sealed_reason, time FROM draft_answers WHERE provision = ? ORDER BY member"
_DUE: Final = (
    "SELECT * FROM drafts d WHERE state = 'collecting' AND (sign_by <= ? OR (SELECT count(*) FROM draft_answers a"
    " WHERE a.provision = d.provision AND a.signature IS NOT NULL) >= providers) ORDER BY seq LIMIT ?"
)
# Messages are named in the index by turns of the desk: those above it are looked at one by one.
_NAMED: Final = (
    "SELECT 1 FROM consent_names n JOIN messages m ON m.id = n.message"
    " WHERE n.provider = :member AND n.id = :name AND m.provision <> :provision"
    " UNION ALL SELECT 1 FROM consent_names n JOIN destroyed d ON d.message = n.message"
    " WHERE n.provider = :member AND n.id = :name AND d.provision <> :provision"
    " UNION ALL SELECT 1 FROM messages WHERE seq > (SELECT upto FROM consent_named) AND kind = 1"
    " AND provision <> :provision AND instr(signed_provisions, :name) > 0"
    " UNION ALL SELECT 1 FROM drafts WHERE provision <> :provision AND instr(body, :name) > 0"
    " UNION ALL SELECT 1 FROM consent_grants WHERE box = 'given' AND provider = :member AND provision = :name LIMIT 1"
)
_REFUSAL_WINS: Final = (
    "UPDATE SET signature = NULL, sealed_reason = excluded.sealed_reason, time = excluded.time"
    " WHERE signature IS NOT NULL"
)
_RECEIVED: Final = ("attachments", "records", "record_names", "records_due")


class SqliteJoint:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def propose(
        self, draft: DraftRow, outgoing: Message, idempotency: Idempotency | None, event: ConsentEvent
    ) -> bytes:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes:
            stored = stored_for(connection, idempotency)
            if stored is not None:
                return stored
            keep_key(connection, idempotency, draft.id)
            _insert(connection, draft)
            insert_message(connection, outgoing)
            insert_consent_event(connection, event)
            return draft.id

        return await self._db.write(job)

    async def receive(self, message: bytes, draft: DraftRow, most: int, event: ConsentEvent) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            state = _state(connection, draft.provision)
            if state is not None:
                if take_due(connection, message, None):
                    _take_again(connection, message, draft, state)
                return True
            row = connection.execute(
                "SELECT count(*) AS n FROM drafts WHERE lead = ? AND state = 'collecting'", (draft.lead,)
            ).fetchone()
            if row["n"] >= most:
                return False
            if take_due(connection, message, event):
                connection.execute("DELETE FROM draft_answers WHERE provision = ?", (draft.provision,))
                _insert(connection, draft)
            return True

        return await self._db.write(job)

    async def draft(self, ident: bytes) -> DraftRow | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> DraftRow | None:
            row = connection.execute(
                "SELECT * FROM drafts WHERE provision = ?1 OR substr(provision, 1, 16) = ?1", (ident,)
            ).fetchone()
            return None if row is None else _draft_of(connection, row)

        return await self._db.read(job)

    async def drafts(
        self, open_only: bool, before: int, limit: int, measures: tuple[str, ...], ministry: str
    ) -> tuple[DraftRow, ...]:
        """See the port."""
        allowed, values = measure_clause(measures)
        state = " AND state = 'collecting'" if open_only else ""

        def job(connection: sqlite3.Connection) -> tuple[DraftRow, ...]:
            rows = connection.execute(
                f"SELECT * FROM drafts WHERE seq < ? AND {allowed} AND (ministry IS NULL OR ministry = ?)"  # noqa: S608  # fixed text; values are bound
                f"{state} ORDER BY seq DESC LIMIT ?",
                (before, *values, ministry, limit),
            ).fetchall()
            return tuple(_draft_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def is_named(self, member: str, name: bytes, provision: bytes) -> bool:
        """See the port."""
        values = {"member": member, "name": name, "provision": provision}
        return await self._db.read(lambda c: c.execute(_NAMED, values).fetchone() is not None)

    async def early(self, provision: bytes) -> tuple[Answer, ...]:
        """See the port."""
        return await self._db.read(lambda connection: _answers(connection, provision))

    async def answer(
        self,
        provision: bytes,
        answer: Answer,
        outgoing: Message | None,
        taken: bytes | None,
        most: int,
        event: ConsentEvent,
    ) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            state = _state(connection, provision)
            if state is None:
                _forget_early(connection, answer.time - OUTBOX_LIMIT)
                if _early_of(connection, answer.member) >= most:
                    return False
            if taken is not None and not take_due(connection, taken, None):
                return True
            if state not in (None, "collecting") or not _insert_answer(connection, provision, answer):
                return taken is not None
            if state is not None and answer.signature is None:
                connection.execute("UPDATE drafts SET state = 'refused' WHERE provision = ?", (provision,))
            if outgoing is not None:
                insert_message(connection, outgoing)
            insert_consent_event(connection, event)
            return True

        return await self._db.write(job)

    async def complete(self, provision: bytes, message: Message | None, event: ConsentEvent) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not _move(connection, provision, "signed", event):
                return False
            if message is not None:
                _give_way(connection, message.id)
                insert_message(connection, message)
                insert_event(connection, message.id, "message.state", box="outbox", state=message.state)
            return True

        return await self._db.write(job)

    async def due(self, now: int, limit: int) -> tuple[DraftRow, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[DraftRow, ...]:
            rows = connection.execute(_DUE, (now, limit)).fetchall()
            return tuple(_draft_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def expire(self, provision: bytes, event: ConsentEvent) -> bool:
        """See the port."""
        return await self._db.write(lambda c: _move(c, provision, "expired", event))


def _insert(connection: sqlite3.Connection, draft: DraftRow) -> None:
    connection.execute(
        "INSERT INTO drafts (provision, body, lead, state, providers, ministry, measure, record_type, created, sign_by,"
        " sealed_manifest, message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            draft.provision,
            draft.body,
            draft.lead,
            draft.state,
            draft.providers,
            draft.ministry,
            draft.measure,
            draft.record_type,
            draft.created,
            draft.sign_by,
            draft.sealed_manifest,
            draft.message,
        ),
    )
    connection.executemany(
        "INSERT INTO draft_files (provision, position, file) VALUES (?, ?, ?)",
        [(draft.provision, file.position, file.file) for file in draft.files],
    )
    for answer in draft.answers:
        _insert_answer(connection, draft.provision, answer)


def _insert_answer(connection: sqlite3.Connection, provision: bytes, answer: Answer) -> bool:
    """A refusal takes the place of the member's signature; nothing else takes the place of anything."""
    clash = "NOTHING" if answer.signature is not None else _REFUSAL_WINS
    taken = connection.execute(
        "INSERT INTO draft_answers (provision, member, signature, sealed_reason, time) VALUES (?, ?, ?, ?, ?)"  # noqa: S608  # fixed texts; values are bound
        f" ON CONFLICT DO {clash}",
        (provision, answer.member, answer.signature, answer.sealed_reason, answer.time),
    )
    return taken.rowcount == 1


def _state(connection: sqlite3.Connection, provision: bytes) -> str | None:
    row = connection.execute("SELECT state FROM drafts WHERE provision = ?", (provision,)).fetchone()
    return None if row is None else str(row["state"])


def _take_again(connection: sqlite3.Connection, message: bytes, draft: DraftRow, state: str) -> None:
    """What is here stands. Whoever sends a draft has signed it, also when another provider was the first to send it."""
    if is_destroyed(connection, draft.provision):
        # Its files belong to no row any more, and are removed at the next start.
        empty_carrier(connection, message)
    for answer in draft.answers:
        if state == "collecting" and answer.member == draft.lead:
            _insert_answer(connection, draft.provision, answer)


def _give_way(connection: sqlite3.Connection, message: bytes) -> None:
    """Another provider, who has every signature too, may have sent it to the lead first: its copy goes.

    Its envelope stays as evidence; its files are orphans.
    """
    for table in _RECEIVED:
        connection.execute(f"DELETE FROM {table} WHERE message = ?", (message,))  # noqa: S608  # fixed texts
    connection.execute("DELETE FROM messages WHERE id = ? AND box = 'inbox'", (message,))


def _forget_early(connection: sqlite3.Connection, before: int) -> None:
    """Answers to drafts that have not come, and that nobody could sign any more."""
    connection.execute(
        "DELETE FROM draft_answers WHERE time < ? AND provision NOT IN (SELECT provision FROM drafts)", (before,)
    )


def _early_of(connection: sqlite3.Connection, member: str) -> int:
    row = connection.execute(
        "SELECT count(*) AS n FROM draft_answers WHERE member = ? AND provision NOT IN (SELECT provision FROM drafts)",
        (member,),
    ).fetchone()
    return int(row["n"])


def _move(connection: sqlite3.Connection, provision: bytes, state: str, event: ConsentEvent) -> bool:
    moved = connection.execute(
        "UPDATE drafts SET state = ? WHERE provision = ? AND state = 'collecting'", (state, provision)
    ).rowcount
    if moved:
        insert_consent_event(connection, event)
    return bool(moved)


def _answers(connection: sqlite3.Connection, provision: bytes) -> tuple[Answer, ...]:
    return tuple(Answer(**dict(row)) for row in connection.execute(_ANSWERS, (provision,)))


def _draft_of(connection: sqlite3.Connection, row: sqlite3.Row) -> DraftRow:
    files = connection.execute(
        "SELECT position, file FROM draft_files WHERE provision = ? ORDER BY position", (row["provision"],)
    )
    return DraftRow(
        **dict(row),
        files=tuple(StoredAttachment(file["position"], file["file"]) for file in files),
        answers=_answers(connection, row["provision"]),
    )
