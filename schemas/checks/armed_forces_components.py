"""Rules of `armed-forces-components`: a tree of command without cycles, figures that can be (Vienna Document 2011)."""

from collections.abc import Iterator
from typing import Final

from schemas.checks.common import Json, known, place_faults
from schemas.record_errors import Fault, shorten

_YEAR: Final = slice(4)


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    if body["as_of"][_YEAR] != str(body["reference_year"]):
        expected = f"{body['as_of'][_YEAR]}, the year of as_of"
        yield Fault("/body/reference_year", str(body["reference_year"]), expected, warning=True)
    yield from _tree(body["components"])
    for index, component in enumerate(body["components"]):
        path = f"/body/components/{index}"
        if "peacetime_location" in component:
            yield from place_faults(f"{path}/peacetime_location", component["peacetime_location"])
        actual, authorised = known(component.get("personnel_actual")), known(component.get("personnel_authorised"))
        if actual is not None and authorised is not None and actual > authorised:
            expected = f"at most the authorised {authorised}"
            yield Fault(f"{path}/personnel_actual", str(actual), expected, warning=True)


def _tree(components: list[Json]) -> Iterator[Fault]:
    """Every name once, every commander named, and no component above itself."""
    parents: dict[str, str | None] = {}
    for index, component in enumerate(components):
        if component["ref"] in parents:
            yield Fault(f"/body/components/{index}/ref", shorten(component["ref"]), "a name not given before")
        parents.setdefault(component["ref"], component.get("parent_ref"))
    clear: set[str] = set()
    for index, component in enumerate(components):
        path, parent = f"/body/components/{index}/parent_ref", component.get("parent_ref")
        if parent is not None and parent not in parents:
            yield Fault(path, shorten(parent), "the ref of a component of this record")
        elif _has_cycle(component["ref"], parents, clear):
            yield Fault(path, shorten(parent), "a commander that is not, through others, under this component")


def _has_cycle(start: str, parents: dict[str, str | None], clear: set[str]) -> bool:
    """Whether the way up from `start` never ends; `clear` collects components whose way is known to end."""
    way: dict[str, None] = {}
    at: str | None = start
    while at is not None and at not in clear:
        if at in way:
            return True
        way[at] = None
        at = parents.get(at)
    clear.update(way)
    return False
