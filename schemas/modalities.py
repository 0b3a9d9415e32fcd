"""The procedures of section 3 of the Catalogue over the records of one thread.

Nearly everything there is a thing that states may do, so a step that was left out is a warning. One order binds: a
concept paper goes to the Senior Officials Committee only if the Special Working Group agreed (step A7 after A6).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from schemas import catalogue
from schemas.edition import Step
from schemas.record_errors import Fault

Json = dict[str, Any]
_APPROVAL: Final = "A7"
_CONSIDERATION: Final = "A6"


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


def flow_faults(record: Json, earlier: Iterable[Json]) -> Iterator[Fault]:
    """What is wrong with the place of a record in its thread.

    Args:
        record: a valid record.
        earlier: valid records of the thread that came before and stand: neither cancelled nor withdrawn.
    """
    step = step_of(record)
    if step is None:
        return
    before = [(found.step, other) for other in earlier if (found := step_of(other)) is not None]
    taken = {name for name, _ in before}
    agreed = any(name == _CONSIDERATION and other["body"]["outcome"] == "agreed" for name, other in before)
    if step.step == _APPROVAL and not agreed:
        yield Fault("/body/decision_kind", "no agreement before it", "first the agreement of the SWG, step A6")
    order = [other.step for other in catalogue.steps(record["catalogue_id"]) if other.step[0] == step.step[0]]
    missing = [name for name in order[: order.index(step.step)] if name not in taken]
    if missing:
        yield Fault(
            "/body", f"no step {', '.join(missing)}", f"the steps before {step.step} in its thread", warning=True
        )
