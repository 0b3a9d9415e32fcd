"""A relay's store for a backup: a snapshot beside whoever writes to it, and how far it goes."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from exchange.errors import StoreFault
from exchange.storage.node_backup import copy_database
from exchange.storage.relay_sqlite import DATABASE


def copy_relay_store(folder: Path, target: Path) -> None:
    """Copy the database of the relay in `folder`, as of one moment, while it is in use. Raises StoreFault."""
    copy_database(folder / DATABASE, target)


def bodies_of(store: Path) -> list[str]:
    """The files of large bodies that a database names. Raises StoreFault."""
    return [str(row[0]) for row in _rows(store, "SELECT file FROM contents WHERE file IS NOT NULL ORDER BY file")]


def log_sizes(store: Path) -> tuple[int, int]:
    """Entries of the directory and of the audit log. Raises StoreFault."""
    ((directory, audit),) = _rows(store, "SELECT (SELECT count(*) FROM directory), (SELECT count(*) FROM audit)")
    return directory, audit


def _rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return list(connection.execute(query))
    except sqlite3.Error as fault:
        raise StoreFault("store-damaged", f"{store} cannot be read ({fault})") from None
