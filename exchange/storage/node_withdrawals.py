"""This state's own withdrawals in SQLite: `WithdrawalStore` of the port."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event, take_due
from exchange.storage.node_rows import insert_alarm, insert_message
from exchange.storage.node_values import Alarm
from exchange.storage.withdrawal_port import Notice, OwnWithdrawal, StoredStatement, Told

_COLUMNS = (
    "id, target, provision, measure, record_type, entry, sealed_reason, official, created, position, since, fault"
)


class SqliteWithdrawals:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def add(self, withdrawal: OwnWithdrawal, notices: Sequence[Notice], event: ConsentEvent) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            new = connection.execute(
                f"INSERT OR IGNORE INTO withdrawals ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  fixed text
                astuple(withdrawal),
            ).rowcount
            if new:
                _tell(connection, withdrawal.id, notices)
                insert_consent_event(connection, event)
            return bool(new)

        return await self._db.write(job)

    async def withdrawal(self, ident: bytes) -> OwnWithdrawal | None:
        """See the port."""
        found = await self._read("WHERE id = ?", (ident,))
        return found[0] if found else None

    async def withdrawals(self) -> tuple[OwnWithdrawal, ...]:
        """See the port."""
        return await self._read("ORDER BY created, id")

    async def pending(self) -> tuple[OwnWithdrawal, ...]:
        """See the port."""
        return await self._read("WHERE position IS NULL ORDER BY created, id")

    async def renew(self, ident: bytes, entry: bytes) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute("UPDATE withdrawals SET entry = ? WHERE id = ? AND position IS NULL", (entry, ident))
        )

    async def fail(self, ident: bytes, fault: str) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute("UPDATE withdrawals SET fault = ? WHERE id = ? AND position IS NULL", (fault, ident))
        )

    async def place(self, ident: bytes, position: int, now: int, event: ConsentEvent) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            placed = connection.execute(
                "UPDATE withdrawals SET position = ?, since = ?, fault = NULL WHERE id = ? AND position IS NULL",
                (position, now, ident),
            ).rowcount
            if placed:
                insert_consent_event(connection, event)

        await self._db.write(job)

    async def told(self, ident: bytes) -> tuple[Told, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Told, ...]:
            rows = connection.execute(
                "SELECT member, message, time FROM withdrawal_told WHERE id = ? ORDER BY member", (ident,)
            )
            return tuple(Told(**dict(row)) for row in rows)

        return await self._db.read(job)

    async def take_statement(
        self, due: bytes, statement: StoredStatement, notices: Sequence[Notice], event: ConsentEvent
    ) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not take_due(connection, due, event):
                return False
            insert_statement(connection, statement)
            _tell(connection, statement.id, notices)
            return True

        return await self._db.write(job)

    async def unanswered(self, before: int) -> tuple[tuple[OwnWithdrawal, tuple[str, ...]], ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[tuple[OwnWithdrawal, tuple[str, ...]], ...]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM withdrawals WHERE reminded = 0 AND since < ?",  # noqa: S608  fixed text
                (before,),
            ).fetchall()
            return tuple((OwnWithdrawal(**dict(row)), _silent(connection, row["id"])) for row in rows)

        return await self._db.read(job)

    async def remind(self, ident: bytes, alarm: Alarm | None) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE withdrawals SET reminded = 1 WHERE id = ?", (ident,))
            if alarm is not None:
                insert_alarm(connection, alarm)

        await self._db.write(job)

    async def _read(self, rest: str, values: tuple[bytes, ...] = ()) -> tuple[OwnWithdrawal, ...]:
        def job(connection: sqlite3.Connection) -> tuple[OwnWithdrawal, ...]:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM withdrawals {rest}", values)  # noqa: S608  fixed texts
            return tuple(OwnWithdrawal(**dict(row)) for row in rows)

        return await self._db.read(job)


def insert_statement(connection: sqlite3.Connection, statement: StoredStatement) -> bool:
    """Inside a transaction: one more statement; False when it is here."""
    cursor = connection.execute(
        "INSERT OR IGNORE INTO holder_statements (provider, id, holder, time, conduct, signed)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        astuple(statement),
    )
    return cursor.rowcount == 1


def _tell(connection: sqlite3.Connection, ident: bytes, notices: Sequence[Notice]) -> None:
    """Each member is told once of a withdrawal."""
    for notice in notices:
        new = connection.execute(
            "INSERT OR IGNORE INTO withdrawal_told (id, member, message, time) VALUES (?, ?, ?, ?)",
            (ident, notice.member, notice.message.id, notice.message.created),
        ).rowcount
        if new:
            insert_message(connection, notice.message)


def _silent(connection: sqlite3.Connection, ident: bytes) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT member FROM withdrawal_told t WHERE t.id = ?"
        " AND NOT EXISTS (SELECT 1 FROM holder_statements s WHERE s.id = t.id AND s.holder = t.member) ORDER BY member",
        (ident,),
    )
    return tuple(row["member"] for row in rows)
