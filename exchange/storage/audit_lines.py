"""A line of the process's log for each entry of its audit log, written once the entry is committed.

These are the only lines with an entry's index (`audit`), so that one leads from what a log says to what can be proven,
and nothing that has an entry is told a second time elsewhere.
"""

import logging
import sqlite3
from collections.abc import Mapping
from functools import partial
from typing import Final

import structlog

from exchange.storage.engine import after_commit
from schemas.audit import AuditEntry, AuditKind

_LEVELS: Final[Mapping[AuditKind, int]] = {
    AuditKind.ALARM: logging.ERROR,
    AuditKind.EXPIRED: logging.WARNING,
    AuditKind.REFUSED: logging.WARNING,
    AuditKind.SESSION_DENIED: logging.WARNING,
    AuditKind.SUBMISSION_REFUSED: logging.WARNING,
    AuditKind.RELAY_REFUSED: logging.WARNING,
    AuditKind.RECEIVE_REFUSED: logging.WARNING,
    AuditKind.LOGIN_DENIED: logging.WARNING,
    # Each follows from another line.
    AuditKind.PUSHED: logging.DEBUG,
    AuditKind.DELETED: logging.DEBUG,
}
_log: Final[structlog.stdlib.BoundLogger] = structlog.get_logger(part="audit")


def tell_entry(connection: sqlite3.Connection, index: int, entry: AuditEntry, detail: str | None) -> None:
    """Have the line written of an entry that this transaction makes. `detail`: a sentence, for the log alone."""
    facts = {
        "member": entry.member,
        "envelope": _hex(entry.envelope),
        "subject": _hex(entry.subject),
        "reason": entry.reason,
        "actor": entry.actor,
        "count": entry.count,
        "detail": detail,
    }
    _after(connection, index, entry.kind, {name: value for name, value in facts.items() if value is not None})


def tell_acceptance(connection: sqlite3.Connection, index: int, sender: str, envelope: bytes) -> None:
    """Have the line written of an envelope that the relay accepts in this transaction."""
    _after(connection, index, AuditKind.ACCEPTED, {"member": sender, "envelope": envelope.hex()})


def _after(connection: sqlite3.Connection, index: int, kind: AuditKind, facts: Mapping[str, object]) -> None:
    # A command that writes an entry has its own words.
    if structlog.is_configured():
        level = _LEVELS.get(kind, logging.INFO)
        after_commit(connection, partial(_log.log, level, kind.label, audit=index, **facts))


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
