"""Groups of states and class tags in SQLite: `GroupStore` and `ClassStore` of the group port."""

import sqlite3

from exchange.storage.engine import Database


class SqliteGroups:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def put(self, name: str, signed: bytes) -> None:
        """See the port."""
        await self._db.write(
            lambda c: c.execute("INSERT OR REPLACE INTO state_groups (name, signed) VALUES (?, ?)", (name, signed))
        )

    async def group(self, name: str) -> bytes | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT signed FROM state_groups WHERE name = ?", (name,)).fetchone()
            return None if row is None else bytes(row["signed"])

        return await self._db.read(job)

    async def groups(self) -> tuple[bytes, ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[bytes, ...]:
            return tuple(row["signed"] for row in connection.execute("SELECT signed FROM state_groups ORDER BY name"))

        return await self._db.read(job)

    async def remove(self, name: str) -> bool:
        """See the port."""
        return await self._db.write(
            lambda c: c.execute("DELETE FROM state_groups WHERE name = ?", (name,)).rowcount == 1
        )


class SqliteClasses:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def tag(self, name: bytes, fresh: bytes, sealed_name: bytes, now: int) -> bytes:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes:
            connection.execute(
                "INSERT OR IGNORE INTO class_tags (name, tag, sealed_name, created) VALUES (?, ?, ?, ?)",
                (name, fresh, sealed_name, now),
            )
            found = connection.execute("SELECT tag FROM class_tags WHERE name = ?", (name,)).fetchone()
            return bytes(found["tag"])

        return await self._db.write(job)

    async def find(self, name: bytes) -> bytes | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT tag FROM class_tags WHERE name = ?", (name,)).fetchone()
            return None if row is None else bytes(row["tag"])

        return await self._db.read(job)

    async def classes(self) -> tuple[tuple[bytes, bytes, bytes], ...]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> tuple[tuple[bytes, bytes, bytes], ...]:
            rows = connection.execute("SELECT name, tag, sealed_name FROM class_tags ORDER BY created, tag")
            return tuple((row["name"], row["tag"], row["sealed_name"]) for row in rows)

        return await self._db.read(job)
