"""Rules of `modality-decision`: which act belongs to which modality, and who takes it (Catalogue, section 3)."""

from collections.abc import Iterator
from typing import Final

from schemas import catalogue
from schemas.checks.common import Json, past_day_faults
from schemas.record_errors import Fault

_ACTORS: Final = {"CICA Chairman": "chairman", "SWG": "swg", "SOC": "soc", "Specialized meeting": "meeting"}


def faults(record: Json) -> Iterator[Fault]:
    """Faults and warnings of the body."""
    body = record["body"]
    yield from past_day_faults(record, "/body/date", body["date"])
    acts = {
        code: _ACTORS[step.actors[0]]
        for modality in catalogue.edition(record["catalogue_id"]).modalities
        for step in modality.steps
        for name, code in step.where
        if name == "decision_kind" and record["measure"] in {modality.measure, catalogue.OUTSIDE}
    }
    kind = body["decision_kind"]
    if kind not in acts:
        known = ", ".join(sorted(acts))
        yield Fault("/body/decision_kind", kind, f"an act of modality {record['measure']}: {known}")
    elif body["by"] != acts[kind]:
        yield Fault("/body/by", body["by"], f"{acts[kind]}, who takes this act")
    if body.get("consensus") is False and body["outcome"] == "agreed":
        yield Fault("/body/consensus", "false", "true, since CICA decides by consensus", warning=True)
