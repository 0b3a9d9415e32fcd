"""Reads a node's store beside whoever runs on it, without changing it: for commands that need no key and no node."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exchange.errors import StoreFault
from exchange.storage.trust_port import Hold, KeptCheckpoint

DATABASE: Final = "node.db"


@dataclass(frozen=True, slots=True)
class Arrived:
    """One envelope that reached the node: by whom, its id, its header's exact bytes, and when (Unix seconds)."""

    sender: str
    envelope: bytes
    header: bytes
    outcome: str
    time: int


def read_directory(folder: Path) -> tuple[bytes, ...]:
    """All directory entries of the node in `folder`, in order. Raises StoreFault."""
    with _reading(folder) as connection:
        return tuple(row[0] for row in connection.execute("SELECT entry FROM directory ORDER BY position"))


def read_checkpoint(folder: Path, most: int) -> KeptCheckpoint | None:
    """The newest cosigned checkpoint of at most this size that the node in `folder` has. Raises StoreFault."""
    columns = "size, root, first, latest, note, first_note"
    with _reading(folder) as connection:
        query = f"SELECT {columns} FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1"  # noqa: S608  # own text
        row = connection.execute(query, (most,)).fetchone()
        return None if row is None else KeptCheckpoint(*row)


def read_holds(folder: Path) -> tuple[Hold, ...]:
    """The members to whom the node in `folder` sends nothing. Raises StoreFault."""
    with _reading(folder) as connection:
        return tuple(
            Hold(*row) for row in connection.execute("SELECT member, since, kind, detail FROM holds ORDER BY member")
        )


def read_arrivals(folder: Path) -> tuple[Arrived, ...]:
    """Every envelope that reached the node in `folder`, the oldest first. Raises StoreFault."""
    query = "SELECT sender, envelope, header, outcome, time FROM received ORDER BY time, sender, envelope"
    with _reading(folder) as connection:
        return tuple(Arrived(*row) for row in connection.execute(query))


def count_stored(folder: Path, before: int) -> int:
    """How many messages stood in the node's store at a time, sent and received. Raises StoreFault."""
    with _reading(folder) as connection:
        found = connection.execute("SELECT count(*) FROM messages WHERE created <= ?", (before,)).fetchone()
        return int(found[0])


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    path = folder / DATABASE
    if not path.is_file():
        raise StoreFault("store-missing", f"there is no node's store in {folder}: run init first")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            yield connection
    except sqlite3.Error as fault:
        raise StoreFault("store-damaged", f"{path} cannot be read ({fault}): restore it from a backup") from None
