"""Rules of every record, and helpers for the rules of one type. All input has passed its JSON Schema."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from schemas import catalogue, registry
from schemas.record_errors import Fault, shorten

Json = dict[str, Any]


def record_faults(record: Json) -> Iterator[Fault]:
    """Rules of the members around the body."""
    yield from _edition_faults(record)
    yield from order_faults("/valid_until", record.get("valid_from"), record.get("valid_until"), "valid_from")
    for member in ("title", "summary"):
        if member in record and record["language"] not in record[member]:
            yield Fault(f"/{member}", "no such text", "a text in the language that the record names as its own")
    if record["record_id"] in record.get("references", ()):
        yield Fault("/references", "the record's own id", "ids of other records")
    if "translation_of" in record and record["references"] != [record["translation_of"]["record_id"]]:
        yield Fault("/translation_of/record_id", "another record", "the one record that references names")
    seen = set()
    for index, file in enumerate(record.get("attachments", ())):
        # Two names that differ only in case are one file on many systems.
        name = file["filename"].casefold()
        if name in seen:
            yield Fault(f"/attachments/{index}/filename", "a name given before", "names that differ in more than case")
        seen.add(name)
    if registry.default_tlp(record["record_type"]) == "RED" and record["handling"]["tlp"] != "RED":
        yield Fault("/handling/tlp", record["handling"]["tlp"], "RED, the default of this type", warning=True)


def _edition_faults(record: Json) -> Iterator[Fault]:
    """Provision 1.8: a measure means something inside an edition of the Catalogue only."""
    if not catalogue.knows(record["catalogue_id"]):
        known = ", ".join(edition.catalogue_id for edition in catalogue.editions())
        remedy = "update this program if the edition is newer"
        yield Fault("/catalogue_id", shorten(record["catalogue_id"]), f"an edition known here: {known}; {remedy}")
    elif not catalogue.serves(record["record_type"], record["measure"], record["catalogue_id"]):
        numbers = ", ".join(catalogue.measures_of(record["record_type"], record["catalogue_id"]))
        yield Fault("/measure", record["measure"], f"a measure of that edition which this type serves: {numbers}")


def timestamp(text: str) -> datetime:
    """An aware datetime of a `timestamp` member."""
    return datetime.fromisoformat(text)


def order_faults(path: str, start: str | None, end: str | None, start_name: str) -> Iterator[Fault]:
    """A fault at `path` if both times are given and the end is before the start."""
    if start is not None and end is not None and timestamp(end) < timestamp(start):
        yield Fault(path, "an earlier time", f"a time not before {start_name}")


def issue_day(record: Json) -> str:
    """The day of issue in UTC, as a `date` member writes it; at the calendar's ends, the day where it was issued."""
    issued = timestamp(record["issued_at"])
    try:
        return issued.astimezone(UTC).date().isoformat()
    except OverflowError:
        return issued.date().isoformat()


def day_faults(path: str, start: str | None, end: str | None, start_name: str) -> Iterator[Fault]:
    """A fault at `path` if both days are given and the end is before the start."""
    if start is not None and end is not None and end < start:
        yield Fault(path, "an earlier day", f"a day not before {start_name}")


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


def places_faults(path: str, places: Iterable[Json]) -> Iterator[Fault]:
    """Faults of a list of places."""
    for index, place in enumerate(places):
        yield from place_faults(f"{path}/{index}", place)


def programme_faults(
    path: str, programme: Iterable[Json], start: str | None = None, end: str | None = None
) -> Iterator[Fault]:
    """Faults of a `programme`: items that end before they start, or lie outside start and end."""
    for index, item in enumerate(programme):
        yield from order_faults(f"{path}/{index}/end", item["start"], item["end"], "start")
        if (start is not None and timestamp(item["start"]) < timestamp(start)) or (
            end is not None and timestamp(item["end"]) > timestamp(end)
        ):
            yield Fault(f"{path}/{index}", "an item outside it", "times within the start and end of the whole")


def file_faults(record: Json, path: str, file: Json | None) -> Iterator[Fault]:
    """A fault if a file that the body names is not among the attachments, which alone travel with the record."""
    if file is not None and file not in record.get("attachments", ()):
        yield Fault(path, "another file", "one of the record's attachments, with the same name, type, size and digest")


def past_faults(record: Json, path: str, time: str | None) -> Iterator[Fault]:
    """A fault if a time at which something happened is after the record's own."""
    if time is not None and timestamp(time) > timestamp(record["issued_at"]):
        yield Fault(path, "a later time", "a time not after issued_at")


def past_day_faults(record: Json, path: str, day: str | None) -> Iterator[Fault]:
    """A fault if a day on which something happened is after the day of issue, wherever on Earth that is."""
    if day is not None and day > timestamp(record["issued_at"]).date().isoformat() and day > issue_day(record):
        yield Fault(path, "a later day", "a day not after issued_at")


def fit_warnings(record: Json, path: str, code: str, fitting: Mapping[str, Iterable[str]]) -> Iterator[Fault]:
    """A warning if a code is unusual for the record's measure; measures that are not in the table take any code."""
    usual = [*fitting.get(record["measure"], ())]
    if usual and code not in usual:
        expected = f"{' or '.join(usual)} under measure {record['measure']}"
        yield Fault(path, code, expected, warning=True)


def known(figure: Json | None) -> int | None:
    """The number of a `count_figure`, 0 for nil, None when it is absent, not available or withheld."""
    if figure is None:
        return None
    states = {"reported": figure.get("count"), "nil": 0}
    return states.get(figure["amount_state"])


def _ring_faults(path: str, polygon: list[list[Any]]) -> Iterator[Fault]:
    for index, ring in enumerate(polygon):
        if ring[0] != ring[-1]:
            yield Fault(f"{path}/{index}", "an open ring", "a ring whose last position equals its first")
