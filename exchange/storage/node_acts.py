"""Acts that wait for other officials in SQLite: `ActStore` of the act port."""

import sqlite3
from dataclasses import replace
from typing import Final

from exchange.consent.four_eyes import (
    MOVES,
    ActState,
    Approval,
    Obstacle,
    approval_obstacle,
    change_obstacle,
    is_released,
)
from exchange.errors import TooMany
from exchange.storage.act_port import Act, ActBounds, Change
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.engine import Database
from exchange.storage.node_consent import insert_consent_event
from exchange.storage.node_idempotency import keep_key, stored_for
from exchange.storage.node_values import Idempotency

_LISTED: Final = (
    "seq, id, kind, token, ministry, scopes, measures, measure, record_type, x'' AS sealed_request, digest, needed,"
    " state, created, expires, result, sealed_fault"
)
_APPROVALS: Final = (
    "SELECT a.token, a.ministry, a.digest, a.time FROM act_approvals a JOIN tokens t ON t.id = a.token"
    " WHERE a.act = ? AND t.revoked IS NULL ORDER BY a.time, a.token"
)


class SqliteActs:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def add(self, act: Act, idempotency: Idempotency | None, most: ActBounds, event: ConsentEvent) -> bytes:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bytes:
            stored = stored_for(connection, idempotency)
            if stored is not None:
                return stored
            _require_room(connection, act.token, most)
            keep_key(connection, idempotency, act.id)
            _insert(connection, act)
            insert_consent_event(connection, event)
            return act.id

        return await self._db.write(job)

    async def act(self, act: bytes) -> Act | None:
        """See the port."""
        return await self._db.read(lambda connection: _act(connection, act))

    async def acts(self, states: tuple[ActState, ...], limit: int) -> tuple[Act, ...]:
        """See the port."""
        marks = ", ".join("?" * len(states))

        def job(connection: sqlite3.Connection) -> tuple[Act, ...]:
            rows = connection.execute(
                f"SELECT {_LISTED} FROM acts WHERE state IN ({marks}) ORDER BY seq DESC LIMIT ?",  # noqa: S608  fixed texts; values are bound
                (*states, limit),
            ).fetchall()
            return tuple(_act_of(connection, row) for row in rows)

        return await self._db.read(job)

    async def approvals(self, act: bytes) -> tuple[Approval, ...]:
        """See the port."""
        return await self._db.read(lambda connection: _approvals(connection, act))

    async def approve(self, act: bytes, approval: Approval, event: ConsentEvent) -> Obstacle | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Obstacle | None:
            found = _act(connection, act)
            obstacle = Obstacle.ENDED if found is None else approval_obstacle(found.held, approval)
            if found is None or obstacle is not None:
                return obstacle
            taken = connection.execute(
                "INSERT OR IGNORE INTO act_approvals (act, token, ministry, digest, time) VALUES (?, ?, ?, ?, ?)",
                (act, approval.token, approval.ministry, approval.digest, approval.time),
            )
            if taken.rowcount:
                insert_consent_event(connection, event)
            if is_released(found.held, _approvals(connection, act)):
                connection.execute("UPDATE acts SET state = ? WHERE id = ?", (ActState.APPROVED, act))
            return None

        return await self._db.write(job)

    async def change(self, act: bytes, token: str, change: Change, event: ConsentEvent) -> Obstacle | None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> Obstacle | None:
            found = _act(connection, act)
            obstacle = Obstacle.ENDED if found is None else change_obstacle(found.held, token, event.time)
            if found is None or obstacle is not None:
                return obstacle
            connection.execute(
                "UPDATE acts SET sealed_request = ?, digest = ?, measure = ?, record_type = ?, needed = ?, expires = ?"
                " WHERE id = ?",
                (
                    change.sealed_request,
                    change.digest,
                    change.measure,
                    change.record_type,
                    change.needed,
                    change.expires,
                    act,
                ),
            )
            connection.execute("DELETE FROM act_approvals WHERE act = ?", (act,))
            connection.execute("DELETE FROM act_files WHERE act = ?", (act,))
            _insert_files(connection, act, change.files)
            insert_consent_event(connection, event)
            return None

        return await self._db.write(job)

    async def end(
        self, act: bytes, state: ActState, result: bytes | None, sealed_fault: bytes | None, event: ConsentEvent
    ) -> bool:
        """See the port."""

        def job(connection: sqlite3.Connection) -> bool:
            row = connection.execute("SELECT state FROM acts WHERE id = ?", (act,)).fetchone()
            if row is None or state not in MOVES.get(ActState(row["state"]), frozenset()):
                return False
            connection.execute(
                "UPDATE acts SET state = ?, result = ?, sealed_fault = ?, sealed_request = x'' WHERE id = ?",
                (state, result, sealed_fault, act),
            )
            connection.execute("DELETE FROM act_files WHERE act = ?", (act,))
            insert_consent_event(connection, event)
            return True

        return await self._db.write(job)


def _require_room(connection: sqlite3.Connection, token: str, most: ActBounds) -> None:
    """Raises TooMany. One official takes no place from all the others; what a revoked token asked for takes none."""
    pending, own = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE token = ?) FROM acts"
        " WHERE state = 'pending' AND token NOT IN (SELECT id FROM tokens WHERE revoked IS NOT NULL)",
        (token,),
    ).fetchone()
    if pending >= most.pending or own >= most.of_token:
        detail = f"{pending} acts wait for other officials, {own} of them of this token: have some decided first"
        raise TooMany("too-many-releases", detail)


def _insert(connection: sqlite3.Connection, act: Act) -> None:
    connection.execute(
        "INSERT INTO acts (id, kind, token, ministry, scopes, measures, measure, record_type, sealed_request, digest,"
        " needed, state, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            act.id,
            act.kind,
            act.token,
            act.ministry,
            ",".join(act.scopes),
            ",".join(act.measures),
            act.measure,
            act.record_type,
            act.sealed_request,
            act.digest,
            act.needed,
            act.state,
            act.created,
            act.expires,
        ),
    )
    _insert_files(connection, act.id, act.files)


def _insert_files(connection: sqlite3.Connection, act: bytes, files: tuple[str, ...]) -> None:
    connection.executemany(
        "INSERT INTO act_files (act, position, file) VALUES (?, ?, ?)",
        [(act, position, file) for position, file in enumerate(files)],
    )


def _act(connection: sqlite3.Connection, act: bytes) -> Act | None:
    row = connection.execute("SELECT * FROM acts WHERE id = ?", (act,)).fetchone()
    return None if row is None else _act_of(connection, row)


def _act_of(connection: sqlite3.Connection, row: sqlite3.Row) -> Act:
    files = connection.execute("SELECT file FROM act_files WHERE act = ? ORDER BY position", (row["id"],))
    values = {name: row[name] for name in row.keys() if name != "seq"}  # noqa: SIM118  a Row iterates over values
    found = Act(**values, files=tuple(file["file"] for file in files))
    return replace(
        found,
        scopes=tuple(row["scopes"].split(",")),
        measures=tuple(row["measures"].split(",")),
        state=ActState(row["state"]),
    )


def _approvals(connection: sqlite3.Connection, act: bytes) -> tuple[Approval, ...]:
    return tuple(Approval(**dict(row)) for row in connection.execute(_APPROVALS, (act,)))
