"""The steps of section 3 that single records take."""

from typing import Any

import pytest

from schemas.modalities import step_of
from schemas.registry import examples, list_schemas
from schemas.validate import load_json
from tests.support.records import Record, example

A1 = example("expression-of-interest", "energy-security-a")
A3 = example("modality-decision", "designation")
A4 = example("concept-paper", "draft")
A5 = example("concept-paper", "circulated")
A6 = example("modality-decision", "swg-consideration")
B1 = example("expression-of-interest", "views-b")
B3 = example("expert-nomination", "academician")


def changed(record: Record, **members: object) -> Record:
    return record | {"body": record["body"] | members}


A2 = changed(A3, decision_kind="coordinator-consultation")
A7 = changed(A6, decision_kind="soc-approval", by="soc")


@pytest.mark.parametrize(
    ("record", "step"),
    [(A1, "A1"), (A2, "A2"), (A3, "A3"), (A4, "A4"), (A5, "A5"), (A6, "A6"), (A7, "A7"), (B1, "B1"), (B3, "B3")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_takes_its_step(record: Record, step: str) -> None:
    found = step_of(record)
    assert found is not None
    assert found.step == step


def test_the_same_act_is_another_step_under_the_other_modality() -> None:
    found = step_of(A6 | {"measure": "3.B"})
    assert found is not None
    assert found.step == "B7"


@pytest.mark.parametrize(
    "record",
    [
        changed(A5, document_status="revised"),
        A6 | {"measure": "1.5"},
        A6 | {"action": "cancel", "body": {}},
        example("visit-event-invitation", "acceptance"),
        example("database-entry", "trade-database"),
    ],
    ids=["revision", "outside the Catalogue", "cancellation", "reply", "another measure"],
)
def test_what_takes_no_step(record: Record) -> None:
    assert step_of(record) is None


def test_every_step_of_the_catalogue_is_taken_by_some_record_or_by_a_change_of_one() -> None:
    records: list[Any] = [load_json(data) for name, _ in list_schemas() for _, data in examples(name)]
    taken = {step.step for record in [*records, A2, A7] if (step := step_of(record)) is not None}
    assert {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "B1", "B2", "B3", "B4", "B5", "B6"} == taken
