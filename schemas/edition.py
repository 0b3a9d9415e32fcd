"""What an edition of the Catalogue consists of, and how `catalogue.json` becomes it. Lookups are in `catalogue`."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Title:
    """A short title in two languages. It is this project's own and carries no authority."""

    en: str
    ru: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A delegation's mark as printed, such as -IND. The text gives no legend."""

    delegation: str
    sign: str


@dataclass(frozen=True, slots=True)
class Bracket:
    """A passage in square brackets, not agreed.

    Attributes:
        number: 1, 1.1, ... by nesting.
        texts: one text, or the alternatives that a stroke divides.
        marks: of the delegations that opposed or proposed it.
    """

    number: str
    texts: tuple[str, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure or lettered item of section 2.

    Attributes:
        number: as the text prints it, a lettered item with a full stop: 2.1.1.b.
        chapeau: true for the two that only introduce lettered items; records name the items.
        text: the exact words, with brackets and marks.
        undisputed: the words without brackets and marks; equal to `text` where nothing is disputed.
        kind: what sort of exchange it is (see `kinds`).
        record_types: those that serve it, the most apt first.
    """

    number: str
    parent: str | None
    chapeau: bool
    dimension: str
    priority_area: str
    title: Title
    text: str
    undisputed: str
    brackets: tuple[Bracket, ...]
    kind: str
    record_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriorityArea:
    """A priority area of a dimension; one without a heading in the text has a title of this project."""

    name: str
    title: Title
    heading_in_text: bool
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One of the five dimensions, 2.1 to 2.5."""

    number: str
    name: str
    title: Title
    introduction: str
    priority_areas: tuple[PriorityArea, ...]


@dataclass(frozen=True, slots=True)
class GeneralProvision:
    """A provision of section 1, with its exact text; `record_types` carry out what it asks for, as 1.8 does."""

    number: str
    text: str
    record_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a modality: a record of `record_type` whose body has the members of `where` takes it."""

    step: str
    actors: tuple[str, ...]
    act: str
    record_type: str
    where: tuple[tuple[str, str], ...]
    quote: str


@dataclass(frozen=True, slots=True)
class Modality:
    """A modality of section 3; `measure` is what its records name as their measure: 3.A or 3.B."""

    measure: str
    text: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition of the Catalogue.

    Attributes:
        catalogue_id: what a record states.
        status: draft or adopted.
        source_sha256: of the plain text that it was transcribed from.
        remarks: where the text contradicts itself or leaves something open.
    """

    catalogue_id: str
    status: str
    title: str
    source: str
    source_sha256: str
    preamble: tuple[str, ...]
    general_provisions: tuple[GeneralProvision, ...]
    introduction: str
    dimensions: tuple[Dimension, ...]
    modalities_introduction: str
    modalities: tuple[Modality, ...]
    remarks: tuple[str, ...]


def parse_edition(raw: dict[str, Any]) -> Edition:
    """One edition as `catalogue.json` writes it."""
    source = raw["source"]
    return Edition(
        catalogue_id=raw["catalogue_id"],
        status=raw["status"],
        title=raw["title"],
        source=f"note verbale {source['note_verbale']} of {source['date']}, {source['place']}: {source['description']}",
        source_sha256=source["sha256"],
        preamble=tuple(raw["preamble"]),
        general_provisions=tuple(_provision(row) for row in raw["general_provisions"]),
        introduction=raw["introduction"],
        dimensions=tuple(_dimension(row) for row in raw["dimensions"]),
        modalities_introduction=raw["modalities"]["introduction"],
        modalities=tuple(_modality(f"3.{letter}", raw["modalities"][letter]) for letter in "AB"),
        remarks=tuple(raw["remarks"]),
    )


def _provision(raw: dict[str, Any]) -> GeneralProvision:
    return GeneralProvision(raw["number"], raw["text"], tuple(raw.get("record_types", ())))


def _dimension(raw: dict[str, Any]) -> Dimension:
    areas = tuple(
        PriorityArea(
            area["id"],
            Title(**area["title"]),
            area["heading_in_text"],
            tuple(_measure(row, raw["number"], area["id"]) for row in area["measures"]),
        )
        for area in raw["priority_areas"]
    )
    return Dimension(raw["number"], raw["id"], Title(**raw["title"]), raw["introduction"], areas)


def _measure(raw: dict[str, Any], dimension: str, area: str) -> Measure:
    draft = raw.get("draft", {"text_without_brackets": raw["text"], "brackets": ()})
    return Measure(
        number=raw["number"],
        parent=raw["parent"],
        chapeau=raw["chapeau"],
        dimension=dimension,
        priority_area=area,
        title=Title(**raw["title"]),
        text=raw["text"],
        undisputed=draft["text_without_brackets"],
        brackets=tuple(_bracket(row) for row in draft["brackets"]),
        kind=raw["kind"],
        record_types=tuple(raw["record_types"]),
    )


def _bracket(raw: dict[str, Any]) -> Bracket:
    texts = raw["alternatives"] if "alternatives" in raw else [raw["text"]]
    return Bracket(raw["id"], tuple(texts), tuple(Mark(mark[1:], mark[0]) for mark in raw["marks"]))


def _modality(measure_number: str, raw: dict[str, Any]) -> Modality:
    taken = tuple(
        Step(
            row["step"],
            tuple(row["actors"]),
            row["act"],
            row["record_type"],
            tuple(sorted(row.get("where", {}).items())),
            row["quote"],
        )
        for row in raw["steps"]
    )
    return Modality(measure_number, tuple(raw["text"]), taken)
