"""Prunes an audit log beside whoever runs on it: of old entries only hash, place and time stay."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange.audit.pruned import OPERATOR, PRUNED, hash_of, subject_of
from exchange.storage.audit_beside import commit_beside
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import insert_fact, prune_entries
from schemas.audit import AuditKind

# In one transaction, so that whoever runs on the store hardly waits.
_PAGE: Final = 1024
_OLD: Final = "position < :end AND leaf IS NOT NULL AND class NOT IN (SELECT id FROM audit_classes WHERE kind IN ({}))"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be pruned: `count` entries in front of index `end`, of times before `before`; `size` of their leaves.

    `first` and `last`: their indices; None when there are none.
    """

    before: int
    end: int
    count: int
    size: int
    first: int | None
    last: int | None


def planned(database: Path, before: int, anchored: int, kept: Iterable[AuditKind]) -> Plan:
    """Entries up to the first that is not older than `before`, of those that others hold the hashes of.

    Raises StoreFault.
    """
    old = _OLD.format(_numbers(kept))

    def job(connection: sqlite3.Connection) -> Plan:
        young = connection.execute("SELECT min(position) FROM audit WHERE time >= ?", (before,)).fetchone()[0]
        end = anchored if young is None else min(young, anchored)
        query = f"SELECT count(*), coalesce(sum(length(leaf)), 0), min(position), max(position) FROM audit WHERE {old}"  # noqa: S608  fixed texts
        return Plan(before, end, *connection.execute(query, {"end": end}).fetchone())

    return commit_beside(database, job)


def prune(
    database: Path,
    plan: Plan,
    now: int,
    kept: Iterable[AuditKind],
    told: Callable[[int, int], object] = lambda *_: None,
) -> int:
    """Say in the log what is pruned, then prune it, page by page; how many entries. Raises StoreFault.

    After a crash the log says so of some that still have their leaves: the next time goes on.
    """
    fact = AuditFact(AuditKind.OPERATOR, now, OPERATOR, subject=subject_of(plan.before), reason=PRUNED, count=plan.end)
    commit_beside(database, lambda connection: insert_fact(connection, fact))
    query = f"SELECT position, leaf FROM audit WHERE {_OLD.format(_numbers(kept))} ORDER BY position LIMIT {_PAGE}"  # noqa: S608  fixed texts

    def job(connection: sqlite3.Connection) -> int:
        found = connection.execute(query, {"end": plan.end}).fetchall()
        return prune_entries(connection, [(row["position"], hash_of(row["leaf"])) for row in found])

    done = 0
    while count := commit_beside(database, job):
        done += count
        told(done, plan.count)
    _fold(database)
    return done


def _fold(database: Path) -> None:
    """So that the leaves are not in the write-ahead log any more; while somebody reads, they go at a later time."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _numbers(kinds: Iterable[AuditKind]) -> str:
    return ", ".join(str(int(kind)) for kind in sorted(kinds))
