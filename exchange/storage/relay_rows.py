"""The SQL of the relay's directory and envelopes: each function is one job inside the caller's transaction."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from exchange.storage import relay_logs as logs
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import insert_acceptance, insert_fact
from exchange.storage.port import (
    Arrival,
    Depth,
    EnvelopeKey,
    Facts,
    GrantUse,
    Handed,
    Held,
    Holdings,
    Judge,
    SignedAnswer,
)
from schemas.audit import AuditKind
from schemas.ids import Digest, MemberId


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
    found = connection.execute("SELECT entry FROM directory WHERE position >= ? ORDER BY position", (start,))
    return logs.fitting(found, max_bytes)


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


def facts(connection: sqlite3.Connection, arrival: Arrival) -> Facts:
    """What the arrival's judge has to know."""
    found: set[GrantUse] = set()
    for provider, grant, provision in arrival.grants:
        rows = connection.execute(
            "SELECT recipient FROM uses WHERE provider = ? AND consent = ? AND provision = ?",
            (provider, grant, provision),
        )
        found.update(GrantUse(provider, grant, MemberId(row["recipient"]), provision) for row in rows)
    listed = Counter((use.provider, use.grant) for use in found)
    others = set()
    for provider, grant in {(provider, grant) for provider, grant, _ in arrival.grants}:
        total = _number(
            connection,
            "SELECT coalesce(max(used), 0) FROM use_counts WHERE provider = ? AND consent = ?",
            provider,
            grant,
        )
        if total > listed[provider, grant]:
            others.add((provider, grant, total - listed[provider, grant]))
    return Facts(
        time=_number(connection, "SELECT coalesce((SELECT accepted FROM envelopes ORDER BY position DESC LIMIT 1), 0)"),
        uses=frozenset(found),
        others=frozenset(others),
        sent=_number(connection, "SELECT coalesce(max(sent), 0) FROM held WHERE member = ?", arrival.key.sender),
        waiting=tuple(
            (member, _number(connection, "SELECT coalesce(max(waiting), 0) FROM held WHERE member = ?", member))
            for member in arrival.recipients
        ),
    )


def accept(
    connection: sqlite3.Connection, arrival: Arrival, body: bytes | None, file: str | None, judge: Judge
) -> tuple[Held, bool]:
    """Store an envelope that the judge accepts; False with what stands already. Raises what the judge raises."""
    key = arrival.key
    known = held(connection, key)
    if known is not None:
        return known, False
    verdict = judge(facts(connection, arrival))
    position = _number(
        connection,
        "INSERT INTO envelopes (sender, id, header_digest, receipt, accepted, open) VALUES (?, ?, ?, ?, ?, ?)"
        " RETURNING position",
        *(key.sender, key.id, arrival.header_digest, verdict.receipt, verdict.time, len(arrival.recipients)),
    )
    insert_acceptance(connection, key.sender, key.id, verdict.time, verdict.leaf)
    connection.execute(
        "INSERT INTO contents (envelope, expires, header, body, file, size) VALUES (?, ?, ?, ?, ?, ?)",
        (position, arrival.expires, arrival.header, body, file, arrival.size),
    )
    connection.executemany(
        "INSERT INTO deliveries (envelope, recipient, precedence, large, state) VALUES (?, ?, ?, ?, ?)",
        [
            (position, recipient, arrival.precedence, file is not None, State.WAITING)
            for recipient in arrival.recipients
        ],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO uses (provider, consent, recipient, provision) VALUES (?, ?, ?, ?)",
        [(use.provider, use.grant, use.recipient, use.provision) for use in verdict.uses],
    )
    return Held(arrival.header_digest, verdict.receipt, frozenset(arrival.recipients)), True


def acknowledge(connection: sqlite3.Connection, answers: Sequence[SignedAnswer]) -> Removed:
    """Store the first answer of each recipient; delete what the last one was waited for."""
    removed = [position for answer in answers if (position := _acknowledge(connection, answer)) is not None]
    return _delete_contents(connection, removed, max((answer.fact.time for answer in answers), default=0))


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
    insert_fact(connection, answer.fact)
    connection.execute(
        "INSERT INTO notices (sender, envelope, recipient) VALUES (?, ?, ?)", (key.sender, position, answer.recipient)
    )
    left = _number(connection, "UPDATE envelopes SET open = open - 1 WHERE position = ? RETURNING open", position)
    return position if left == 0 else None


def pushed(connection: sqlite3.Connection, handed: Sequence[Handed]) -> int:
    """State of each envelope that it was handed over, the first time only: a session may begin as often as it likes."""
    count = 0
    for item in handed:
        first = connection.execute(
            "UPDATE deliveries SET pushed = 1 WHERE envelope = ? AND recipient = ? AND pushed = 0",
            (item.place, item.member),
        ).rowcount
        if first:
            state(connection, AuditKind.PUSHED, item.place, item.time, item.member)
        count += first
    return count


def expire(connection: sqlite3.Connection, now: int, limit: int) -> Removed:
    """Delete at most `limit` ciphertexts whose time is over."""
    found = connection.execute(
        "SELECT envelope FROM contents WHERE expires <= ? ORDER BY expires LIMIT ?", (now, limit)
    ).fetchall()
    positions = [int(row["envelope"]) for row in found]
    for position in positions:
        waited = connection.execute(
            "UPDATE deliveries SET state = ? WHERE envelope = ? AND state = ? RETURNING recipient",
            (State.EXPIRED, position, State.WAITING),
        ).fetchall()
        for (recipient,) in waited:
            state(connection, AuditKind.EXPIRED, position, now, recipient)
    return _delete_contents(connection, positions, now)


def state(connection: sqlite3.Connection, kind: AuditKind, position: int, now: int, member: str | None = None) -> None:
    """Write into the audit log what happened to the envelope in this place."""
    row = connection.execute("SELECT id, header_digest FROM envelopes WHERE position = ?", (position,)).fetchone()
    insert_fact(
        connection,
        AuditFact(kind, now, member=member, envelope=row["id"], header_digest=row["header_digest"]),
    )


def _delete_contents(connection: sqlite3.Connection, positions: Iterable[int], now: int) -> Removed:
    count = 0
    files = []
    for position in positions:
        for (file,) in connection.execute("DELETE FROM contents WHERE envelope = ? RETURNING file", (position,)):
            count += 1
            state(connection, AuditKind.DELETED, position, now)
            if file is not None:
                files.append(str(file))
    return Removed(count, tuple(files))


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
        logs=logs.holdings(connection),
        mailboxes=tuple(Depth(MemberId(r["recipient"]), r["waiting"], r["oldest"]) for r in mailboxes),
    )


def _number(connection: sqlite3.Connection, query: str, *arguments: int | str | bytes) -> int:
    return int(connection.execute(query, arguments).fetchone()[0])
