"""Rules of `cooperation-project`: days in order, a lead, and places."""

from collections.abc import Iterator

from schemas.checks.common import Json, day_faults, places_faults
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from day_faults("/body/end", body["start"], body["end"], "start")
    yield from places_faults("/body/location", body.get("location", ()))
    if all(partner["role"] != "lead" for partner in body["partners"]):
        yield Fault("/body/partners", "no lead", "a partner whose role is lead", warning=True)
