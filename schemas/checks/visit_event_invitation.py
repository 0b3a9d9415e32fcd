"""Rules of `visit-event-invitation`: times, and the kind of event that a measure is about."""

from collections.abc import Iterator
from typing import Final

from schemas.checks.common import Json, fit_warnings, order_faults, place_faults, programme_faults
from schemas.record_errors import Fault

_FITTING: Final = {
    "2.1.4.a": ("military-visit", "defence-college-visit"),
    "2.1.4.b": ("national-holiday", "cultural-event", "sport-event"),
    "2.3.1": ("business-forum", "dialogue", "other"),
    "2.4.2": ("joint-training", "search-rescue-exercise", "dialogue", "other"),
}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    if record["action"] == "reply":
        return
    yield from order_faults("/body/dtend", body["dtstart"], body["dtend"], "dtstart")
    yield from order_faults("/body/dtstart", body["rsvp_by"], body["dtstart"], "rsvp_by")
    yield from place_faults("/body/location", body["location"])
    yield from programme_faults("/body/programme", body.get("programme", ()), body["dtstart"], body["dtend"])
    yield from fit_warnings(record, "/body/invitation_kind", body["invitation_kind"], _FITTING)
