"""Rules of `sector-information`: the sector that a measure is about, places, and observations given once."""

from collections.abc import Iterator
from typing import Final

from schemas.checks.common import Json, fit_warnings, place_faults
from schemas.record_errors import Fault

_FITTING: Final = {
    "2.3.1": ("sme",),
    "2.3.2": ("energy", "pipeline"),
    "2.3.3": ("pipeline",),
    "2.3.5": ("tourism",),
    "2.3.6": ("tourism",),
    "2.3.7": ("transport",),
    "2.3.8": ("transport",),
    "2.3.10": ("finance",),
    "2.3.12": ("visa",),
    "2.3.13": ("investment",),
}
_SERIES: Final = ("indicator", "geo", "period", "unit")


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from fit_warnings(record, "/body/sector", body["sector"], _FITTING)
    seen = set()
    for index, observation in enumerate(body.get("observations", ())):
        key = tuple(observation[member] for member in _SERIES)
        if key in seen:
            yield Fault(f"/body/observations/{index}", "an observation given before", "one for each series and period")
        seen.add(key)
    for index, line in enumerate(body.get("pipeline", ())):
        path = f"/body/pipeline/{index}"
        yield from place_faults(f"{path}/from", line["from"])
        yield from place_faults(f"{path}/to", line["to"])
        yield from place_faults(path, line)
    for index, link in enumerate(body.get("transport", ())):
        if "border_point" in link:
            yield from place_faults(f"/body/transport/{index}/border_point", link["border_point"])
