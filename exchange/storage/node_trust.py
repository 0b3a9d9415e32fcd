"""What a node trusts, in SQLite: `TrustStore` and `HandStore` of the port."""

import json
import sqlite3
from collections.abc import Collection, Sequence

from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.node_rows import insert_alarm
from exchange.storage.node_values import Alarm
from exchange.storage.trust_port import Heard, Hold, KeptCheckpoint, Witnessed
from schemas.limits import MAX_LIFE


class SqliteTrust:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def checkpoints(self) -> tuple[KeptCheckpoint, ...]:
        """See the port."""
        return await self._db.read(
            lambda c: tuple(KeptCheckpoint(**dict(row)) for row in c.execute("SELECT * FROM checkpoints ORDER BY size"))
        )

    async def adopt(
        self,
        position: int,
        entries: Sequence[bytes],
        checkpoint: KeptCheckpoint,
        alarms: tuple[Alarm, ...],
        lasting: Collection[int] = (),
    ) -> None:
        """See the port."""
        rows = [(position + offset, entry) for offset, entry in enumerate(entries)]
        kept = (
            checkpoint.size,
            checkpoint.root,
            checkpoint.first,
            checkpoint.latest,
            checkpoint.note,
            checkpoint.first_note,
        )

        def job(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO directory (position, entry) VALUES (?, ?)", rows)
            connection.execute(
                "INSERT INTO checkpoints (size, root, first, latest, note, first_note) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (size) DO UPDATE SET first_note = ifnull(first_note, note), note = excluded.note,"
                " latest = excluded.latest WHERE excluded.latest > latest",
                kept,
            )
            connection.execute(
                "WITH lasting AS (SELECT value FROM json_each(?)) UPDATE checkpoints SET first_note = NULL,"
                " note = iif(size IN lasting, note, NULL) WHERE latest < ? AND note IS NOT NULL"
                " AND (first_note IS NOT NULL OR size NOT IN lasting)",
                (json.dumps(sorted(lasting)), checkpoint.latest - MAX_LIFE),
            )
            for alarm in alarms:
                insert_alarm(connection, alarm)

        await self._db.write(job)

    async def witnessed(self, origin: str) -> Witnessed | None:
        """See the port."""
        return await self._db.read(lambda c: _witnessed(c, origin))

    async def save_witnessed(self, origin: str, before: Witnessed | None, now: Witnessed) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if _witnessed(connection, origin) != before:
                return False
            connection.execute(
                "INSERT OR REPLACE INTO witnessed (origin, size, root, note, time) VALUES (?, ?, ?, ?, ?)",
                (origin, now.size, now.root, now.note, now.time),
            )
            return True

        return await self._db.write(job)

    async def heard(self) -> tuple[Heard, ...]:
        """See the port."""
        return await self._db.read(
            lambda c: tuple(Heard(**dict(row)) for row in c.execute("SELECT * FROM heard ORDER BY member"))
        )

    async def save_heard(self, heard: Heard) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute(
                "INSERT OR IGNORE INTO heard (member, size, root, note, time) VALUES (?, ?, ?, ?, ?)",
                (heard.member, heard.size, heard.root, heard.note, heard.time),
            )
        )

    async def forget_heard(self, members: Sequence[str]) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.executemany("DELETE FROM heard WHERE member = ?", [(member,) for member in members])
        )

    async def save_alarm(self, alarm: Alarm, hold: str | None) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            if not insert_alarm(connection, alarm):
                return False
            if hold is not None:
                connection.execute(
                    "INSERT OR IGNORE INTO holds (member, since, kind, detail) VALUES (?, ?, ?, ?)",
                    (hold, alarm.time, alarm.kind, alarm.detail),
                )
            return True

        return await self._db.write(job)

    async def restored(self) -> tuple[int, int] | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[int, int] | None:
            taken, restored = connection.execute("SELECT min(taken), max(restored) FROM restores").fetchone()
            return None if taken is None else (int(taken), int(restored))

        return await self._db.read(job)


class SqliteHand:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def holds(self) -> tuple[Hold, ...]:
        """See the port."""
        return await self._db.read(
            lambda c: tuple(Hold(**dict(row)) for row in c.execute("SELECT * FROM holds ORDER BY member"))
        )

    async def release(self, member: str, now: int) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            released = connection.execute("DELETE FROM holds WHERE member = ?", (member,)).rowcount
            if released:
                insert_fact(connection, node_facts.operated("hold-released", now, member=member))
            return released == 1

        return await self._db.write(job)

    async def obeyed(self) -> tuple[bytes, ...]:
        """See the port."""
        return await self._db.read(lambda c: tuple(row["entry"] for row in c.execute("SELECT entry FROM obeyed")))

    async def obey(self, entry: bytes, now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            taken = connection.execute("INSERT OR IGNORE INTO obeyed (entry) VALUES (?)", (entry,))
            if taken.rowcount:
                insert_fact(connection, node_facts.obeyed(entry, now))

        await self._db.write(job)


def _witnessed(connection: sqlite3.Connection, origin: str) -> Witnessed | None:
    row = connection.execute("SELECT size, root, note, time FROM witnessed WHERE origin = ?", (origin,)).fetchone()
    return None if row is None else Witnessed(**dict(row))
