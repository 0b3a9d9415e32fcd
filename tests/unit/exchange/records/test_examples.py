"""The worked examples of section 3 as one node would hold them: each is a step that its procedure allows."""

import pytest

from exchange.records.chain import State, build
from exchange.records.facts import Action, Box, EnvelopeFacts, RecordFact, record_fact, seconds
from exchange.records.procedure import Bodies, judge_step, status
from exchange.records.threads import thread_of
from exchange.records.verdict import Allowed
from schemas.charter import Chairmanship
from schemas.ids import member_id
from schemas.registry import examples, list_schemas
from schemas.validate import load_json, validate_record
from tests.support.facts import XAA, XAB, XAC, XAD, at

BODIES = Bodies(frozenset({XAA, XAB, XAC, XAD}), (Chairmanship(XAC, at("2026-01-01"), at("2027-01-01")),))
NOW = at("2026-12-01")


def fact_of(data: bytes) -> RecordFact:
    """A record that the relay accepted when it was issued."""
    record = load_json(data)
    validate_record(record)
    assert isinstance(record, dict)
    sender, *_ = originators = [member_id(code) for code in record["originators"]]
    audience = tuple(member_id(code) for code in record["recipients"] if member_id(code) not in originators)
    return record_fact(record, data, EnvelopeFacts("0" * 32, Box.INBOX, sender, audience, seconds(record["issued_at"])))


ALL = [fact_of(data) for name, _ in list_schemas() for _, data in examples(name)]
STEPS = [fact for fact in ALL if fact.measure in {"3.A", "3.B"}]
# A meeting on energy security that no example led up to, and a withdrawal of a nomination that is none of them.
ALONE = {"01a05b56-a480-7970-8619-1eb5c34b520c", "01a05b56-a480-78b7-9031-bd454a050af5"}


def earlier(fact: RecordFact) -> list[RecordFact]:
    return [one for one in thread_of(STEPS, fact) if one.order < fact.order]


@pytest.mark.parametrize("fact", STEPS, ids=lambda fact: f"{fact.record_type} {fact.record_id[-4:]}")
def test_an_example_is_a_step_that_its_procedure_allows(fact: RecordFact) -> None:
    assert isinstance(judge_step(earlier(fact), fact, BODIES, NOW), Allowed)


@pytest.mark.parametrize(
    ("measure", "steps"), [("3.A", ["A1", "A3", "A4", "A5", "A6"]), ("3.B", ["B1", "B3", "B3", "B5", "B6", "B2"])]
)
def test_the_examples_of_a_modality_are_one_thread_in_its_order(measure: str, steps: list[str]) -> None:
    facts = [fact for fact in STEPS if fact.measure == measure and fact.record_id not in ALONE]
    first = min(facts, key=lambda fact: fact.order)
    assert {fact.record_id for fact in thread_of(facts, first)} == {fact.record_id for fact in facts} - {
        first.record_id
    }
    found = status(facts, measure, BODIES, NOW)
    assert found.refused == ()
    assert [row.step for row in found.done] == steps


def test_the_revised_working_paper_of_both_experts_is_the_one_that_holds() -> None:
    paper = status(STEPS, "3.B", BODIES, NOW).done
    (text,) = [row.text for row in paper if row.step == "B6"]
    assert (text.action, text.body["version"], len(text.body["authors"])) == (Action.UPDATE, 2, 2)


def test_no_example_does_to_another_what_it_may_not() -> None:
    states = {entry.state for entry in build(ALL).entries.values()}
    assert State.REFUSED not in states
    assert {State.CURRENT, State.SUPERSEDED, State.CANCELLED} <= states
