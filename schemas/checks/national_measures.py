"""Rules of `national-measures`: topics of the measure; bracketed topics only where the edition has them (2.2.1)."""

from collections.abc import Iterator
from typing import Final

from schemas.checks.common import Json, fit_warnings, past_day_faults, period_faults, place_faults, places_faults
from schemas.checks.drafts import bracket_faults
from schemas.checks.numbers import cas_faults
from schemas.record_errors import Fault

_FITTING: Final = {
    "2.2.1": (
        "organised-crime",
        "trafficking-in-persons",
        "smuggling-of-migrants",
        "money-laundering",
        "firearms",
        "salw",
    ),
    "2.2.3": ("economic-crime", "money-laundering"),
    "2.2.5": ("terrorism", "terrorist-financing", "extremism-separatism"),
    "2.2.6": ("terrorism", "terrorist-financing", "organised-crime"),
    "2.2.12": ("drug-trafficking",),
}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from bracket_faults(record)
    yield from fit_warnings(record, "/body/topic", body["topic"], _FITTING)
    yield from period_faults("/body/period", body["period"])
    for index, measure in enumerate(body["measures"]):
        yield from past_day_faults(record, f"/body/measures/{index}/date", measure.get("date"))
    for index, seizure in enumerate(body.get("seizures", ())):
        path = f"/body/seizures/{index}"
        yield from cas_faults(f"{path}/cas", seizure.get("cas"))
        yield from places_faults(f"{path}/route", seizure.get("route", ()))
        if "place" in seizure:
            yield from place_faults(f"{path}/place", seizure["place"])
