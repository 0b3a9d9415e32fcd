"""Markings of a STIX 2.1 bundle that say no level of TLP; those that do are known to `schemas.stix_markings`.

A marking whose level is unknown could be stricter than any: it is defined in no place at hand, or is of another system.
"""

from collections.abc import Iterator
from typing import Any

from exchange.convert.stix_model import MARKING
from schemas.record_errors import Fault, shorten
from schemas.stix_markings import markings

Json = dict[str, Any]


def without_level(objects: list[Json]) -> list[Fault]:
    """A fault for each marking that cannot be judged, a warning for each statement; JSON Pointers into the bundle."""
    judged = {place for place, _ in markings(objects)}
    definitions = {item["id"]: item for item in objects if item["type"] == MARKING}
    faults = []
    for index, item in enumerate(objects):
        for place, reference in _references(item):
            if f"/{index}{place}" in judged:
                continue
            path = f"/objects/{index}{place}"
            if definitions.get(str(reference), {}).get("definition_type") == "statement":
                faults.append(Fault(path, "a statement", "no statement, or that its text was read", warning=True))
            else:
                faults.append(Fault(path, shorten(reference), "TLP or a statement, defined in the bundle or by STIX"))
    return faults


def _references(item: Json) -> Iterator[tuple[str, object]]:
    """Every place that marks an object or a part of it; the language of a part is no restriction."""
    for index, reference in enumerate(item.get("object_marking_refs", ())):
        yield f"/object_marking_refs/{index}", reference
    granular = item.get("granular_markings", [])
    for index, part in enumerate(granular if isinstance(granular, list) else [granular]):
        if not isinstance(part, dict):
            yield f"/granular_markings/{index}", part
        elif "marking_ref" in part or "lang" not in part:
            yield f"/granular_markings/{index}/marking_ref", part.get("marking_ref")
