"""What stores and audit logs have to say of each other, as streams for `exchange.audit.reconcile`: shared parts.

Everything is read in one transaction beside whoever runs on the store. Sorting is SQLite's, which has files for it.
"""

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exchange.audit.reconcile import Item, Rule, Said
from exchange.errors import StoreFault
from schemas.audit import AuditEntry, AuditKind
from schemas.errors import DecodeError
from schemas.leaf import read_leaf
from schemas.origin import Acceptance

Leaf = AuditEntry | Acceptance


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of one rule."""

    rule: Rule
    rows: Iterator[Item]
    entries: Iterator[Item]


@contextmanager
def reconciling(database: Path) -> Iterator[sqlite3.Connection]:
    """A transaction that reads. Raises StoreFault."""
    if not database.is_file():
        raise StoreFault("store-missing", f"there is no {database}: give the folder of a node or of a relay")
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.create_function("sha256", 1, _digest, deterministic=True)
            connection.create_function("bytes_of", 1, bytes.fromhex, deterministic=True)
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as fault:
        raise StoreFault("store-damaged", f"{database} cannot be read ({fault})") from None


def entries(
    connection: sqlite3.Connection,
    kinds: Iterable[AuditKind],
    column: str,
    said: Callable[[Leaf], Said | None],
    needed: Callable[[Leaf], bool] = lambda _: True,
) -> Iterator[Item]:
    """Entries of these kinds in the order of a column (`envelope`, `subject`, `position`), without those that lack it.

    What `needed` says decides whether the store has to have their like. Entries without a leaf say nothing.
    """
    places = ", ".join(str(int(kind)) for kind in kinds)
    rows = connection.execute(
        f"SELECT position, {column} AS name, leaf FROM audit WHERE {column} IS NOT NULL AND leaf IS NOT NULL"  # noqa: S608  fixed texts
        f" AND class IN (SELECT id FROM audit_classes WHERE kind IN ({places})) ORDER BY {column}, position"
    )
    for row in rows:
        try:
            leaf = read_leaf(row["leaf"])
        except DecodeError:
            # For `cbm audit verify`.
            continue
        yield Item(_key(row["name"]), said(leaf), leaf.time, row["position"], needed(leaf))


def rows(connection: sqlite3.Connection, query: str) -> Iterator[Item]:
    """Rows of the store: key, time, then what the log has to say too; in the order of the key."""
    for key, time, *said in connection.execute(query):
        yield Item(_key(key), tuple(said), time)


def merged(*sides: Iterator[Item]) -> Iterator[Item]:
    """Several streams as one, in the order of the key."""
    return heapq.merge(*sides, key=lambda item: item.key)


def _key(value: bytes | int) -> bytes:
    return value.to_bytes(8, "big") if isinstance(value, int) else value


def _digest(data: bytes | str | None) -> bytes | None:
    return None if data is None else sha256(data.encode() if isinstance(data, str) else data).digest()
