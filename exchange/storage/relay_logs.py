"""The SQL of the relay's logs: each function is one job inside the caller's transaction."""

import sqlite3
from dataclasses import asdict
from typing import Final

from exchange.audit.pruned import hash_of
from exchange.storage.log_port import AUDIT, DIRECTORY, AuditLeaf, LogHoldings, StoredCheckpoint
from schemas.audit import AuditKind, read_entry
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.limits import DAY, HOUR

# A note of 28 members has some 70 KiB, and there may be one every few seconds. Who asks late for the proof of an
# acceptance gets it under the last checkpoint of that day, or of the directory under which it was accepted.
_KEEP_ALL: Final = HOUR

_COLUMNS: Final = "SELECT size, note, published, time, view FROM checkpoints"
_FIRST: Final = "SELECT size, first AS note, published, time, view FROM checkpoints"
_ABOUT: Final = "SELECT position, leaf FROM audit JOIN audit_classes ON id = class WHERE envelope = ?"
_SAME: Final = "SELECT 1 FROM checkpoints WHERE log = old.log AND published = 1 AND view = old.view"


def leaf_count(connection: sqlite3.Connection) -> int:
    """Leaves are numbered from 0 without a gap."""
    return int(connection.execute("SELECT coalesce(max(position) + 1, 0) FROM audit").fetchone()[0])


def leaves(connection: sqlite3.Connection, start: int, max_bytes: int) -> tuple[bytes, ...]:
    """As many leaves of the audit log from `start` as fit."""
    return fitting(
        connection.execute("SELECT leaf FROM audit WHERE position >= ? ORDER BY position", (start,)), max_bytes
    )


def leaf_hashes(connection: sqlite3.Connection, start: int, limit: int) -> tuple[Digest, ...]:
    """Hashes of leaves of the audit log from `start`, also of those that were pruned."""
    rows = connection.execute(
        "SELECT leaf, hash FROM audit WHERE position >= ? ORDER BY position LIMIT ?", (start, limit)
    )
    return tuple(Digest(row["hash"]) if row["leaf"] is None else hash_of(row["leaf"]) for row in rows)


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
    row = connection.execute(f"{_ABOUT} AND kind = ? AND member = ?", (envelope, AuditKind.ACCEPTED, sender)).fetchone()
    return None if row is None else AuditLeaf(row["position"], row["leaf"])


def answer_leaf_of(
    connection: sqlite3.Connection, recipient: MemberId, envelope: EnvelopeId, header: Digest
) -> AuditLeaf | None:
    """The leaf of one acknowledgement; two senders may have chosen the same id."""
    rows = connection.execute(f"{_ABOUT} AND kind = ? AND member = ?", (envelope, AuditKind.ACKNOWLEDGED, recipient))
    for row in rows:
        if read_entry(row["leaf"]).header_digest == header:
            return AuditLeaf(row["position"], row["leaf"])
    return None


def newest_of(connection: sqlite3.Connection, kind: AuditKind) -> bytes | None:
    """The newest leaf of a kind."""
    row = connection.execute(
        "SELECT leaf FROM audit WHERE class IN (SELECT id FROM audit_classes WHERE kind = ?)"
        # By their class: what is asked for may be rare, and the log is long.
        " ORDER BY +position DESC LIMIT 1",
        (kind,),
    ).fetchone()
    return None if row is None else bytes(row["leaf"])


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
