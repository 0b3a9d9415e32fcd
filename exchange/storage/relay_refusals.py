"""The SQL of the relay's notices of refused transfers: each function is one job inside the caller's transaction."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.refusal_port import Kept, PendingRefusal, RefusalBounds, RefusedHeader
from schemas.audit import AuditKind
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, MIB

# Headers read at once for one session.
_BYTES: Final = 2 * MIB


def add(connection: sqlite3.Connection, refused: RefusedHeader, bounds: RefusalBounds) -> Kept:
    """Keep the notices that are new and within the bounds."""
    new = [(provider, rule) for provider, rule in refused.providers if not _known(connection, provider, refused.digest)]
    free = [item for item in new if _has_room(connection, item[0], refused, bounds)]
    if not free:
        return Kept((), len(new))
    _keep_header(connection, refused, len(free))
    connection.executemany(
        "INSERT INTO refusals (provider, digest, sender, rule, time) VALUES (?, ?, ?, ?, ?)",
        [(provider, refused.digest, refused.sender, rule, refused.time) for provider, rule in free],
    )
    for provider, rule in free:
        insert_fact(connection, _told(refused, provider, rule))
    return Kept(tuple(provider for provider, _ in free), len(new) - len(free))


def pending(
    connection: sqlite3.Connection, member: MemberId, skip: Collection[Digest], limit: int
) -> tuple[PendingRefusal, ...]:
    """What waits for a provider, oldest first."""
    rows = connection.execute(
        "SELECT digest, header, rule, time FROM refusals JOIN refused_headers USING (digest)"
        " WHERE provider = ? AND seen = 0 ORDER BY position",
        (member,),
    )
    found: list[PendingRefusal] = []
    size = 0
    for row in rows:
        if row["digest"] in skip:
            continue
        size += len(row["header"])
        if len(found) == limit or (found and size > _BYTES):
            break
        found.append(PendingRefusal(Digest(row["digest"]), row["header"], row["rule"], row["time"]))
    return tuple(found)


def seen(connection: sqlite3.Connection, member: MemberId, digests: Sequence[Digest]) -> None:
    """The provider has these."""
    for digest in digests:
        changed = connection.execute(
            "UPDATE refusals SET seen = 1 WHERE provider = ? AND digest = ? AND seen = 0", (member, digest)
        )
        _close(connection, digest, changed.rowcount)


def expire(connection: sqlite3.Connection, before: int) -> int:
    """Forget what is older; how many notices of these waited."""
    gone = connection.execute("DELETE FROM refusals WHERE time < ? RETURNING digest, seen", (before,)).fetchall()
    waited = [row["digest"] for row in gone if not row["seen"]]
    for digest in waited:
        _close(connection, digest, 1)
    return len(waited)


def _told(refused: RefusedHeader, provider: MemberId, rule: str) -> AuditFact:
    return AuditFact(
        AuditKind.NOTICE,
        refused.time,
        member=provider,
        header_digest=refused.digest,
        reason=rule,
        evidence=refused.header,
    )


def _known(connection: sqlite3.Connection, provider: MemberId, digest: Digest) -> bool:
    found = connection.execute("SELECT 1 FROM refusals WHERE provider = ? AND digest = ?", (provider, digest))
    return found.fetchone() is not None


def _has_room(
    connection: sqlite3.Connection, provider: MemberId, refused: RefusedHeader, bounds: RefusalBounds
) -> bool:
    """Each provider has room of its own: a sender with a friend that fetches nothing hides nothing from the others."""
    today, waiting = connection.execute(
        "SELECT count(*) FILTER (WHERE r.time > ?), coalesce(sum(h.size) FILTER (WHERE r.seen = 0), 0)"
        " FROM refusals r LEFT JOIN refused_headers h USING (digest) WHERE r.provider = ? AND r.sender = ?",
        (refused.time - DAY, provider, refused.sender),
    ).fetchone()
    return bool(today < bounds.daily and waiting + len(refused.header) <= bounds.pair_bytes)


def _keep_header(connection: sqlite3.Connection, refused: RefusedHeader, providers: int) -> None:
    """The header, for so many more providers."""
    connection.execute(
        "INSERT INTO refused_headers (digest, sender, header, size, open) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (digest) DO UPDATE SET open = open + excluded.open",
        (refused.digest, refused.sender, refused.header, len(refused.header), providers),
    )


def _close(connection: sqlite3.Connection, digest: Digest, providers: int) -> None:
    connection.execute("UPDATE refused_headers SET open = open - ? WHERE digest = ?", (providers, digest))
    connection.execute("DELETE FROM refused_headers WHERE digest = ? AND open <= 0", (digest,))
