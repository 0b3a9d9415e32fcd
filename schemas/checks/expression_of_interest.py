"""Rules of `expression-of-interest`: the modality is the measure's, measures are the area's (Catalogue, section 3)."""

from collections.abc import Iterator

from schemas import catalogue
from schemas.checks.common import Json
from schemas.record_errors import Fault


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    if record["measure"] not in {f"3.{body['modality']}", catalogue.OUTSIDE}:
        yield Fault("/body/modality", body["modality"], f"{record['measure'][-1]}, the modality of the measure")
    for index, number in enumerate(body.get("measures", ())):
        measure = catalogue.measure(number, record["catalogue_id"])
        if measure is None:
            yield Fault(f"/body/measures/{index}", number, f"a measure of {record['catalogue_id']}")
        elif measure.priority_area != body["priority_area"]:
            yield Fault(f"/body/measures/{index}", number, "a measure of the stated priority area")
