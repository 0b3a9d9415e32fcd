"""The SQL of members' logs at the relay: each function is one job inside the caller's transaction."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from exchange.errors import Unavailable
from exchange.storage.anchor_port import Fork, Growth, HeldLog
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.log_port import AuditLeaf
from schemas.ids import Digest, MemberId
from schemas.limits import DAY

_HASH: Final = 32
_WIDTH: Final = 256


def held_log(connection: sqlite3.Connection, member: MemberId) -> HeldLog:
    """What is held of a member's log."""
    row = connection.execute("SELECT size, frontier FROM member_logs WHERE member = ?", (member,)).fetchone()
    return HeldLog(0, ()) if row is None else HeldLog(row["size"], _split(row["frontier"]))


def grow(connection: sqlite3.Connection, growth: Growth) -> None:
    """Append hashes, replace the frontier, keep note and entry."""
    member, after = growth.member, growth.after
    if held_log(connection, member).size != growth.before:
        raise Unavailable("anchor-moved", "another anchor of this log has come meanwhile: try again")
    _append(connection, member, growth.before, growth.hashes)
    connection.execute(
        "INSERT INTO member_logs (member, size, frontier) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET size = excluded.size, frontier = excluded.frontier",
        (member, after.size, b"".join(after.frontier)),
    )
    position = insert_fact(connection, growth.fact)
    connection.execute(
        "INSERT INTO anchors (member, size, root, position) VALUES (?, ?, ?, ?)",
        (member, after.size, growth.root, position),
    )
    connection.execute(
        "INSERT INTO anchor_notes (member, day, size, note) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET size = excluded.size, note = excluded.note",
        (member, growth.time // DAY, after.size, growth.note),
    )


def hashes(connection: sqlite3.Connection, member: MemberId, start: int, limit: int) -> bytes:
    """Hashes of leaves from `start`."""
    first, skipped = divmod(start, _WIDTH)
    tiles = connection.execute(
        "SELECT hashes FROM member_leaves WHERE member = ? AND tile BETWEEN ? AND ? ORDER BY tile",
        (member, first, (start + limit) // _WIDTH),
    )
    return b"".join(tile for (tile,) in tiles)[skipped * _HASH : (skipped + limit) * _HASH]


def root_at(connection: sqlite3.Connection, member: MemberId, size: int) -> Digest | None:
    """The root that was anchored at a size."""
    row = connection.execute("SELECT root FROM anchors WHERE member = ? AND size = ?", (member, size)).fetchone()
    return None if row is None else Digest(row["root"])


def newest_note(connection: sqlite3.Connection, member: MemberId) -> bytes | None:
    """The largest checkpoint that is kept."""
    row = connection.execute(
        "SELECT note FROM anchor_notes WHERE member = ? ORDER BY size DESC LIMIT 1", (member,)
    ).fetchone()
    return None if row is None else bytes(row["note"])


def leaf_at(connection: sqlite3.Connection, member: MemberId, size: int) -> AuditLeaf | None:
    """The entry of the first anchor of `size` leaves or more."""
    row = connection.execute(
        "SELECT audit.position, leaf FROM anchors JOIN audit USING (position)"
        " WHERE member = ? AND size >= ? ORDER BY size LIMIT 1",
        (member, size),
    ).fetchone()
    return None if row is None else AuditLeaf(row["position"], row["leaf"])


def keep_fork(connection: sqlite3.Connection, fork: Fork, most: int) -> bool:
    """Keep a contradiction and its entry, unless it is known or there are enough."""
    (known,) = connection.execute(
        "SELECT count(*) >= ? OR coalesce(max(offered = ?), 0) FROM anchor_forks WHERE member = ?",
        (most, fork.offered, fork.member),
    ).fetchone()
    if known:
        return False
    connection.execute(
        "INSERT INTO anchor_forks (member, time, held, offered) VALUES (?, ?, ?, ?)",
        (fork.member, fork.time, fork.held, fork.offered),
    )
    insert_fact(connection, fork.fact)
    return True


def forks(connection: sqlite3.Connection, member: MemberId) -> tuple[tuple[bytes, bytes], ...]:
    """What was held and offered."""
    rows = connection.execute("SELECT held, offered FROM anchor_forks WHERE member = ? ORDER BY position", (member,))
    return tuple((bytes(row["held"]), bytes(row["offered"])) for row in rows)


def _append(connection: sqlite3.Connection, member: MemberId, size: int, new: Sequence[Digest]) -> None:
    tile, width = divmod(size, _WIDTH)
    row = connection.execute(
        "SELECT hashes FROM member_leaves WHERE member = ? AND tile = ?", (member, tile)
    ).fetchone()
    data = (b"" if row is None else bytes(row["hashes"]))[: width * _HASH] + b"".join(new)
    step = _WIDTH * _HASH
    connection.executemany(
        "INSERT INTO member_leaves (member, tile, hashes) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET hashes = excluded.hashes",
        [(member, tile + place // step, data[place : place + step]) for place in range(0, len(data), step)],
    )


def _split(data: bytes) -> tuple[Digest, ...]:
    return tuple(Digest(data[place : place + _HASH]) for place in range(0, len(data), _HASH))
