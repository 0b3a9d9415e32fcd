"""`cbm catalogue`: the measures of the newest edition, in its words, and the record types that serve them. Offline."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from exchange.cli.options import JsonFlag
from exchange.cli.output import WrongUse, print_json, print_result, print_table
from schemas import catalogue
from schemas.edition import Measure, Modality

catalogue_app = typer.Typer(help="The Catalogue's measures and their record types (offline).", add_completion=False)


@catalogue_app.command("list")
def list_measures(as_json: JsonFlag = False) -> None:
    """List every measure and lettered item, with a short title and the record types that serve it."""
    measures = catalogue.measures()
    if as_json:
        print_json([{"number": m.number, "title": m.title.en, "record_types": list(m.record_types)} for m in measures])
        return
    print_table(
        ("NUMBER", "TITLE", "RECORD TYPES"), [(m.number, m.title.en, ", ".join(m.record_types)) for m in measures]
    )


@catalogue_app.command("show")
def show(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Such as 2.1.1.b, modality 3.A or 3.B, review 1.8.")],
    as_json: JsonFlag = False,
) -> None:
    """Show one measure: its exact words with brackets and delegations' marks, its place, its record types."""
    edition = catalogue.edition()
    told: dict[str, Any] = {"number": number, "edition": {"id": edition.catalogue_id, "status": edition.status}}
    measure = catalogue.measure(number)
    provision = next((one for one in edition.general_provisions if one.number == number and one.record_types), None)
    modality = next((one for one in edition.modalities if one.measure == number), None)
    if measure is not None:
        told |= _measure(measure)
    elif modality is not None:
        told |= _modality(modality)
    elif provision is not None:
        told["text"] = provision.text
    else:
        raise WrongUse(f"the Catalogue has no measure {number}: see cbm catalogue list")
    told["record_types"] = list(catalogue.record_types_of(number))
    print_result(told, as_json)


def _measure(measure: Measure) -> dict[str, Any]:
    dimension, area = next(
        (dimension, area)
        for dimension in catalogue.edition().dimensions
        for area in dimension.priority_areas
        if measure in area.measures
    )
    brackets = [
        {
            "number": one.number,
            "texts": list(one.texts),
            "marks": [f"{mark.sign}{mark.delegation}" for mark in one.marks],
        }
        for one in measure.brackets
    ]
    return {
        "title": asdict(measure.title),
        "dimension": {"number": dimension.number, **asdict(dimension.title)},
        "priority_area": {"id": area.name, **asdict(area.title)},
        "kind": measure.kind,
        "text": measure.text,
        "undisputed": measure.undisputed,
        "brackets": brackets,
        "items": [item.number for item in area.measures if item.parent == measure.number],
    }


def _modality(modality: Modality) -> dict[str, Any]:
    return {
        "text": list(modality.text),
        "steps": [
            {"step": step.step, "actors": list(step.actors), "act": step.act, "record_type": step.record_type}
            for step in modality.steps
        ],
    }
