"""What was lost and is sent again, in SQLite: `ResendStore` of the port."""

import sqlite3

from exchange.storage.engine import Database
from exchange.storage.node_outbox import insert_sealed, require_kept
from exchange.storage.node_rows import message_of
from exchange.storage.node_values import Ask, OutboxEnvelope, Place, Resent
from schemas.content import VoidReason
from schemas.limits import DAY, MAX_CLOCK_AHEAD, MAX_LIFE

# What the requests of one recipient may bring about in a day; one that lost more asks again the next day.
_MOST = 5000
_TOO_LATE = "its time was over when it was asked for"


class SqliteResends:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def lost_since(self) -> int | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> int | None:
            taken = connection.execute("SELECT min(taken) FROM restores").fetchone()[0]
            return None if taken is None else int(taken)

        return await self._db.read(job)

    async def asks(self, partners: tuple[str, ...]) -> tuple[Ask, ...]:
        """See the port."""
        fresh = await self._db.read(
            lambda c: c.execute("SELECT count(*) FROM restores WHERE spread = 0").fetchone()[0] > 0
        )
        if fresh:
            await self._db.write(lambda c: _spread(c, partners))

        def job(connection: sqlite3.Connection) -> tuple[Ask, ...]:
            rows = connection.execute("SELECT member, since FROM asks WHERE sent IS NULL ORDER BY member")
            return tuple(Ask(row["member"], row["since"]) for row in rows)

        return await self._db.read(job)

    async def save_asked(self, member: str, now: int) -> None:
        """See the port."""
        await self._db.write(lambda c: c.execute("UPDATE asks SET sent = ? WHERE member = ?", (now, member)))

    async def want(self, member: str, since: int, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            asked = connection.execute(
                "SELECT count(*) FROM resends WHERE member = ? AND waits = 0 AND asked > ?", (member, now - DAY)
            ).fetchone()[0]
            for row in _wanted(connection, member, since, now, max(0, _MOST - asked)):
                replaces = _latest(connection, row["id"], member)
                if replaces is None or not _add(connection, row["id"], member, now, replaces, waits=False):
                    continue
                if row["expires"] <= now:
                    _end(connection, row["id"], member, now, _TOO_LATE)
                    _settle(connection, replaces, member, VoidReason.LOST, now)

        await self._db.write(job)

    async def want_anew(self, envelope: bytes, member: str, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT message FROM outbox WHERE envelope = ?1 AND message IS NOT NULL"
                " UNION SELECT message FROM resends WHERE envelope = ?1",
                (envelope,),
            ).fetchone()
            if row is not None:
                _add(connection, row["message"], member, now, envelope, waits=True)

        await self._db.write(job)

    async def due(self, limit: int) -> tuple[Resent, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[Resent, ...]:
            rows = connection.execute(
                "SELECT r.member, r.asked, r.replaces, r.waits AS waiting, m.*, o.header AS replaced FROM resends r"
                " JOIN messages m ON m.id = r.message JOIN outbox o ON o.envelope = r.replaces"
                " WHERE r.envelope IS NULL AND r.fault IS NULL ORDER BY r.asked LIMIT ?",
                (limit,),
            ).fetchall()
            return tuple(
                Resent(
                    message_of(connection, row),
                    row["member"],
                    row["asked"],
                    row["replaces"],
                    row["replaced"],
                    bool(row["waiting"]),
                )
                for row in rows
            )

        return await self._db.read(job)

    async def save_resent(self, resent: Resent, envelope: OutboxEnvelope, places: tuple[Place, ...]) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            require_kept(connection, resent.message.id)
            insert_sealed(connection, envelope, places)
            connection.execute(
                "UPDATE resends SET envelope = ? WHERE message = ? AND member = ? AND asked = ?",
                (envelope.envelope, resent.message.id, resent.member, resent.asked),
            )
            _settle(connection, resent.replaces, resent.member, VoidReason.SUPERSEDED, envelope.created)

        await self._db.write(job)

    async def save_not_resent(self, resent: Resent, fault: str, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            _end(connection, resent.message.id, resent.member, resent.asked, fault)
            # What the recipient refused did arrive; what it asks for did and is lost.
            if not resent.waits:
                _settle(connection, resent.replaces, resent.member, VoidReason.LOST, now)

        await self._db.write(job)


def _spread(connection: sqlite3.Connection, partners: tuple[str, ...]) -> None:
    taken = connection.execute("SELECT min(taken) FROM restores WHERE spread = 0").fetchone()[0]
    connection.executemany(
        "INSERT INTO asks (member, since) VALUES (?, ?)"
        " ON CONFLICT (member) DO UPDATE SET since = min(since, excluded.since), sent = NULL",
        [(member, taken) for member in partners],
    )
    connection.execute("UPDATE restores SET spread = 1")


def _wanted(connection: sqlite3.Connection, member: str, since: int, now: int, most: int) -> list[sqlite3.Row]:
    """What a recipient had answered since a time and was not sent again today; first what it never was."""
    return connection.execute(
        "SELECT m.id, m.expires FROM messages m JOIN recipients r ON r.message = m.id"
        " WHERE m.box = 'outbox' AND r.member = ?1 AND r.state IN ('delivered', 'expired', 'refused')"
        " AND r.changed >= ?2 AND m.created > ?3"
        " AND NOT EXISTS (SELECT 1 FROM resends s WHERE s.message = m.id AND s.member = ?1 AND s.asked > ?4)"
        " ORDER BY EXISTS (SELECT 1 FROM resends s WHERE s.message = m.id AND s.member = ?1), m.seq LIMIT ?5",
        (member, since - MAX_CLOCK_AHEAD, now - MAX_LIFE, now - DAY, most),
    ).fetchall()


def _latest(connection: sqlite3.Connection, message: bytes, member: str) -> bytes | None:
    """The envelope that brought a message to a recipient last."""
    row = connection.execute(
        "SELECT envelope FROM (SELECT envelope, asked FROM resends WHERE message = ?1 AND member = ?2"
        " AND envelope IS NOT NULL UNION ALL SELECT envelope, 0 FROM outbox WHERE message = ?1"
        " AND state <> 'superseded')"
        " ORDER BY asked DESC LIMIT 1",
        (message, member),
    ).fetchone()
    return None if row is None else bytes(row["envelope"])


def _add(
    connection: sqlite3.Connection, message: bytes, member: str, now: int, replaces: bytes, *, waits: bool
) -> bool:
    """True when it is new: at most once a day, whatever the recipient asks or refuses."""
    cursor = connection.execute(
        "INSERT INTO resends (message, member, asked, replaces, waits) SELECT ?1, ?2, ?3, ?4, ?5"
        " WHERE NOT EXISTS (SELECT 1 FROM resends WHERE message = ?1 AND member = ?2 AND asked > ?3 - ?6)",
        (message, member, now, replaces, int(waits), DAY),
    )
    return cursor.rowcount == 1


def _end(connection: sqlite3.Connection, message: bytes, member: str, asked: int, fault: str) -> None:
    connection.execute(
        "UPDATE resends SET fault = ? WHERE message = ? AND member = ? AND asked = ? AND envelope IS NULL",
        (fault, message, member, asked),
    )


def _settle(connection: sqlite3.Connection, envelope: bytes, member: str, reason: VoidReason, now: int) -> None:
    """The number of the envelope that is replaced, or lost, becomes void, and the next head says so soon."""
    connection.execute(
        "UPDATE numbers_out SET settled = ? WHERE envelope = ? AND recipient = ? AND settled > 0",
        (reason + 1, envelope, member),
    )
    connection.execute(
        "UPDATE streams_out SET head_due = ? WHERE kind IN (1, 3) AND stream IN"
        " (SELECT stream FROM numbers_out WHERE envelope = ? AND recipient = ?)",
        (now, envelope, member),
    )
