"""Writes into the audit log of a node or a relay beside whoever runs on its store: what an operator's command did."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from exchange.errors import StoreFault
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import insert_fact

T = TypeVar("T")


def write_beside(database: Path, *facts: AuditFact) -> None:
    """Entries of one transaction. Raises StoreFault, also when the log is too busy for some seconds."""

    def job(connection: sqlite3.Connection) -> None:
        for fact in facts:
            insert_fact(connection, fact)

    commit_beside(database, job)


def commit_beside(database: Path, job: Callable[[sqlite3.Connection], T]) -> T:
    """One transaction of a store that may be in use. Raises what the job raised, or StoreFault."""
    if not database.is_file():
        raise StoreFault("store-missing", f"there is no {database}: give the folder of a node or of a relay")
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            connection.isolation_level = None
            connection.row_factory = sqlite3.Row
            for pragma in ("synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000", "secure_delete = ON"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN IMMEDIATE")
            done = job(connection)
            connection.execute("COMMIT")
            return done
    except sqlite3.Error as fault:
        raise StoreFault(
            "store-failed", f"{database} cannot be written ({fault}): check disk space and permissions, and try again"
        ) from None
