"""Reads the audit log of a node or of a relay beside whoever runs on it, without changing it: to verify, to search."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from exchange.audit.pruned import LOST, PRUNED, RESTORED, Statement, statement_of
from exchange.errors import StoreFault
from exchange.storage.audit_port import AuditCheckpoint, AuditLeaf, AuditPlace, AuditQuery, HeardAnchor
from exchange.storage.audit_sqlite import search_entries
from exchange.storage.relay_anchors import hashes as member_hashes
from exchange.storage.relay_anchors import newest_note
from schemas.audit import AuditKind, read_entry
from schemas.errors import DecodeError
from schemas.ids import MemberId

Row = tuple[int, int, bytes | None, bytes | None, bytes | None]
"""Class, time, envelope, subject, leaf (None: pruned)."""
Classes = Mapping[int, tuple[int, bytes | None, bytes | None, bytes | None]]
"""By their number: kind, member, actor, reason."""


class AuditReading:
    """The stored entries; `exchange.audit.verify.Source`, as of when it was opened."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction, so that everything is of one moment."""
        self._connection = connection
        rows = connection.execute("SELECT id, kind, member, actor, reason FROM audit_classes")
        self.classes: Classes = {
            number: (kind, _raw(member), _raw(actor), _raw(reason)) for number, kind, member, actor, reason in rows
        }
        self.end: int = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM audit").fetchone()[0]

    @property
    def count(self) -> int:
        """How many there are; `end`, unless places are empty."""
        return int(self._connection.execute("SELECT count(*) FROM audit").fetchone()[0])

    @property
    def leafless(self) -> int:
        """How many of them have no leaf."""
        return int(self._connection.execute("SELECT count(*) FROM audit WHERE leaf IS NULL").fetchone()[0])

    @property
    def newest(self) -> int | None:
        """The latest time of an entry that says so itself."""
        found = self._connection.execute("SELECT time FROM audit WHERE leaf IS NOT NULL ORDER BY time DESC LIMIT 1")
        row = found.fetchone()
        return None if row is None else int(row[0])

    def page(self, first: int, end: int) -> Sequence[Row]:
        """See Source."""
        query = "SELECT class, time, envelope, subject, leaf FROM audit WHERE position >= ? AND position < ?"
        return self._connection.execute(f"{query} ORDER BY position", (first, end)).fetchall()

    def hashes(self, first: int, end: int) -> Sequence[bytes | None]:
        """See Source."""
        query = "SELECT hash FROM audit WHERE position >= ? AND position < ? ORDER BY position"
        return [digest for (digest,) in self._connection.execute(query, (first, end))]

    def positions(self, first: int, end: int) -> Sequence[int]:
        """See Source."""
        query = "SELECT position FROM audit WHERE position >= ? AND position < ? ORDER BY position"
        return [position for (position,) in self._connection.execute(query, (first, end))]

    def search(self, query: AuditQuery, after: AuditPlace | None) -> Iterator[AuditLeaf]:
        """As `AuditStore.search`, one by one."""
        self._connection.row_factory = sqlite3.Row
        return search_entries(self._connection, query, after)

    def statements(self) -> list[Statement]:
        """What the log itself says of leaves that are gone."""
        query = (
            "SELECT position, leaf FROM audit WHERE leaf IS NOT NULL AND class IN"
            " (SELECT id FROM audit_classes WHERE kind = ? AND reason IN (?, ?, ?)) ORDER BY position"
        )
        found = self._connection.execute(query, (int(AuditKind.OPERATOR), PRUNED, LOST, RESTORED))
        return [one for index, leaf in found if (one := _statement(index, leaf)) is not None]

    def node_checkpoints(self) -> Iterator[AuditCheckpoint]:
        """Those that a node signed, the smallest first."""
        query = "SELECT size, root, note, time, anchored FROM audit_checkpoints ORDER BY size"
        return (AuditCheckpoint(*row) for row in self._connection.execute(query))

    def relay_checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Size and note of those that a relay signed, the smallest first."""
        query = "SELECT size, note FROM checkpoints WHERE log = 'audit' ORDER BY size"
        return (tuple(row) for row in self._connection.execute(query))

    def relay_published(self) -> int:
        """The size of the largest that a quorum of members has cosigned."""
        query = "SELECT max(size) FROM checkpoints WHERE log = 'audit' AND published = 1"
        return self._connection.execute(query).fetchone()[0] or 0

    def heard(self, member: str) -> Iterator[HeardAnchor]:
        """What a partner has shown a node of its log, the oldest first."""
        query = "SELECT member, origin, size, root, note, time FROM audit_heard WHERE member = ? ORDER BY day, size"
        return (HeardAnchor(*row) for row in self._connection.execute(query, (member,)))

    def anchored(self, member: str) -> bytes | None:
        """The newest note of a member's log that a relay has."""
        return newest_note(_rows(self._connection), MemberId(member))

    def contradicting(self, of_relay: bool, member: str | None = None) -> list[tuple[str, bytes, bytes]]:
        """Member, and two checkpoints that its node signed of its log and that contradict each other, the oldest first.

        A relay was offered them as anchors; a node was shown them by the member's.
        """
        query = (
            "SELECT member, held, offered FROM anchor_forks WHERE ?1 IS NULL OR member = ?1 ORDER BY position"
            if of_relay
            else "SELECT member, other, note FROM audit_splits WHERE ?1 IS NULL OR member = ?1 ORDER BY time, size"
        )
        return [tuple(row) for row in self._connection.execute(query, (member,))]

    def anchored_hashes(self, member: str, first: int, limit: int) -> bytes:
        """Hashes of leaves of a member's log that a relay has."""
        return member_hashes(_rows(self._connection), MemberId(member), first, limit)


@contextmanager
def audit_reading(database: Path) -> Iterator[AuditReading]:
    """Over `node.db` or `relay.db`. Raises StoreFault."""
    if not database.is_file():
        raise StoreFault("store-missing", f"there is no {database}: give the folder of a node or of a relay")
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("BEGIN")
            yield AuditReading(connection)
    except sqlite3.Error as fault:
        raise StoreFault("store-damaged", f"{database} cannot be read ({fault})") from None


def _statement(index: int, leaf: bytes) -> Statement | None:
    try:
        return statement_of(index, read_entry(leaf))
    except DecodeError:
        return None


def _raw(text: str) -> bytes | None:
    return text.encode() or None


def _rows(connection: sqlite3.Connection) -> sqlite3.Connection:
    """With rows that have names."""
    connection.row_factory = sqlite3.Row
    return connection
