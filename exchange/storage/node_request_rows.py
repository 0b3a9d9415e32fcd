"""Rows of requests for consent, inside a transaction of a node's store."""

import sqlite3
from typing import Final

from exchange.storage.node_rows import insert_event
from exchange.storage.request_port import GRANTED, IN, OPEN, REFUSED, StoredAnswer, StoredRequest

_EVENT: Final = "consent.request"


def take_answer(connection: sqlite3.Connection, box: str, ident: bytes, answer: StoredAnswer) -> bool:
    """One provider's answer, once; the request follows: one refusal refuses it, it is granted when all are Grants.

    What comes after its time is written down, and the request stays expired.
    """
    request = request_row(connection, box, ident)
    if request is None or (box == IN and request.state != OPEN):
        return False
    taken = connection.execute(
        "UPDATE consent_answers SET state = ?, grant_id = ?, sealed_reason = ?, time = ?, official = ?"
        " WHERE box = ? AND request = ? AND provider = ? AND state = 'open'",
        (answer.state, answer.grant, answer.sealed_reason, answer.time, answer.official, box, ident, answer.provider),
    )
    if not taken.rowcount:
        return False
    states = {answer.state, *(other.state for other in request.answers if other.provider != answer.provider)}
    new = REFUSED if REFUSED in states else OPEN if OPEN in states else GRANTED
    if request.state == OPEN and new != OPEN:
        connection.execute("UPDATE consent_requests SET state = ? WHERE box = ? AND id = ?", (new, box, ident))
        tell_request(connection, request, new)
    return True


def tell_request(connection: sqlite3.Connection, request: StoredRequest, state: str) -> None:
    """Who may see the message learns of it."""
    if request.message is not None:
        insert_event(connection, request.message, _EVENT, box=request.box, request=request.id.hex(), state=state)


def insert_request(connection: sqlite3.Connection, request: StoredRequest) -> None:
    """A request with the answers that it waits for."""
    connection.execute(
        "INSERT INTO consent_requests (box, id, member, provision, message, measure, record_type, sealed_request,"
        " state, created, answer_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.box,
            request.id,
            request.member,
            request.provision,
            request.message,
            request.measure,
            request.record_type,
            request.sealed_request,
            request.state,
            request.created,
            request.answer_by,
        ),
    )
    connection.executemany(
        "INSERT INTO consent_answers (box, request, provider, state) VALUES (?, ?, ?, ?)",
        [(request.box, request.id, answer.provider, answer.state) for answer in request.answers],
    )


def request_row(connection: sqlite3.Connection, box: str, ident: bytes) -> StoredRequest | None:
    """One request."""
    found = request_rows(connection, "box = ? AND id = ?", (box, ident))
    return found[0] if found else None


def request_rows(
    connection: sqlite3.Connection, clause: str, values: tuple[str | bytes | int, ...]
) -> tuple[StoredRequest, ...]:
    """The requests to which a clause (a fixed text) applies."""
    rows = connection.execute(f"SELECT * FROM consent_requests WHERE {clause}", values).fetchall()  # noqa: S608  fixed texts
    return tuple(_request_of(connection, row) for row in rows)


def _request_of(connection: sqlite3.Connection, row: sqlite3.Row) -> StoredRequest:
    answers = connection.execute(
        "SELECT provider, state, grant_id, sealed_reason, time, official FROM consent_answers"
        " WHERE box = ? AND request = ? ORDER BY provider",
        (row["box"], row["id"]),
    )
    values = {name: row[name] for name in row.keys() if name != "told"}  # noqa: SIM118  a Row iterates over values
    return StoredRequest(**values, told=bool(row["told"]), answers=tuple(StoredAnswer(*answer) for answer in answers))
