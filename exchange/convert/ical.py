"""Exercises, visits and invitations as iCalendar (RFC 5545): one event for each thread of records; or single days.

A record and its updates are one event: its UID is the id of the first at its originators, since each of them names its
own records only; SEQUENCE counts the revisions, a cancelled thread has STATUS CANCELLED. Nobody revises or cancels what
others announced (provision 1.7). Times are in UTC; DTSTAMP is the newest record's own time, so that no clock is needed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from icalendar import Calendar, Event

from exchange.convert.errors import refuse
from exchange.convert.limits import MAX_CALENDAR_RECORDS

Json = dict[str, Any]

_FORM: Final = "ical"
_PRODUCT: Final = "-//CBM Exchange//EN"
_ENDS: Final = frozenset({"cancel", "withdraw"})
_LAST: Final = datetime.max.replace(microsecond=0, tzinfo=UTC)
_REVISES: Final = frozenset({"update", "correction", "translation"}) | _ENDS


Name = tuple[str, tuple[str, ...]]
"""A record's id with its originators."""


@dataclass(frozen=True, slots=True)
class _Occasion:
    """What a body says of an event; texts are by language."""

    start: str
    end: str
    place: Json | None
    organizer: Json | None
    lines: tuple[Json, ...]


def records_to_ical(records: Sequence[Json]) -> bytes:
    """A calendar of the events that valid records announce.

    Replies, acknowledgements, and what acts on a record of other originators are passed over.

    Raises:
        ConversionError: no record announces an event, one cancels what is not among them, or there are too many.
    """
    if len(records) > MAX_CALENDAR_RECORDS:
        raise refuse(_FORM, "", f"{len(records)} records", f"at most {MAX_CALENDAR_RECORDS} records")
    threads = _threads(record for record in records if record["action"] in _REVISES | {"new"})
    if not threads:
        raise refuse(_FORM, "/action", "no announcement", "a record that announces or changes an event")
    return _calendar(_event(root, thread) for root, thread in threads.items())


def days_to_ical(days: Iterable[tuple[str, date, str]], now: int) -> bytes:
    """A calendar of whole days that keep nobody busy, each a UID, the day and one line; `now` is their DTSTAMP."""
    return _calendar(_whole_day(*day, now) for day in days)


def _calendar(events: Iterable[Event]) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    for event in events:
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _whole_day(uid: str, day: date, summary: str, now: int) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", datetime.fromtimestamp(now, UTC))
    event.add("dtstart", day)
    event.add("transp", "TRANSPARENT")
    event.add("summary", summary)
    return event


def _name(record: Json, record_id: str) -> Name:
    """A record of the originators of `record` with this id."""
    return record_id, tuple(sorted(record["originators"]))


def _threads(records: Iterable[Json]) -> dict[Name, list[Json]]:
    """Records by the first of their thread, oldest first, also when that first one is not at hand."""
    each = {_name(record, record["record_id"]): record for record in records}
    known: dict[str, list[Json]] = {}
    for record in each.values():
        known.setdefault(record["record_id"], []).append(record)
    threads: dict[Name, list[Json]] = {}
    for record in sorted(each.values(), key=lambda one: _moment(one["issued_at"])):
        root = _root(record, known)
        if root is not None:
            threads.setdefault(root, []).append(record)
    return threads


def _root(record: Json, known: Mapping[str, Sequence[Json]]) -> Name | None:
    """The first of a record's thread; None if on the way there somebody acts on another's record."""
    seen = set()
    while record["action"] != "new" and record["record_id"] not in seen:
        seen.add(record["record_id"])
        targets = [one for name in record["references"] for one in known.get(name, ())]
        if not targets:
            return _name(record, record["references"][0])
        target = next((one for one in targets if _may_act(record, one)), None)
        if target is None:
            return None
        record = target
    return _name(record, record["record_id"])


def _may_act(record: Json, target: Json) -> bool:
    """All originators together change or cancel a joint text; each of them can withdraw it."""
    by, owners = {*record["originators"]}, {*target["originators"]}
    return by <= owners if record["action"] == "withdraw" else by == owners


def _event(root: Name, thread: list[Json]) -> Event:
    newest, told = thread[-1], [record for record in thread if record["body"]]
    if not told:
        raise refuse(_FORM, "/references", "a cancellation alone", "the record that it cancels as well")
    record = told[-1]
    if record["record_type"] not in _OCCASIONS:
        raise refuse(_FORM, "/record_type", record["record_type"], "one of " + ", ".join(_OCCASIONS))
    occasion = _OCCASIONS[record["record_type"]](record["body"])
    event = Event()
    event.add("uid", f"{root[0]}@{'-'.join(root[1]).lower()}")
    event.add("dtstamp", _moment(newest["issued_at"]))
    event.add("dtstart", _moment(occasion.start))
    event.add("dtend", _moment(occasion.end))
    event.add("sequence", len(thread) - (thread[0]["record_id"] == root[0]))
    event.add("status", "CANCELLED" if newest["action"] in _ENDS else "CONFIRMED")
    mark = "" if record["mode"] == "actual" else f"[{record['mode'].upper()}] "
    event.add("summary", mark + _text(record["title"], record), parameters={"LANGUAGE": record["language"]})
    lines = [_text(texts, record) for texts in (newest.get("summary"), *occasion.lines) if texts]
    if lines:
        event.add("description", "\n\n".join(lines))
    tlp = newest["handling"]["tlp"]
    event.add("class", "PUBLIC" if tlp == "CLEAR" else "CONFIDENTIAL")
    event.add("categories", [f"TLP:{tlp}"])
    _add_place(event, occasion.place, record)
    if occasion.organizer and "email" in occasion.organizer:
        name = _text(occasion.organizer["name"], record)
        event.add("organizer", f"mailto:{occasion.organizer['email']}", parameters={"CN": " ".join(name.split())})
    return event


def _add_place(event: Event, place: Json | None, record: Json) -> None:
    if place is None:
        return
    event.add("location", _text(place["name"], record))
    geometry = place.get("geometry")
    if geometry is not None and geometry["type"] == "Point":
        longitude, latitude = geometry["coordinates"]
        event.add("geo", (latitude, longitude))


def _activity(body: Json) -> _Occasion:
    lines = (body["designation"], body["purpose"])
    return _Occasion(body["start"], body["end"], body["area"], body.get("contact"), lines)


def _visit(body: Json) -> _Occasion:
    lines = tuple(body[name] for name in ("description",) if name in body)
    return _Occasion(body["dtstart"], body["dtend"], body["location"], body["organizer"], lines)


def _observation(body: Json) -> _Occasion:
    programme = sorted(body["programme"], key=lambda item: _moment(item["start"]))
    end = max((item["end"] for item in programme), key=_moment)
    lines = tuple(item["text"] for item in programme)
    return _Occasion(programme[0]["start"], end, body["arrival_point"], body["poc"], lines)


_OCCASIONS: Final[dict[str, Callable[[Json], _Occasion]]] = {
    "military-activity-notification": _activity,
    "observer-invitation": _observation,
    "visit-event-invitation": _visit,
}


def _moment(text: str) -> datetime:
    """In UTC; by its offset a time can lie beyond the last one that the calendar has."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        return _LAST


def _text(texts: dict[str, str], record: Json) -> str:
    """The text in the record's language, or in English or Russian, with line feeds for all line breaks."""
    text = texts.get(record["language"]) or texts.get("en") or texts["ru"]
    return text.replace("\r\n", "\n").replace("\r", "\n")
