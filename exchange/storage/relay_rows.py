"""The SQL of the relay's store: each function is one job on a connection, inside the caller's transaction."""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from exchange.storage.port import (
    Arrival,
    Depth,
    EnvelopeKey,
    Facts,
    GrantKey,
    GrantUse,
    Held,
    Holdings,
    Judge,
    PendingNotice,
    SignedAnswer,
    Waiting,
)
from schemas.ids import Digest, EnvelopeId, MemberId, ProvisionId
from schemas.relayapi import SeenItem

NEXT_IN_MAILBOX: Final = (
    "SELECT envelope FROM deliveries WHERE recipient = ? AND state = 0 ORDER BY precedence, envelope LIMIT ?"
)


class State(IntEnum):
    """Of one delivery; the numbers are in the schema's index."""

    WAITING = 0
    ACKNOWLEDGED = 1
    EXPIRED = 2


@dataclass(frozen=True, slots=True)
class Removed:
    """How many ciphertexts a job deleted, and which files are to be removed after its commit."""

    count: int
    files: tuple[str, ...]


# Directory.


def directory_size(connection: sqlite3.Connection) -> int:
    """Entries are numbered from 0 without a gap."""
    return _number(connection, "SELECT coalesce(max(position) + 1, 0) FROM directory")


def entries(connection: sqlite3.Connection, start: int, max_bytes: int) -> tuple[bytes, ...]:
    """As many entries from `start` as fit."""
    found: list[bytes] = []
    size = 0
    for (entry,) in connection.execute("SELECT entry FROM directory WHERE position >= ? ORDER BY position", (start,)):
        size += len(entry)
        if found and size > max_bytes:
            break
        found.append(entry)
    return tuple(found)


# Envelopes.


def held(connection: sqlite3.Connection, key: EnvelopeKey) -> Held | None:
    """What stands under a key."""
    row = connection.execute(
        "SELECT position, header_digest, receipt FROM envelopes WHERE sender = ? AND id = ?", (key.sender, key.id)
    ).fetchone()
    if row is None:
        return None
    recipients = connection.execute("SELECT recipient FROM deliveries WHERE envelope = ?", (row["position"],))
    return Held(Digest(row["header_digest"]), row["receipt"], frozenset(MemberId(r[0]) for r in recipients))


def uses(connection: sqlite3.Connection, grants: Collection[GrantKey]) -> frozenset[GrantUse]:
    """Counted uses of these Grants."""
    found: set[GrantUse] = set()
    for provider, grant in grants:
        for row in connection.execute(
            "SELECT recipient, provision FROM uses WHERE provider = ? AND consent = ?", (provider, grant)
        ):
            found.add(GrantUse(provider, grant, MemberId(row["recipient"]), ProvisionId(row["provision"])))
    return frozenset(found)


def accept(
    connection: sqlite3.Connection, arrival: Arrival, body: bytes | None, file: str | None, judge: Judge
) -> tuple[Held, bool]:
    """Store an envelope that the judge accepts; False with what stands already. Raises what the judge raises."""
    key = arrival.key
    known = held(connection, key)
    if known is not None:
        return known, False
    last = _number(connection, "SELECT coalesce((SELECT accepted FROM envelopes ORDER BY position DESC LIMIT 1), 0)")
    verdict = judge(Facts(last, uses(connection, arrival.grants)))
    position = connection.execute(
        "INSERT INTO envelopes (sender, id, header_digest, receipt, accepted, open) VALUES (?, ?, ?, ?, ?, ?)",
        (key.sender, key.id, arrival.header_digest, verdict.receipt, verdict.time, len(arrival.recipients)),
    ).lastrowid
    connection.execute(
        "INSERT INTO contents (envelope, expires, header, body, file) VALUES (?, ?, ?, ?, ?)",
        (position, arrival.expires, arrival.header, body, file),
    )
    connection.executemany(
        "INSERT INTO deliveries (envelope, recipient, precedence, state) VALUES (?, ?, ?, ?)",
        [(position, recipient, arrival.precedence, State.WAITING) for recipient in arrival.recipients],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO uses (provider, consent, recipient, provision) VALUES (?, ?, ?, ?)",
        [(use.provider, use.grant, use.recipient, use.provision) for use in verdict.uses],
    )
    return Held(arrival.header_digest, verdict.receipt, frozenset(arrival.recipients)), True


def acknowledge(connection: sqlite3.Connection, answers: Sequence[SignedAnswer]) -> Removed:
    """Store the first answer of each recipient; delete what the last one was waited for."""
    removed = [position for answer in answers if (position := _acknowledge(connection, answer)) is not None]
    return _delete_contents(connection, removed)


def _acknowledge(connection: sqlite3.Connection, answer: SignedAnswer) -> int | None:
    """The envelope's position when nobody is left to wait for."""
    key = answer.key
    row = connection.execute(
        "SELECT position FROM envelopes WHERE sender = ? AND id = ?", (key.sender, key.id)
    ).fetchone()
    if row is None:
        return None
    position = int(row["position"])
    changed = connection.execute(
        "UPDATE deliveries SET state = ?, acknowledgement = ? WHERE envelope = ? AND recipient = ? AND state <> ?",
        (State.ACKNOWLEDGED, answer.signed, position, answer.recipient, State.ACKNOWLEDGED),
    ).rowcount
    if not changed:
        return None
    connection.execute(
        "INSERT INTO notices (sender, envelope, recipient) VALUES (?, ?, ?)", (key.sender, position, answer.recipient)
    )
    left = _number(connection, "UPDATE envelopes SET open = open - 1 WHERE position = ? RETURNING open", position)
    return position if left == 0 else None


def expire(connection: sqlite3.Connection, now: int, limit: int) -> Removed:
    """Delete at most `limit` ciphertexts whose time is over."""
    found = connection.execute(
        "SELECT envelope FROM contents WHERE expires <= ? ORDER BY expires LIMIT ?", (now, limit)
    ).fetchall()
    positions = [int(row["envelope"]) for row in found]
    connection.executemany(
        "UPDATE deliveries SET state = ? WHERE envelope = ? AND state = ?",
        [(State.EXPIRED, position, State.WAITING) for position in positions],
    )
    return _delete_contents(connection, positions)


def _delete_contents(connection: sqlite3.Connection, positions: Iterable[int]) -> Removed:
    count = 0
    files = []
    for position in positions:
        for (file,) in connection.execute("DELETE FROM contents WHERE envelope = ? RETURNING file", (position,)):
            count += 1
            if file is not None:
                files.append(str(file))
    return Removed(count, tuple(files))


# Mailboxes.


def waiting(
    connection: sqlite3.Connection, member: MemberId, now: int, skip: Collection[int], limit: int, max_bytes: int
) -> tuple[Waiting, ...]:
    """The next envelopes of a mailbox."""
    # At most len(skip) of the first rows are skipped, so this many hold all that may be wanted.
    order = connection.execute(NEXT_IN_MAILBOX, (member, limit + len(skip))).fetchall()
    found: list[Waiting] = []
    size = 0
    for position in [int(row["envelope"]) for row in order]:
        if len(found) == limit:
            break
        item = None if position in skip else _waiting(connection, position)
        if item is None or item.expires <= now:
            continue
        size += len(item.header) + len(item.body or b"")
        if found and size > max_bytes:
            break
        found.append(item)
    return tuple(found)


def _waiting(connection: sqlite3.Connection, position: int) -> Waiting | None:
    row = connection.execute(
        "SELECT sender, id, header, receipt, expires, body FROM envelopes JOIN contents ON envelope = position"
        " WHERE position = ?",
        (position,),
    ).fetchone()
    if row is None:
        return None
    key = EnvelopeKey(MemberId(row["sender"]), EnvelopeId(row["id"]))
    return Waiting(position, key, row["header"], row["receipt"], row["expires"], row["body"])


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


# For those who look after the relay.


def holdings(connection: sqlite3.Connection) -> Holdings:
    """Counts."""
    mailboxes = connection.execute(
        "SELECT recipient, count(*) AS waiting, min(accepted) AS oldest FROM deliveries JOIN envelopes"
        " ON envelope = position WHERE state = 0 GROUP BY recipient ORDER BY recipient"
    )
    return Holdings(
        accepted=_number(connection, "SELECT count(*) FROM envelopes"),
        held=_number(connection, "SELECT count(*) FROM contents"),
        directory_size=directory_size(connection),
        mailboxes=tuple(Depth(MemberId(r["recipient"]), r["waiting"], r["oldest"]) for r in mailboxes),
    )


def _number(connection: sqlite3.Connection, query: str, *arguments: int) -> int:
    return int(connection.execute(query, arguments).fetchone()[0])
