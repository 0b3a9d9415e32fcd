"""Records of section 3 as facts: each takes one step of a modality."""

from typing import Any

from exchange.records.facts import RecordFact
from exchange.records.procedure import Bodies
from schemas.charter import Chairmanship
from tests.support.facts import START, XAA, XAB, XAC, XAD, fact

DECISIONS = {
    "A2": ("coordinator-consultation", "chairman"),
    "A3": ("coordinator-designation", "chairman"),
    "A6": ("swg-consideration", "swg"),
    "A7": ("soc-approval", "soc"),
    "B5": ("expert-tasking", "meeting"),
    "B7": ("swg-consideration", "swg"),
    "B8": ("soc-decision", "soc"),
}
# XAC chairs for a thousand seconds, then XAD.
BODIES = Bodies(
    frozenset({XAA, XAB, XAC, XAD}),
    (Chairmanship(XAC, START, START + 1000), Chairmanship(XAD, START + 1000, START + 9000)),
)


def step(
    name: str,
    when: int | None,
    by: str | tuple[str, ...],
    record_id: str = "",
    **more: Any,  # noqa: ANN401 - a body
) -> RecordFact:
    """The record of step `name`, `when` seconds after the start; `more` are members of its body."""
    record_type, body = _content(name)
    return fact(
        record_id or name,
        by=by,
        to=("XAA", "XAB", "XAC", "XAD", "CICA"),
        when=None if when is None else START + when,
        record_type=record_type,
        measure=f"3.{name[0]}",
        body={**body, **more},
    )


def modality_a() -> list[RecordFact]:
    """A whole procedure: XAA and XAB are interested, XAA coordinates, XAC chairs."""
    return [
        step("A1", 1, "XAA"),
        step("A1", 2, "XAB", "A1b"),
        step("A2", 3, "XAC"),
        step("A3", 4, "XAC", designated=["XAA"]),
        step("A4", 5, "XAA"),
        step("A5", 6, "CICA"),
        step("A6", 7, "XAC"),
        step("A7", 8, "XAC"),
    ]


def modality_b() -> list[RecordFact]:
    """A whole procedure: XAA and XAB nominate, XAA's node signs the paper of both experts."""
    authors = [{"person": {}, "nomination_ref": "B3"}, {"person": {}, "nomination_ref": "B3b"}]
    return [
        step("B1", 1, "XAA"),
        step("B2", 2, "CICA"),
        step("B3", 3, "XAA"),
        step("B3", 4, "XAB", "B3b"),
        step("B4", 5, "CICA"),
        step("B5", 6, "XAC"),
        step("B6", 7, "XAA", authors=authors),
        step("B7", 8, "XAC"),
        step("B8", 9, "XAC"),
    ]


def _content(name: str) -> tuple[str, dict[str, Any]]:
    area: dict[str, Any] = {"priority_area": "tourism"}
    if name in DECISIONS:
        kind, who = DECISIONS[name]
        return "modality-decision", {**area, "decision_kind": kind, "by": who, "outcome": "agreed", "subject_ref": "x"}
    papers = {"designation_ref": "A3", **area}
    contents: dict[str, tuple[str, dict[str, Any]]] = {
        "A1": ("expression-of-interest", {**area, "modality": "A", "intent": "implement"}),
        "A4": ("concept-paper", {**papers, "document_status": "draft"}),
        "A5": ("concept-paper", {**papers, "document_status": "circulated"}),
        "B1": ("expression-of-interest", {**area, "modality": "B", "intent": "views"}),
        "B2": ("database-entry", {"entry_of": ["B1"]}),
        "B3": ("expert-nomination", area),
        "B4": ("visit-event-invitation", {**area, "invitation_kind": "specialized-meeting"}),
        "B6": ("working-paper", {**area, "tasking_ref": "B5", "authors": []}),
    }
    return contents[name]
