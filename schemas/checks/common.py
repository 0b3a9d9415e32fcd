"""Rules of every record, and helpers for the rules of one type. All input has passed its JSON Schema."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from schemas.record_errors import Fault

Json = dict[str, Any]


def record_faults(record: Json) -> Iterator[Fault]:
    """Rules of the members around the body."""
    yield from order_faults("/valid_until", record.get("valid_from"), record.get("valid_until"), "valid_from")
    for member in ("title", "summary"):
        if member in record and record["language"] not in record[member]:
            yield Fault(f"/{member}", "no such text", "a text in the language that the record names as its own")
    if record["record_id"] in record.get("references", ()):
        yield Fault("/references", "the record's own id", "ids of other records")
    seen = set()
    for index, file in enumerate(record.get("attachments", ())):
        # Two names that differ only in case are one file on many systems.
        name = file["filename"].casefold()
        if name in seen:
            yield Fault(f"/attachments/{index}/filename", "a name given before", "names that differ in more than case")
        seen.add(name)


def timestamp(text: str) -> datetime:
    """An aware datetime of a `timestamp` member."""
    return datetime.fromisoformat(text)


def order_faults(path: str, start: str | None, end: str | None, start_name: str) -> Iterator[Fault]:
    """A fault at `path` if both times are given and the end is before the start."""
    if start is not None and end is not None and timestamp(end) < timestamp(start):
        yield Fault(path, "an earlier time", f"a time not before {start_name}")


def period_faults(path: str, period: Json) -> Iterator[Fault]:
    """A fault if a `period` ends before it starts."""
    if period["end"] < period["start"]:
        yield Fault(f"{path}/end", "an earlier day", "a day not before start")


def place_faults(path: str, place: Json) -> Iterator[Fault]:
    """Faults of a `place`: rings that are not closed (RFC 7946, section 3.1.6)."""
    geometry = place.get("geometry")
    if geometry is None or geometry["type"] == "Point":
        return
    base, coordinates = f"{path}/geometry/coordinates", geometry["coordinates"]
    if geometry["type"] == "Polygon":
        yield from _ring_faults(base, coordinates)
    else:
        for index, polygon in enumerate(coordinates):
            yield from _ring_faults(f"{base}/{index}", polygon)


def _ring_faults(path: str, polygon: list[list[Any]]) -> Iterator[Fault]:
    for index, ring in enumerate(polygon):
        if ring[0] != ring[-1]:
            yield Fault(f"{path}/{index}", "an open ring", "a ring whose last position equals its first")
