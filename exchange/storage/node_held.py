"""What others have withdrawn of what is here, in SQLite: `HeldStore` of the withdrawal port."""

import sqlite3
from collections.abc import Sequence

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event, take_due
from exchange.storage.node_rows import insert_alarm, insert_event, message_of
from exchange.storage.node_values import Alarm, Message
from exchange.storage.withdrawal_port import Name, Named, SeenWithdrawal, StoredStatement


class SqliteHeld:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def unnamed(self, limit: int) -> tuple[Message, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Message, ...]:
            rows = connection.execute(
                "SELECT * FROM messages WHERE seq > (SELECT upto FROM consent_named) ORDER BY seq LIMIT ?", (limit,)
            ).fetchall()
            return tuple(message_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def name(self, named: Sequence[Named]) -> None:
        """See the port."""
        rows = [(provider, ident, one.message) for one in named for provider, ident in one.names]
        upto = max(one.seq for one in named)

        def job(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO consent_names (provider, id, message) VALUES (?, ?, ?)", rows)
            connection.execute("UPDATE consent_named SET upto = max(upto, ?)", (upto,))

        await self._db.write(job)

    async def standing_under(self, names: Sequence[Name]) -> dict[Name, tuple[bytes, ...]]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> dict[Name, tuple[bytes, ...]]:
            found = {name: _messages_under(connection, name) for name in names}
            return {name: messages for name, messages in found.items() if messages}

        return await self._db.read(job)

    async def save_told(
        self, due: bytes, seen: SeenWithdrawal, alarm: Alarm | None, message: bytes | None, event: ConsentEvent
    ) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not take_due(connection, due, event):
                return False
            _save(connection, seen)
            connection.execute(
                "UPDATE withdrawals_seen SET target = ?, provision = ?, sealed_reason = ?, told = ?"
                " WHERE provider = ? AND id = ? AND told IS NULL",
                (seen.target, seen.provision, seen.sealed_reason, seen.told, seen.provider, seen.id),
            )
            _alarm(connection, seen, alarm, message)
            return True

        return await self._db.write(job)

    async def save_seen(
        self, seen: SeenWithdrawal, alarm: Alarm | None, message: bytes | None, event: ConsentEvent
    ) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            changed = _save(connection, seen)
            if seen.position is not None:
                changed += connection.execute(
                    "UPDATE withdrawals_seen SET position = ? WHERE provider = ? AND id = ? AND position IS NULL",
                    (seen.position, seen.provider, seen.id),
                ).rowcount
            if changed + _alarm(connection, seen, alarm, message):
                insert_consent_event(connection, event)

        await self._db.write(job)

    async def seen(self, provider: str, ident: bytes) -> SeenWithdrawal | None:
        """See the port."""
        found = await self._db.read(
            lambda c: c.execute(
                "SELECT * FROM withdrawals_seen WHERE provider = ? AND id = ?", (provider, ident)
            ).fetchone()
        )
        return None if found is None else _seen_of(found)

    async def all_seen(self) -> tuple[SeenWithdrawal, ...]:
        """See the port."""
        return await self._db.read(
            lambda c: tuple(
                _seen_of(row) for row in c.execute("SELECT * FROM withdrawals_seen ORDER BY time, provider, id")
            )
        )

    async def beside(self, own: str, names: Sequence[Name]) -> frozenset[Name]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> frozenset[Name]:
            return frozenset(name for name in names if _is_beside(connection, own, name))

        return await self._db.read(job) if names else frozenset()

    async def statements(self, provider: str, ident: bytes) -> tuple[StoredStatement, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[StoredStatement, ...]:
            rows = connection.execute(
                "SELECT * FROM holder_statements WHERE provider = ? AND id = ? ORDER BY holder, time, conduct",
                (provider, ident),
            )
            return tuple(StoredStatement(**dict(row)) for row in rows)

        return await self._db.read(job)

    async def accepted_under(self, body: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[tuple[bytes, bytes], ...]:
            rows = connection.execute(
                "SELECT header, receipt FROM outbox WHERE receipt IS NOT NULL AND instr(header, ?) > 0"
                " ORDER BY created",
                (body,),
            )
            return tuple((row["header"], row["receipt"]) for row in rows)

        return await self._db.read(job)


def _messages_under(connection: sqlite3.Connection, name: Name) -> tuple[bytes, ...]:
    """A held Grant that no envelope carried concerns the messages of the Provision that it was given for."""
    rows = connection.execute(
        "SELECT message FROM consent_names WHERE provider = ?1 AND id = ?2"
        " UNION SELECT n.message FROM consent_grants g JOIN consent_names n ON n.provider = g.provider"
        " AND n.id = g.provision WHERE g.box = 'held' AND g.provider = ?1 AND g.id = ?2"
        " UNION SELECT message FROM consent_grants WHERE box = 'held' AND provider = ?1 AND id = ?2"
        " AND message IS NOT NULL",
        name,
    )
    return tuple(row["message"] for row in rows)


def _is_beside(connection: sqlite3.Connection, own: str, name: Name) -> bool:
    provider, ident = name
    if provider == own:
        query, values = "SELECT 1 FROM withdrawals WHERE id = ? AND position IS NULL", (ident,)
        return connection.execute(query, values).fetchone() is not None
    query = "SELECT 1 FROM withdrawals_seen WHERE provider = ? AND id = ? AND position IS NULL"
    return connection.execute(query, name).fetchone() is not None


def _seen_of(row: sqlite3.Row) -> SeenWithdrawal:
    return SeenWithdrawal(**{**dict(row), "alarmed": bool(row["alarmed"])})


def _save(connection: sqlite3.Connection, seen: SeenWithdrawal) -> int:
    """1 when it is new."""
    return connection.execute(
        "INSERT OR IGNORE INTO withdrawals_seen (provider, id, target, provision, sealed_reason, told, position, time)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            seen.provider,
            seen.id,
            seen.target,
            seen.provision,
            seen.sealed_reason,
            seen.told,
            seen.position,
            seen.time,
        ),
    ).rowcount


def _alarm(connection: sqlite3.Connection, seen: SeenWithdrawal, alarm: Alarm | None, message: bytes | None) -> int:
    """1 when people are told now: once of each withdrawal."""
    if alarm is None:
        return 0
    new = connection.execute(
        "UPDATE withdrawals_seen SET alarmed = 1 WHERE provider = ? AND id = ? AND alarmed = 0",
        (seen.provider, seen.id),
    ).rowcount
    if new:
        insert_alarm(connection, alarm)
        if message is not None:
            insert_event(connection, message, "message.withdrawn", box="inbox", provider=seen.provider)
    return new
