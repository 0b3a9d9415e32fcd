"""Which Traffic Light Protocol markings a STIX 2.1 bundle carries, and where.

Sources: STIX 2.1 section 7.2 (data markings, and TLP 1 with its fixed ids); the OASIS common object repository (TLP 2.0
as an extension, with fixed ids); FIRST TLP 2.0 (WHITE became CLEAR, AMBER kept its audience, AMBER+STRICT is new).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from schemas.terms import Tlp

Json = dict[str, Any]

FIXED: Final = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER,
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED,
}
_COLOURS: Final = {"white": Tlp.CLEAR} | {level.label.lower(): level for level in Tlp}
_STATED: Final = ("tlp", "tlp_2_0")
_LABEL: Final = "tlp:"


def markings(objects: Iterable[Json]) -> Iterator[tuple[str, Tlp]]:
    """JSON Pointer (into the list of objects) and level of every TLP marking of objects and of parts of objects."""
    listed = list(objects)
    own = {item["id"]: level for item in listed if (level := _definition(item)) is not None}
    for index, item in enumerate(listed):
        for place, reference in _references(item):
            levels = [table[reference] for table in (FIXED, own) if reference in table]
            if levels:
                yield f"/{index}{place}", max(levels)
        labels: Any = item.get("labels")
        for position, label in enumerate(labels if isinstance(labels, list) else ()):
            if isinstance(label, str) and (level := _COLOURS.get(label.lower().removeprefix(_LABEL))) is not None:
                yield f"/{index}/labels/{position}", level


def _references(item: Json) -> Iterator[tuple[str, str]]:
    """Pointer and id of each marking that an object or a part of it refers to."""
    for index, reference in enumerate(item.get("object_marking_refs", ())):
        yield f"/object_marking_refs/{index}", reference
    granular: Any = item.get("granular_markings")
    for index, part in enumerate(granular if isinstance(granular, list) else ()):
        if isinstance(part, dict) and isinstance(part.get("marking_ref"), str):
            yield f"/granular_markings/{index}/marking_ref", part["marking_ref"]


def _definition(item: Json) -> Tlp | None:
    """The level that a marking definition inside the bundle states, whatever its id."""
    if item["type"] != "marking-definition":
        return None
    extensions: Any = item.get("extensions")
    parts = [item.get("definition"), *(extensions.values() if isinstance(extensions, dict) else ())]
    stated = [part.get(name) for part in parts if isinstance(part, dict) for name in _STATED]
    levels = [_COLOURS[text.lower()] for text in stated if isinstance(text, str) and text.lower() in _COLOURS]
    return max(levels, default=None)
