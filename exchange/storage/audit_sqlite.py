"""An audit log in SQLite, of a node or a relay: `AuditStore` of the audit port, and how other stores write entries."""

import heapq
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice
from secrets import token_bytes
from typing import Final

from exchange.audit.pruned import LOST, OPERATOR, PRUNED, subject_of
from exchange.storage.audit_lines import tell_acceptance, tell_entry
from exchange.storage.audit_port import AuditFact, AuditLeaf, AuditPlace, AuditQuery
from exchange.storage.engine import Database
from schemas.audit import AuditEntry, AuditKind, write_entry
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.limits import MAX_ACTOR, MAX_CODE, MAX_TIME

_NO_CODE: Final = re.compile(r"[^a-z0-9./:_-]")
_BEFORE_ALL: Final = AuditPlace(-1, -1)
_AFTER_ALL: Final = AuditPlace(MAX_TIME + 1, -1)
# Each walk is a statement of its own; where so many classes fit, entries that do are not far apart either.
_MOST_WALKS: Final = 256
# Of entries without a leaf: no kind, and instead of a reason why it is gone.
GONE: Final = 0
_LOST: Final = "lost"
_IS_LOST: Final = "class IN (SELECT id FROM audit_classes WHERE kind = 0 AND reason = 'lost')"
_COLUMNS: Final = f"position, time, leaf, hash, leaf IS NULL AND {_IS_LOST} AS lost"


class SqliteAudit:
    """See the port for the contract."""

    def __init__(self, database: Database) -> None:
        """Over an open node database."""
        self._db = database

    async def add(self, facts: tuple[AuditFact, ...]) -> int:
        """See the port."""

        def job(connection: sqlite3.Connection) -> int:
            first = _size(connection)
            for fact in facts:
                insert_fact(connection, fact)
            return first

        return await self._db.write(job)

    async def size(self) -> int:
        """See the port."""
        return await self._db.read(_size)

    async def leaves(self, first: int, limit: int) -> tuple[AuditLeaf, ...]:
        """See the port."""
        query = f"SELECT {_COLUMNS} FROM audit WHERE position >= ? ORDER BY position LIMIT ?"  # noqa: S608  fixed text
        return await self._db.read(lambda c: tuple(_leaf_of(row) for row in c.execute(query, (first, limit))))

    async def search(self, query: AuditQuery, after: AuditPlace | None, limit: int) -> tuple[AuditLeaf, ...]:
        """See the port."""
        return await self._db.read(lambda c: tuple(islice(search_entries(c, query, after), limit)))

    async def take_lost(self, first: int, hashes: tuple[bytes, ...], now: int) -> None:
        """See the port."""

        def job(connection: sqlite3.Connection) -> None:
            # By way of places that no entry has, so that none is taken twice.
            moved = -len(hashes) - 1
            connection.execute("UPDATE audit SET position = ? - position WHERE position >= ?", (moved, first))
            connection.execute("UPDATE audit SET position = -position - 1 WHERE position < 0")
            of_class = _class_of(connection, GONE, "", "", _LOST)
            connection.executemany(
                "INSERT INTO audit (position, time, class, hash) VALUES (?, ?, ?, ?)",
                [(first + place, now, of_class, digest) for place, digest in enumerate(hashes)],
            )
            connection.execute("DELETE FROM audit_checkpoints WHERE size > ?", (first,))
            insert_fact(
                connection,
                AuditFact(AuditKind.OPERATOR, now, OPERATOR, subject=subject_of(first), reason=LOST, count=len(hashes)),
            )

        await self._db.write(job)


def insert_fact(connection: sqlite3.Connection, fact: AuditFact) -> int:
    """Inside the transaction of the act: one entry; its index. Raises DecodeError for what is no such fact."""
    entry = _entry_of(fact)
    kind = _class_of(connection, entry.kind, entry.member or "", entry.actor or "", entry.reason or "")
    index = _insert(connection, entry.time, kind, entry.envelope, entry.subject, write_entry(entry))
    tell_entry(connection, index, entry, fact.detail)
    return index


def insert_acceptance(connection: sqlite3.Connection, sender: str, envelope: bytes, time: int, leaf: bytes) -> int:
    """Inside the transaction of a relay's acceptance: its leaf, which has a form of its own; the index."""
    kind = _class_of(connection, AuditKind.ACCEPTED, sender, "", "")
    index = _insert(connection, time, kind, envelope, None, leaf)
    tell_acceptance(connection, index, sender, envelope)
    return index


def prune_entries(connection: sqlite3.Connection, hashes: Sequence[tuple[int, bytes]]) -> int:
    """Inside a transaction: of these entries (index, hash of its leaf) only hash, place and time stay; how many."""
    of_class = _class_of(connection, GONE, "", "", PRUNED)
    return connection.executemany(
        "UPDATE audit SET leaf = NULL, hash = ?, class = ?, envelope = NULL, subject = NULL"
        " WHERE position = ? AND leaf IS NOT NULL",
        [(digest, of_class, index) for index, digest in hashes],
    ).rowcount


def _insert(
    connection: sqlite3.Connection, time: int, kind: int, envelope: bytes | None, subject: bytes | None, leaf: bytes
) -> int:
    index = _size(connection)
    connection.execute(
        "INSERT INTO audit (position, time, class, envelope, subject, leaf) VALUES (?, ?, ?, ?, ?, ?)",
        (index, time, kind, envelope, subject, leaf),
    )
    return index


def _entry_of(fact: AuditFact) -> AuditEntry:
    return AuditEntry(
        kind=fact.kind,
        salt=token_bytes(32),
        time=fact.time,
        actor=_code(fact.actor, MAX_ACTOR),
        member=None if fact.member is None else MemberId(fact.member),
        envelope=None if fact.envelope is None else EnvelopeId(fact.envelope),
        header_digest=None if fact.header_digest is None else Digest(fact.header_digest),
        provision=None if fact.provision is None else Digest(fact.provision),
        subject=fact.subject,
        reason=_code(fact.reason, MAX_CODE),
        evidence=None if fact.evidence is None else Digest(sha256(fact.evidence).digest()),
        relay_time=fact.relay_time,
        address=fact.address,
        count=fact.count,
        directory_size=fact.directory_size,
    )


def _code(text: str | None, most: int) -> str | None:
    """In the form of a code: what is written down never keeps an act from being done."""
    if not text:
        return None
    plain = _NO_CODE.sub("-", text.lower())[:most]
    return plain if plain[0].isalnum() else f"0{plain[1:]}"


def _size(connection: sqlite3.Connection) -> int:
    last = connection.execute("SELECT max(position) FROM audit").fetchone()[0]
    return 0 if last is None else int(last) + 1


def _class_of(connection: sqlite3.Connection, kind: int, member: str, actor: str, reason: str) -> int:
    values = (int(kind), member, actor, reason)
    known = "SELECT id FROM audit_classes WHERE kind = ? AND member = ? AND actor = ? AND reason = ?"
    row = connection.execute(known, values).fetchone()
    if row is not None:
        return int(row["id"])
    made = connection.execute("INSERT INTO audit_classes (kind, member, actor, reason) VALUES (?, ?, ?, ?)", values)
    return int(made.lastrowid or 0)


def search_entries(connection: sqlite3.Connection, query: AuditQuery, after: AuditPlace | None) -> Iterator[AuditLeaf]:
    """What `AuditStore.search` gives, one by one.

    By envelope or subject when one is given: few entries have it. Otherwise by class, in the order of time.
    """
    classes = _classes(connection, query)
    place = after or (_AFTER_ALL if query.newest else _BEFORE_ALL)
    # The place bounds the time too: the index is entered there, however far the search has come.
    since = max(-1 if query.since is None else query.since, -1 if query.newest else place.time)
    until = min(MAX_TIME + 1 if query.until is None else query.until, place.time + 1 if query.newest else MAX_TIME + 1)
    order, behind = ("DESC", "<") if query.newest else ("ASC", ">")
    where = f"time >= ? AND time < ? AND (time, position) {behind} (?, ?) ORDER BY time {order}, position {order}"
    values = (since, until, place.time, place.index)
    if query.envelope is not None or query.subject is not None:
        column, ident = ("envelope", query.envelope) if query.envelope is not None else ("subject", query.subject)
        text = f"SELECT {_COLUMNS}, class, subject FROM audit WHERE {column} = ? AND {where}"  # noqa: S608  fixed texts; values are bound
        for row in connection.execute(text, (ident, *values)):
            if row["class"] in classes and query.subject in (None, row["subject"]):
                yield _leaf_of(row)
    elif len(classes) > _MOST_WALKS:
        text = f"SELECT position, class FROM audit WHERE {where}"  # noqa: S608  fixed texts; values are bound
        one = f"SELECT {_COLUMNS} FROM audit WHERE position = ?"  # noqa: S608  fixed text
        for index, of_class in connection.execute(text, values):
            if of_class in classes:
                yield _leaf_of(connection.execute(one, (index,)).fetchone())
    else:
        text = f"SELECT {_COLUMNS} FROM audit WHERE class = ? AND {where}"  # noqa: S608  fixed texts; values are bound
        walks = [(_leaf_of(row) for row in connection.execute(text, (of_class, *values))) for of_class in classes]
        yield from heapq.merge(*walks, key=lambda leaf: (leaf.time, leaf.index), reverse=query.newest)


def _leaf_of(row: sqlite3.Row) -> AuditLeaf:
    return AuditLeaf(row["position"], row["time"], row["leaf"], row["hash"], bool(row["lost"]))


def _classes(connection: sqlite3.Connection, query: AuditQuery) -> frozenset[int]:
    rows = connection.execute(
        "SELECT id FROM audit_classes WHERE (?1 IS NULL OR kind IN (SELECT value FROM json_each(?1)))"
        " AND (?2 IS NULL OR member = ?2) AND (?3 IS NULL OR reason = ?3)"
        " AND (?4 IS NULL OR actor = ?4 OR (substr(?4, -1) = '/' AND substr(actor, 1, length(?4)) = ?4))",
        (
            None if query.kinds is None else json.dumps([int(kind) for kind in query.kinds]),
            query.member,
            query.reason,
            query.actor,
        ),
    )
    return frozenset(row["id"] for row in rows)
