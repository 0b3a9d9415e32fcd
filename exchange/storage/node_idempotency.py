"""A request that a ministry repeats under the same key is done once; inside the transaction that does it."""

import sqlite3

from exchange.errors import Conflict
from exchange.storage.node_values import Idempotency


def stored_for(connection: sqlite3.Connection, idempotency: Idempotency | None) -> bytes | None:
    """What this key and request stored before: a message, an act, a request or a Grant; None for a new one or no key.

    Raises Conflict for a key of another request.
    """
    if idempotency is None:
        return None
    row = connection.execute(
        "SELECT request, message FROM idempotency WHERE token = ? AND key = ?", (idempotency.token, idempotency.key)
    ).fetchone()
    if row is None:
        return None
    if row["request"] != idempotency.request:
        raise Conflict("idempotency-key-used", "this key was used for another request: choose a new one")
    return bytes(row["message"])


def keep_key(connection: sqlite3.Connection, idempotency: Idempotency | None, made: bytes) -> None:
    """What this key and request have stored."""
    if idempotency is not None:
        connection.execute(
            "INSERT INTO idempotency (token, key, request, message) VALUES (?, ?, ?, ?)",
            (idempotency.token, idempotency.key, idempotency.request, made),
        )
