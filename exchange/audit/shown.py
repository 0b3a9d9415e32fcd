"""An entry of an audit log as plain values, for an interface, a terminal or a file; identifiers in hexadecimal."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from exchange.errors import Json
from schemas.audit import AuditKind
from schemas.errors import DecodeError
from schemas.leaf import read_leaf
from schemas.origin import Acceptance

COLUMNS: Final = (
    "index",
    "time",
    "kind",
    "actor",
    "member",
    "envelope",
    "header_digest",
    "provision",
    "subject",
    "reason",
    "evidence",
    "relay_time",
    "address",
    "count",
    "directory_size",
)
KINDS: Final = {kind.label: kind for kind in AuditKind}


def shown(index: int, time: int, leaf: bytes | None, lost: bool = False) -> dict[str, Json]:
    """What an entry says, without what it does not know.

    One without a leaf has its time only, and `kind` "pruned", or "lost" at a restore: then its time is that of it.
    """
    values: dict[str, Json] = {"index": index, "time": _utc(time)}
    if leaf is None:
        return values | {"kind": "lost" if lost else "pruned"}
    try:
        entry = read_leaf(leaf)
    except DecodeError:
        return values | {"kind": "unreadable"}
    values |= {"time": _utc(entry.time), "kind": entry.kind.label}
    if isinstance(entry, Acceptance):
        return values | {
            "member": entry.sender,
            "envelope": entry.envelope.hex(),
            "header_digest": entry.header_digest.hex(),
            "directory_size": entry.directory_size,
        }
    for name in COLUMNS[3:]:
        value = getattr(entry, name)
        if value is not None:
            values[name] = value.hex() if isinstance(value, bytes) else value
    if entry.relay_time is not None:
        values["relay_time"] = _utc(entry.relay_time)
    return values


def csv_lines(rows: Iterable[dict[str, Json]]) -> Iterator[str]:
    """RFC 4180, with a heading. A text that a spreadsheet would take for a formula cannot occur: all are codes."""
    yield ",".join(COLUMNS)
    for row in rows:
        yield ",".join("" if row.get(name) is None else str(row[name]) for name in COLUMNS)


def _utc(seconds: int) -> str:
    """RFC 3339. What a store says that was altered by hand may be a time that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "no-time"
