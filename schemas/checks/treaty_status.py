"""Rules of `treaty-status`: one entry for each action on an instrument, past days, the measure's instruments."""

from collections.abc import Iterator
from functools import cache
from typing import Final

from schemas.checks.common import Json, day_faults, past_day_faults
from schemas.record_errors import Fault
from schemas.registry import self_contained

_FIRST_ON_CRIME: Final = "UNTOC"
_OF_ANY: Final = "other"


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from past_day_faults(record, "/body/as_of", body["as_of"])
    seen = set()
    usual = _instruments(record["measure"])
    for index, entry in enumerate(body["instruments"]):
        path = f"/body/instruments/{index}"
        key = (entry["instrument"], entry["action"])
        if "title" not in entry and key in seen:
            yield Fault(path, "an entry given before", "one entry for each instrument and action")
        seen.add(key)
        yield from past_day_faults(record, f"{path}/date", entry.get("date"))
        yield from day_faults(f"{path}/entry_into_force", entry.get("date"), entry.get("entry_into_force"), "date")
        if entry["instrument"] not in usual:
            expected = f"an instrument that measure {record['measure']} is about"
            yield Fault(f"{path}/instrument", entry["instrument"], expected, warning=True)


@cache
def _instruments(measure: str) -> frozenset[str]:
    """The codes for a measure: the schema lists arms control and space first, then terrorism and organised crime."""
    codes: list[str] = self_contained("treaty-status")["$defs"]["instrument"]["properties"]["instrument"]["enum"]
    first = codes.index(_FIRST_ON_CRIME)
    return frozenset({"2.1.5": [*codes[:first], _OF_ANY], "2.2.6": codes[first:]}.get(measure, codes))
