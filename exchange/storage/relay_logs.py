"""The SQL of the relay's logs: each function is one job inside the caller's transaction."""

import sqlite3
from dataclasses import asdict
from typing import Final

from exchange.storage.log_port import AUDIT, DIRECTORY, AuditLeaf, LogHoldings, StoredCheckpoint
from schemas.ids import EnvelopeId, MemberId
from schemas.limits import DAY, HOUR

# A note of 28 members has some 70 KiB, and there may be one every few seconds. Who asks late for the proof of an
# acceptance gets it under the last checkpoint of that day, or of the directory under which it was accepted.
_KEEP_ALL: Final = HOUR

_COLUMNS: Final = "SELECT size, note, published, time, view FROM checkpoints"
_FIRST: Final = "SELECT size, first AS note, published, time, view FROM checkpoints"
_SAME: Final = "SELECT 1 FROM checkpoints WHERE log = old.log AND published = 1 AND view = old.view"


def add_leaf(connection: sqlite3.Connection, envelope: int, leaf: bytes) -> None:
    """Append the leaf of the envelope with this position."""
    connection.execute(
        "INSERT INTO audit (position, leaf, envelope)"
        " VALUES ((SELECT coalesce(max(position) + 1, 0) FROM audit), ?, ?)",
        (leaf, envelope),
    )


def leaf_count(connection: sqlite3.Connection) -> int:
    """Leaves are numbered from 0 without a gap."""
    return int(connection.execute("SELECT coalesce(max(position) + 1, 0) FROM audit").fetchone()[0])


def leaves(connection: sqlite3.Connection, start: int, max_bytes: int) -> tuple[bytes, ...]:
    """As many leaves of the audit log from `start` as fit."""
    return fitting(
        connection.execute("SELECT leaf FROM audit WHERE position >= ? ORDER BY position", (start,)), max_bytes
    )


def fitting(rows: sqlite3.Cursor, max_bytes: int) -> tuple[bytes, ...]:
    """The first column of as many rows as fit into `max_bytes`, but of one at least when there is one."""
    found: list[bytes] = []
    size = 0
    for (item,) in rows:
        size += len(item)
        if found and size > max_bytes:
            break
        found.append(item)
    return tuple(found)


def leaf_of(connection: sqlite3.Connection, sender: MemberId, envelope: EnvelopeId) -> AuditLeaf | None:
    """The leaf of one acceptance."""
    row = connection.execute(
        "SELECT audit.position, leaf FROM audit JOIN envelopes ON envelopes.position = audit.envelope"
        " WHERE sender = ? AND id = ?",
        (sender, envelope),
    ).fetchone()
    return None if row is None else AuditLeaf(row["position"], row["leaf"])


def save(connection: sqlite3.Connection, log: str, checkpoint: StoredCheckpoint) -> None:
    """Insert or replace by (log, size), and delete what need not be kept any more."""
    connection.execute(
        "INSERT INTO checkpoints (log, size, note, published, time, view, first, since)"
        " VALUES (:log, :size, :note, :published, :time, :view,"
        " iif(:published, :note, NULL), iif(:published, :time, 0))"
        " ON CONFLICT DO UPDATE SET note = excluded.note, published = max(published, excluded.published),"
        " time = excluded.time, view = iif(published, view, excluded.view), first = ifnull(first, excluded.first),"
        " since = iif(published, since, excluded.since)",
        {"log": log, **asdict(checkpoint)},
    )
    if not checkpoint.published:
        return
    connection.execute("DELETE FROM checkpoints WHERE log = ? AND published = 0 AND size < ?", (log, checkpoint.size))
    connection.execute(
        "DELETE FROM checkpoints AS old WHERE log = ? AND published = 1 AND since < ? AND EXISTS (SELECT 1 FROM"  # noqa: S608  # own text
        " checkpoints WHERE log = old.log AND published = 1 AND size > old.size AND since / ? = old.since / ?)"
        f" AND (log = ? OR (EXISTS ({_SAME} AND size < old.size) AND EXISTS ({_SAME} AND size > old.size)))",
        (log, checkpoint.time - _KEEP_ALL, DAY, DAY, DIRECTORY),
    )


def newest(connection: sqlite3.Connection, log: str, published: bool) -> StoredCheckpoint | None:
    """The largest, of those that are published or of all."""
    least = 1 if published else 0
    return _one(connection, f"{_COLUMNS} WHERE log = ? AND published >= ? ORDER BY size DESC LIMIT 1", log, least)


def covering(connection: sqlite3.Connection, log: str, position: int) -> StoredCheckpoint | None:
    """The smallest published one that covers a leaf."""
    query = f"{_FIRST} WHERE log = ? AND published = 1 AND size > ? ORDER BY size LIMIT 1"
    return _one(connection, query, log, position)


def holdings(connection: sqlite3.Connection) -> tuple[LogHoldings, ...]:
    """Both logs; the directory first."""
    (entries,) = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM directory").fetchone()
    return tuple(
        LogHoldings(name, size, newest(connection, name, published=False), newest(connection, name, published=True))
        for name, size in ((DIRECTORY, entries), (AUDIT, leaf_count(connection)))
    )


def _one(connection: sqlite3.Connection, query: str, *arguments: int | str) -> StoredCheckpoint | None:
    row = connection.execute(query, arguments).fetchone()
    if row is None:
        return None
    return StoredCheckpoint(row["size"], row["note"], bool(row["published"]), row["time"], row["view"])
