"""Which step of section 3 of the Catalogue a record takes. Whether it may depends on its thread and is judged there."""

from typing import Any

from schemas import catalogue
from schemas.edition import Step

Json = dict[str, Any]


def step_of(record: Json) -> Step | None:
    """The step that a valid record takes, or None if it takes none (another measure, a reply, a revision)."""
    body = record["body"]
    if record["action"] == "reply" or not body:
        return None
    for modality in catalogue.edition(record["catalogue_id"]).modalities:
        if modality.measure == record["measure"]:
            for step in modality.steps:
                if step.record_type == record["record_type"] and all(
                    body.get(name) == code for name, code in step.where
                ):
                    return step
    return None
