"""Who may do what to which record. Each test is an attempt; the sentence says why it is refused."""

import json
from hashlib import sha256

import pytest

from exchange.records.facts import Box, EnvelopeFacts, RecordFact, record_fact
from exchange.records.pairing import pairing_fault
from schemas.validate import validate_record
from tests.support.facts import START, XAA, XAB, fact
from tests.support.records import example

RECORD = fact("r")
JOINT = fact("r", by=("XAA", "XAB"), to="XAC")


@pytest.mark.parametrize("action", ["correction", "update", "cancel", "withdraw"])
def test_an_originator_changes_and_ends_its_own(action: str) -> None:
    assert pairing_fault(fact("a", action, "r"), RECORD) is None


@pytest.mark.parametrize(
    ("action", "verb"),
    [("correction", "correct"), ("update", "update"), ("cancel", "cancel"), ("withdraw", "withdraw")],
)
def test_a_recipient_cannot_change_or_end_what_it_received(action: str, verb: str) -> None:
    assert pairing_fault(fact("a", action, "r", by="XAB"), RECORD) == f"only XAA may {verb} it, not XAB"


def test_a_recipient_cannot_translate_in_the_originators_name() -> None:
    attempt = fact("a", "translation", "r", by="XAB", language="ru", translates=RECORD)
    assert pairing_fault(attempt, RECORD) == "only XAA may translate it, not XAB"


def test_one_of_two_originators_cannot_change_a_joint_text() -> None:
    assert pairing_fault(fact("a", "correction", "r"), JOINT) == "only XAA and XAB together may correct it, not XAA"
    assert pairing_fault(fact("a", "correction", "r", by=("XAA", "XAB")), JOINT) is None


def test_one_of_two_originators_withdraws_a_joint_text() -> None:
    assert pairing_fault(fact("a", "withdraw", "r"), JOINT) is None


def test_a_state_that_joins_in_does_not_get_to_withdraw_anothers_text() -> None:
    attempt = fact("a", "withdraw", "r", by=("XAA", "XAC"))
    assert pairing_fault(attempt, RECORD) == "only XAA may withdraw it, not XAC"


@pytest.mark.parametrize("action", ["reply", "ack", "error"])
def test_a_recipient_answers(action: str) -> None:
    assert pairing_fault(fact("a", action, "r", by="XAB", to="XAA"), RECORD) is None


@pytest.mark.parametrize("action", ["reply", "ack", "error"])
def test_who_was_not_addressed_cannot_answer(action: str) -> None:
    fault = pairing_fault(fact("a", action, "r", by="XAD", to="XAA"), RECORD)
    assert fault is not None
    assert fault.startswith("XAD may not")
    assert fault.endswith("it was addressed to XAB and XAC")


def test_an_answer_behind_the_originators_back_is_none() -> None:
    attempt = fact("a", "reply", "r", by="XAB", to="XAC")
    assert pairing_fault(attempt, RECORD) == "it is not addressed to XAA, whom it answers"


@pytest.mark.parametrize("action", ["correction", "cancel"])
@pytest.mark.parametrize("mode", ["exercise", "test", "draft"])
def test_an_exercise_does_not_touch_what_is_actual(action: str, mode: str) -> None:
    fault = pairing_fault(fact("a", action, "r", mode=mode), RECORD)
    assert fault == f"its mode is {mode}, that of what it refers to is actual: they must be the same"


@pytest.mark.parametrize("other", [{"record_type": "treaty-status"}, {"measure": "2.1.1.a"}])
def test_a_correction_is_of_the_same_matter(other: dict[str, str]) -> None:
    expected = "it has another record type or measure than what it refers to"
    assert pairing_fault(fact("a", "correction", "r", **other), RECORD) == expected  # type: ignore[arg-type]  # names of texts


def test_a_reply_may_be_of_another_matter() -> None:
    reply = fact("a", "reply", "r", by="XAB", to="XAA", record_type="incident-consultation", measure="2.1.3")
    assert pairing_fault(reply, RECORD) is None


def test_a_translation_is_bound_to_the_exact_text() -> None:
    assert pairing_fault(translation(), RECORD) is None
    forged = translation(translates=fact("r", text="another text"))
    assert pairing_fault(forged, RECORD) == "it translates another text than the one under that id: the digests differ"


def test_a_translation_that_states_no_text_is_refused() -> None:
    fault = "translation_of does not name the record that it refers to"
    assert pairing_fault(translation(translates=None), RECORD) == fault
    assert pairing_fault(translation(translates=fact("another")), RECORD) == fault


def test_a_translation_is_of_one_text_into_another_language() -> None:
    assert pairing_fault(translation(on=("r", "s")), RECORD) is not None
    fault = pairing_fault(translation(language="en"), RECORD)
    assert fault == "it is in en, the language of the authentic text"


@pytest.mark.parametrize(
    ("action", "target"),
    [
        ("correction", "translation"),
        ("reply", "ack"),
        ("ack", "ack"),
        ("ack", "error"),
        ("cancel", "withdraw"),
        ("withdraw", "cancel"),
        ("translation", "translation"),
        ("update", "cancel"),
    ],
)
def test_some_actions_are_not_about_others(action: str, target: str) -> None:
    fault = pairing_fault(fact("a", action, "r"), fact("r", target, "q"))
    assert fault is not None
    assert fault.endswith(f"a record whose action is {target}")


def translation(
    translates: RecordFact | None = RECORD, on: str | tuple[str, ...] = "r", language: str = "ru"
) -> RecordFact:
    return fact("t", "translation", on, language=language, translates=translates)


def test_a_valid_translation_is_read_with_the_text_that_it_names() -> None:
    record = example("defence-budget", "simplified-actual-outlay")
    exact = json.dumps(record, ensure_ascii=False).encode("utf-8")
    envelope = EnvelopeFacts("0" * 32, Box.INBOX, XAA, (XAB,), START)
    original = record_fact(record, exact, envelope)
    translated = record | {
        "record_id": "urn:x-mod:2026:translation",
        "action": "translation",
        "references": [record["record_id"]],
        "translation_of": {"record_id": record["record_id"], "sha256": sha256(exact).hexdigest()},
        "language": "ru",
        "title": record["title"] | {"ru": "Оборонный бюджет"},
    }
    validate_record(translated)
    assert pairing_fault(record_fact(translated, b"", envelope), original) is None
    other = record_fact(record, exact + b" ", envelope)
    assert pairing_fault(record_fact(translated, b"", envelope), other) is not None
