"""The steps of section 3 over the records of one thread."""

from typing import Any

import pytest

from schemas.modalities import flow_faults, step_of
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
def test_what_is_no_step_has_no_place_to_be_wrong(record: Record) -> None:
    assert step_of(record) is None
    assert list(flow_faults(record, [])) == []


def test_every_step_of_the_catalogue_is_taken_by_some_record_or_by_a_change_of_one() -> None:
    records: list[Any] = [load_json(data) for name, _ in list_schemas() for _, data in examples(name)]
    taken = {step.step for record in [*records, A2, A7] if (step := step_of(record)) is not None}
    assert {"A1", "A2", "A3", "A4", "A5", "A6", "A7", "B1", "B2", "B3", "B4", "B5", "B6"} == taken


def test_a_thread_in_order_has_no_fault() -> None:
    thread = [A1, A2, A3, A4, A5, A6, A7]
    for index, record in enumerate(thread):
        assert list(flow_faults(record, thread[:index])) == []


def test_a_step_left_out_is_a_warning_naming_it() -> None:
    (fault,) = flow_faults(A5, [A1, A4])
    assert fault.warning
    assert fault.found == "no step A2, A3"


@pytest.mark.parametrize(
    "earlier",
    [[], [A1, A2, A3, A4, A5], [A1, A2, A3, A4, A5, changed(A6, outcome="returned")]],
    ids=["nothing", "not considered", "considered and not agreed"],
)
def test_approval_without_agreement_in_the_working_group_is_refused(earlier: list[Record]) -> None:
    refused = [fault for fault in flow_faults(A7, earlier) if not fault.warning]
    assert [fault.path for fault in refused] == ["/body/decision_kind"]


def test_agreement_after_a_return_opens_the_way() -> None:
    returned = changed(A6, outcome="returned")
    assert list(flow_faults(A7, [A1, A2, A3, A4, A5, returned, A6])) == []


def test_steps_of_the_other_modality_do_not_count() -> None:
    (fault,) = flow_faults(B3, [A1, A2, A3])
    assert fault.found == "no step B1, B2"
