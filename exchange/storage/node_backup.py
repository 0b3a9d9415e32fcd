"""A node's store for a backup: a snapshot beside whoever writes to it, and the mark that a restored one gets."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from exchange.errors import StoreFault
from exchange.storage import node_facts
from exchange.storage.audit_sqlite import insert_fact
from exchange.storage.engine import Database
from exchange.storage.node_reading import DATABASE
from exchange.storage.node_rows import CONTENT_FILES
from exchange.storage.node_values import Token

# Kinds of `streams_out`: messages, heads, and the messages' stream before a restore.
_MESSAGES: Final = 1
_ENDED: Final = 3


def copy_store(folder: Path, target: Path) -> None:
    """Copy the database of the node in `folder`, as of one moment, while it is in use. Raises StoreFault."""
    copy_database(folder / DATABASE, target)


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as of one moment, while others read and write. Raises StoreFault."""
    if not source.is_file():
        raise StoreFault("store-missing", f"there is no store {source}: run init first")
    target.touch(mode=0o600)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            # All pages in one step: a snapshot of one transaction.
            reading.backup(writing)
            # One file, without a journal beside it.
            writing.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as fault:
        raise StoreFault("backup-failed", f"{source} cannot be copied ({fault}): check the disk") from None


def files_of(store: Path) -> tuple[list[str], list[str]]:
    """The content files and spooled ciphertexts (hexadecimal ids) that a database names. Raises StoreFault."""
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            content = connection.execute(CONTENT_FILES)
            spooled = connection.execute("SELECT hex(envelope) FROM outbox WHERE state = 'sealed' AND body IS NULL")
            return [row[0] for row in content], [row[0].lower() for row in spooled]
    except sqlite3.Error as fault:
        raise StoreFault("store-damaged", f"{store} cannot be read ({fault})") from None


def check_store(store: Path) -> None:
    """Raises StoreFault when the database is damaged."""
    try:
        with closing(sqlite3.connect(store)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as fault:
        found = str(fault)
    if found != "ok":
        raise StoreFault("store-damaged", f"{store} is damaged ({found}): take another backup")


def one_sealed(store: Path) -> tuple[bytes, bytes] | None:
    """Id and sealed title of one message, by which a local key can be tried; None when there is no message."""
    with closing(sqlite3.connect(store)) as connection:
        row = connection.execute("SELECT id, sealed_title FROM messages LIMIT 1").fetchone()
        return None if row is None else (row[0], row[1])


async def begin_again(database: Database, taken: int, now: int, token: Token) -> None:
    """Mark a store as restored: its streams have ended, and the operators' old tokens with them.

    What was sent after the backup took numbers that are not known here, so no stream goes on. A number would be used
    twice.
    """

    def job(connection: sqlite3.Connection) -> None:
        connection.execute(
            "DELETE FROM streams_out WHERE kind = ? AND recipient IN"
            " (SELECT recipient FROM streams_out WHERE kind = ?)",
            (_ENDED, _MESSAGES),
        )
        connection.execute("UPDATE streams_out SET kind = ?, head_due = ? WHERE kind = ?", (_ENDED, now, _MESSAGES))
        connection.execute("DELETE FROM streams_out WHERE kind <> ?", (_ENDED,))
        connection.execute("INSERT OR REPLACE INTO restores (restored, taken) VALUES (?, ?)", (now, taken))
        # What waited for officials may have been released and sent since: to do it now could be a second time.
        connection.execute("DELETE FROM act_files")
        connection.execute(
            "UPDATE acts SET state = 'expired', sealed_request = x'' WHERE state IN ('pending', 'approved')"
        )
        insert_fact(connection, node_facts.operated("restored", now, token.id.encode()))
        connection.execute("UPDATE tokens SET revoked = ? WHERE scopes = 'admin' AND revoked IS NULL", (now,))
        connection.execute(
            "INSERT INTO tokens (id, hash, ministry, scopes, measures, created) VALUES (?, ?, ?, ?, ?, ?)",
            (token.id, token.hash, token.ministry, ",".join(token.scopes), ",".join(token.measures), token.created),
        )

    await database.write(job)
