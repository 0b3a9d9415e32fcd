"""The SQL of the relay's mailboxes: each function is one job on a connection."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from exchange.storage.port import EnvelopeKey, Lane, PendingNotice, Waiting
from exchange.storage.relay_rows import State
from schemas.ids import EnvelopeId, MemberId
from schemas.relayapi import SeenItem

NEXT_IN_LANE: Final = (
    "SELECT envelope FROM deliveries WHERE recipient = ? AND precedence = ? AND large = ? AND state = 0"
    " ORDER BY envelope LIMIT ?"
)


def waiting(
    connection: sqlite3.Connection,
    member: MemberId,
    now: int,
    lanes: Sequence[Lane],
    skip: Collection[int],
    max_bytes: int,
) -> tuple[Waiting, ...]:
    """The next envelopes of these lanes."""
    order = [(lane.precedence, position) for lane in lanes for position in _next(connection, member, lane, skip)]
    found: list[Waiting] = []
    size = 0
    for precedence, position in sorted(order):
        item = _waiting(connection, position, precedence)
        if item is None or item.expires <= now:
            continue
        size += len(item.header) + len(item.body or b"")
        if found and size > max_bytes:
            break
        found.append(item)
    return tuple(found)


def _next(connection: sqlite3.Connection, member: MemberId, lane: Lane, skip: Collection[int]) -> list[int]:
    # At most len(skip) of the first rows are skipped, so this many hold all that may be wanted.
    rows = connection.execute(NEXT_IN_LANE, (member, lane.precedence, lane.large, lane.room + len(skip)))
    return [position for (position,) in rows if position not in skip][: lane.room]


def _waiting(connection: sqlite3.Connection, position: int, precedence: int) -> Waiting | None:
    row = connection.execute(
        "SELECT sender, id, header, receipt, expires, body FROM envelopes JOIN contents ON envelope = position"
        " WHERE position = ?",
        (position,),
    ).fetchone()
    if row is None:
        return None
    key = EnvelopeKey(MemberId(row["sender"]), EnvelopeId(row["id"]))
    return Waiting(position, key, row["header"], row["receipt"], precedence, row["expires"], row["body"])


def body(connection: sqlite3.Connection, member: MemberId, key: EnvelopeKey) -> bytes | str | None:
    """A small body's bytes or a large one's file, when the envelope waits for `member`."""
    row = connection.execute(
        "SELECT body, file FROM envelopes JOIN contents ON contents.envelope = position"
        " JOIN deliveries ON deliveries.envelope = position"
        " WHERE sender = ? AND id = ? AND recipient = ? AND state = ?",
        (key.sender, key.id, member, State.WAITING),
    ).fetchone()
    if row is None:
        return None
    found: bytes | str = row["body"] if row["file"] is None else row["file"]
    return found


def notices(
    connection: sqlite3.Connection, member: MemberId, skip: Collection[int], limit: int
) -> tuple[PendingNotice, ...]:
    """Notices to a sender, oldest first."""
    found = connection.execute(
        "SELECT notices.position, id, recipient, acknowledgement FROM notices"
        " JOIN deliveries USING (envelope, recipient) JOIN envelopes ON envelopes.position = envelope"
        " WHERE notices.sender = ? ORDER BY notices.position LIMIT ?",
        (member, limit + len(skip)),
    )
    items = [
        PendingNotice(row["position"], EnvelopeId(row["id"]), MemberId(row["recipient"]), row["acknowledgement"])
        for row in found
        if row["position"] not in skip
    ]
    return tuple(items[:limit])


def seen(connection: sqlite3.Connection, member: MemberId, items: Sequence[SeenItem]) -> None:
    """Drop notices that the sender has on file."""
    connection.executemany(
        "DELETE FROM notices WHERE recipient = ? AND envelope = "
        "(SELECT position FROM envelopes WHERE sender = ? AND id = ?)",
        [(item.recipient, member, item.envelope) for item in items],
    )
