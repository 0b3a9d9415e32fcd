"""The CICA Catalogue of Confidence Building Measures as data: `catalogue.json`, read once, through importlib.resources.

Provision 1.8 lets the members amend the Catalogue by consensus, so every lookup is inside one edition; without a
`catalogue_id` it is the newest. This module is the one source of which record types serve which measure.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

from schemas.edition import Edition, Measure, Step, parse_edition

# A measure that states adopted outside the Catalogue (provision 1.5); what it is stands in their agreement.
OUTSIDE: Final = "1.5"


def editions() -> tuple[Edition, ...]:
    """Every edition that records may name, oldest first."""
    return tuple(_editions().values())


def edition(catalogue_id: str | None = None) -> Edition:
    """One edition, the newest if None. Raises KeyError for an unknown id."""
    return _editions()[catalogue_id] if catalogue_id is not None else editions()[-1]


def knows(catalogue_id: str) -> bool:
    """Whether there is such an edition."""
    return catalogue_id in _editions()


def kinds() -> dict[str, str]:
    """Each kind of measure with what it means."""
    return dict(_load()["kinds"])


def measures(catalogue_id: str | None = None) -> tuple[Measure, ...]:
    """All measures and lettered items in the order of the text, the chapeaux among them."""
    return tuple(_measures(edition(catalogue_id).catalogue_id).values())


def measure(number: str, catalogue_id: str | None = None) -> Measure | None:
    """One measure, or None if the edition has none of that number."""
    return _measures(edition(catalogue_id).catalogue_id).get(number)


def steps(catalogue_id: str | None = None) -> tuple[Step, ...]:
    """The steps of all modalities, in order."""
    return tuple(step for modality in edition(catalogue_id).modalities for step in modality.steps)


def serves(record_type: str, number: str, catalogue_id: str | None = None) -> bool:
    """Whether a record of this type may name this measure; a chapeau is named by none."""
    return number in measures_of(record_type, catalogue_id)


def record_types_of(number: str, catalogue_id: str | None = None) -> tuple[str, ...]:
    """Record types that serve a measure, a modality (3.A, 3.B) or the review (1.8), the most apt first; or none.

    A chapeau has those of its lettered items. `OUTSIDE` has none of its own: every type can serve it.
    """
    found = edition(catalogue_id)
    row = measure(number, found.catalogue_id)
    if row is not None:
        return row.record_types
    provision = [p for p in found.general_provisions if p.number == number]
    if provision:
        return provision[0].record_types
    modality = [m for m in found.modalities if m.measure == number]
    return tuple(dict.fromkeys(step.record_type for m in modality for step in m.steps))


def measures_of(record_type: str, catalogue_id: str | None = None) -> tuple[str, ...]:
    """Numbers that records of a type may name, in the order of the text, last `OUTSIDE`; empty for an unknown type."""
    return _measures_of(edition(catalogue_id).catalogue_id).get(record_type, ())


def numbers(catalogue_id: str | None = None) -> tuple[str, ...]:
    """Everything that records may name as their measure, ascending."""
    served = _measures_of(edition(catalogue_id).catalogue_id).values()
    return tuple(sorted({number for row in served for number in row}))


@cache
def _load() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(files("schemas").joinpath("catalogue.json").read_text("utf-8"))
    return loaded


@cache
def _editions() -> dict[str, Edition]:
    return {raw["catalogue_id"]: parse_edition(raw) for raw in _load()["editions"]}


@cache
def _measures(catalogue_id: str) -> dict[str, Measure]:
    areas = (area for dimension in _editions()[catalogue_id].dimensions for area in dimension.priority_areas)
    return {row.number: row for area in areas for row in area.measures}


@cache
def _measures_of(catalogue_id: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for provision in _editions()[catalogue_id].general_provisions:
        for name in provision.record_types:
            found.setdefault(name, []).append(provision.number)
    for row in _measures(catalogue_id).values():
        for name in row.record_types if not row.chapeau else ():
            found.setdefault(name, []).append(row.number)
    for modality in _editions()[catalogue_id].modalities:
        for name in record_types_of(modality.measure, catalogue_id):
            found.setdefault(name, []).append(modality.measure)
    return {name: (*numbers, OUTSIDE) for name, numbers in found.items()}
