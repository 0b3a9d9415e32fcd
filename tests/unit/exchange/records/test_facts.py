"""From a valid record and its envelope to a fact: claims and evidence kept apart."""

import json
from hashlib import sha256

import pytest

from exchange.records.calendar import is_nil, stated_day
from exchange.records.chain import build
from exchange.records.facts import Action, Box, EnvelopeFacts, TextRef, record_fact, seconds
from exchange.records.procedure import judge_step
from exchange.records.verdict import Allowed, Refused
from schemas.registry import examples, list_schemas
from schemas.validate import load_json
from tests.support.facts import CICA, START, XAA, XAB, at
from tests.support.records import example
from tests.support.steps import BODIES


def envelope(evidenced_at: int | None = 5) -> EnvelopeFacts:
    return EnvelopeFacts("ab" * 16, Box.INBOX, XAB, (CICA, XAB), evidenced_at, ((XAB, 7),))


def test_a_fact_has_the_records_claims_and_the_envelopes_evidence() -> None:
    record = example("military-activity-notification", "cancellation")
    exact = json.dumps(record, indent=1).encode()
    made = record_fact(record, exact, envelope())
    assert (made.action, made.references) == (Action.CANCEL, tuple(record["references"]))
    assert made.issued_at == at("2026-07-20", 7)
    assert (made.evidenced_at, made.sender, made.delivered) == (5, XAB, ((XAB, 7),))
    assert made.digest == sha256(exact).hexdigest()
    assert made.originators == (XAA,)


def test_the_audience_is_the_provisions_and_not_what_the_record_says() -> None:
    record = example("military-activity-notification", "cancellation")
    assert "CICA" not in record["recipients"]
    assert record_fact(record, b"", envelope()).recipients == (CICA, XAB)


def test_a_translation_states_its_text() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    record |= {"action": "translation", "translation_of": {"record_id": "r", "sha256": "00"}}
    assert record_fact(record, b"", envelope()).translation_of == TextRef("r", "00")


def test_what_has_no_evidence_comes_last() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    waiting, early = record_fact(record, b"a", envelope(None)), record_fact(record, b"b", envelope(0))
    assert sorted([waiting, early], key=lambda fact: fact.order) == [early, waiting]
    assert waiting.evidenced_on is None


def test_content_is_not_in_the_repr() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    shown = repr(record_fact(record, b"", envelope()))
    assert record["title"]["en"] not in shown
    assert "fiscal_year" not in shown


def test_times_are_rounded_down_also_at_the_ends_of_the_range() -> None:
    assert seconds("1970-01-01T00:00:01.9+00:00") == 1
    assert seconds("1969-12-31T23:59:59.5Z") == -1
    assert seconds("9999-12-31T23:59:59-23:59") > seconds("9999-12-31T23:59:59Z")


@pytest.mark.parametrize("record_type", sorted({name for name, _ in list_schemas()}))
def test_every_worked_example_becomes_a_fact(record_type: str) -> None:
    assert examples(record_type)
    for _, exact in examples(record_type):
        made = record_fact(load_json(exact), exact, envelope())  # type: ignore[arg-type]  # every example is an object
        assert made.record_type == record_type
        assert len(build([made]).entries) == 1
        assert is_nil(made.body) in {True, False}
        assert isinstance(judge_step([], made, BODIES, START), Allowed | Refused)
        assert stated_day(made) is None or made.body
