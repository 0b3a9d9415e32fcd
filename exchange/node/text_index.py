"""A full-text index of stored messages, in memory only: what is decrypted is not written to a disk.

SQLite's FTS5 over texts that `exchange.records.words` has folded. It is made anew after every start. Not thread-safe:
its owner calls it from one thread at a time.
"""

import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from exchange.errors import Unavailable
from exchange.storage.node_values import Message
from schemas.limits import MIB

# A row has about 200 bytes. A message beyond this is found by its id and in the listings.
MAX_ROWS: Final = 200_000
# Folded text; the index over it takes about as much again. Of older messages only the facts stay.
MAX_BYTES: Final = 64 * MIB

_SCHEMA: Final = """
PRAGMA temp_store = MEMORY;
CREATE TABLE facts (
    seq INTEGER PRIMARY KEY,
    message BLOB NOT NULL,
    measure TEXT NOT NULL,
    record_type TEXT NOT NULL,
    ministry TEXT,
    states TEXT NOT NULL,                  -- originators, each between spaces
    made INTEGER NOT NULL,
    size INTEGER NOT NULL                  -- of its text here, 0: none
) STRICT;
CREATE INDEX facts_with_text ON facts (seq) WHERE size > 0;
CREATE VIRTUAL TABLE words USING fts5(text, tokenize = "unicode61 remove_diacritics 0 categories 'L* M* N* Co'");
"""
_FIND: Final = """
SELECT f.message, f.seq FROM facts f{join}
WHERE f.seq < :before AND seen(f.measure, f.record_type, f.ministry)
    AND (:measure IS NULL OR f.measure GLOB :measure)
    AND (:state IS NULL OR instr(f.states, ' ' || :state || ' '))
    AND (:start IS NULL OR f.made >= :start) AND (:end IS NULL OR f.made <= :end){match}
ORDER BY f.seq DESC LIMIT :limit
"""

Seen = Callable[[str, str, str | None], bool]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; None: anything.

    Attributes:
        words: a query as `exchange.records.words.question_of` makes it.
        measure: its number, or the beginning of one and a star.
        state: one of the originators.
        start, end: between which times the Provision was made, Unix seconds.
    """

    words: str | None = None
    measure: str | None = None
    state: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Indexed:
    """A message as it goes into the index; `made`: the Provision's own date, `text`: folded."""

    message: Message
    originators: tuple[str, ...]
    made: int
    text: str


class TextIndex:
    """The index. `complete` is False once something had to go for lack of room."""

    def __init__(self, max_bytes: int = MAX_BYTES, max_rows: int = MAX_ROWS) -> None:
        """An empty one. Raises Unavailable where SQLite was built without FTS5."""
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        try:
            self._db.executescript(_SCHEMA)
        except sqlite3.OperationalError:
            why = "this machine's SQLite has no full-text search (FTS5): install one that has"
            raise Unavailable("no-full-text", why) from None
        self._max_bytes, self._max_rows = max_bytes, max_rows
        self._rows = self._bytes = 0
        self.complete = True

    def close(self) -> None:
        """Give up the memory; nothing can be asked any more."""
        self._db.close()

    def add(self, rows: Iterable[Indexed]) -> None:
        """Take in messages; one that is here already stays as it is."""
        with self._db:
            self._db.execute("BEGIN")
            for row in rows:
                self._add(row)

    def find(self, wanted: Wanted, seen: Seen, before: int, limit: int) -> list[tuple[bytes, int]]:
        """Ids of the newest `limit` messages with a `seq` below `before`, and that `seq`, newest first.

        `seen`: whether the caller may see a message, by its measure, record type and ministry.
        """
        self._db.create_function("seen", 3, seen)
        query = _FIND.format(
            join="" if wanted.words is None else " JOIN words ON words.rowid = f.seq",
            match="" if wanted.words is None else " AND words MATCH :words",
        )
        values = {
            "words": wanted.words,
            "measure": wanted.measure,
            "state": wanted.state,
            "start": wanted.start,
            "end": wanted.end,
            "before": before,
            "limit": limit,
        }
        return [(bytes(message), seq) for message, seq in self._db.execute(query, values)]

    def _add(self, row: Indexed) -> None:
        message, size = row.message, len(row.text.encode("utf-8"))
        states = f" {' '.join(row.originators)} "
        added = self._db.execute(
            "INSERT OR IGNORE INTO facts (seq, message, measure, record_type, ministry, states, made, size)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                message.seq,
                message.id,
                message.measure,
                message.record_type,
                message.ministry,
                states,
                row.made,
                size,
            ),
        )
        if not added.rowcount:
            return
        self._db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (message.seq, row.text))
        self._rows += 1
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._forget_text()
        while self._rows > self._max_rows:
            self._forget_row()

    def _forget_text(self) -> None:
        """The oldest text goes; its message is still found by its facts."""
        seq, size = self._db.execute("SELECT seq, size FROM facts WHERE size > 0 ORDER BY seq LIMIT 1").fetchone()
        self._db.execute("DELETE FROM words WHERE rowid = ?", (seq,))
        self._db.execute("UPDATE facts SET size = 0 WHERE seq = ?", (seq,))
        self._bytes -= size
        self.complete = False

    def _forget_row(self) -> None:
        seq, size = self._db.execute("SELECT seq, size FROM facts ORDER BY seq LIMIT 1").fetchone()
        self._db.execute("DELETE FROM words WHERE rowid = ?", (seq,))
        self._db.execute("DELETE FROM facts WHERE seq = ?", (seq,))
        self._rows -= 1
        self._bytes -= size
        self.complete = False
