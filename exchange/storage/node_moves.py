"""Moves of messages and recipients from state to state, inside a transaction of a node store."""

import sqlite3

from exchange.delivery.state import (
    MessageState,
    RecipientState,
    message_may_move,
    message_state,
    recipient_may_move,
)
from exchange.storage.node_rows import insert_event


def move_message(connection: sqlite3.Connection, message: bytes, new: MessageState, fault: str | None = None) -> None:
    """Move a message, if its state allows it, and tell it as an event; `fault` says why it ended."""
    row = connection.execute("SELECT state FROM messages WHERE id = ?", (message,)).fetchone()
    if row is None or not message_may_move(MessageState(row["state"]), new):
        return
    connection.execute("UPDATE messages SET state = ?, waits = ? WHERE id = ?", (new.value, fault, message))
    insert_event(connection, message, "message.state", box="outbox", state=new.value)


def give_back_uses(connection: sqlite3.Connection, message: bytes) -> None:
    """What the relay did not accept has used no Grant."""
    connection.execute("DELETE FROM consent_uses WHERE message = ?", (message,))


def move_recipient(connection: sqlite3.Connection, message: bytes, member: str, new: RecipientState, now: int) -> bool:
    """Move one recipient, if its state allows it; True when it moved."""
    row = connection.execute(
        "SELECT state, acknowledgement FROM recipients WHERE message = ? AND member = ?", (message, member)
    ).fetchone()
    if row is None or not recipient_may_move(RecipientState(row["state"]), new, row["acknowledgement"] is not None):
        return False
    connection.execute(
        "UPDATE recipients SET state = ?, changed = ? WHERE message = ? AND member = ?",
        (new.value, now, message, member),
    )
    return True


def move_recipients(connection: sqlite3.Connection, message: bytes, new: RecipientState, now: int) -> None:
    """Move every recipient whose state allows it."""
    rows = connection.execute("SELECT member FROM recipients WHERE message = ?", (message,)).fetchall()
    for row in rows:
        move_recipient(connection, message, row["member"], new, now)


def settle_message(connection: sqlite3.Connection, message: bytes) -> None:
    """Bring a message's state up to those of its recipients."""
    rows = connection.execute("SELECT state FROM recipients WHERE message = ?", (message,)).fetchall()
    move_message(connection, message, message_state(tuple(RecipientState(row["state"]) for row in rows)))


def void_numbers(connection: sqlite3.Connection, envelope: bytes, reason: int, now: int) -> None:
    """Nothing comes under an envelope's numbers. The receivers have to learn of it soon, or they would miss it."""
    connection.execute("UPDATE outbox SET body = NULL WHERE envelope = ?", (envelope,))
    connection.execute("UPDATE numbers_out SET settled = ? WHERE envelope = ?", (reason + 1, envelope))
    connection.execute(
        "UPDATE streams_out SET head_due = ? WHERE stream IN"
        " (SELECT stream FROM numbers_out WHERE envelope = ?) AND kind = 1",
        (now, envelope),
    )


def due_again(connection: sqlite3.Connection, envelope: bytes, now: int) -> None:
    """What is no ministry's message is made anew by who made it: what is sent again, a request for that, a head."""
    connection.execute("UPDATE resends SET envelope = NULL, replaces = ?1 WHERE envelope = ?1", (envelope,))
    connection.execute(
        "UPDATE asks SET sent = NULL WHERE sent = (SELECT created FROM outbox WHERE envelope = ?1)"
        " AND member IN (SELECT recipient FROM numbers_out WHERE envelope = ?1)",
        (envelope,),
    )
    connection.execute(
        "UPDATE streams_out SET head_due = min(head_due, ?1) WHERE kind IN (1, 3) AND head_due IS NOT NULL"
        " AND recipient IN (SELECT recipient FROM numbers_out WHERE envelope = ?2)",
        (now, envelope),
    )
