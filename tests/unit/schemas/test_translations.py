"""A translation is bound to the one exact text that it translates; no other record is."""

import pytest

from tests.support.records import Mutation, Record, both, drop, example, put, refusals

TEXT = example("defence-budget", "simplified-actual-outlay")
OF = {"record_id": TEXT["record_id"], "sha256": "ab" * 32}


def translation() -> Record:
    return TEXT | {
        "record_id": "urn:x-mod:2026:translation",
        "action": "translation",
        "references": [OF["record_id"]],
        "translation_of": dict(OF),
    }


def test_a_translation_that_names_its_text_and_digest_is_valid() -> None:
    assert refusals(translation()) == {}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (drop("/translation_of"), "/translation_of"),
        (drop("/translation_of/sha256"), "/translation_of/sha256"),
        (drop("/references"), "/references"),
        (put("/references", [OF["record_id"], "urn:x-mod:2026:1"]), "/references"),
        (put("/references", ["urn:x-mod:2026:1"]), "/translation_of/record_id"),
        (put("/translation_of/record_id", "urn:x-mod:2026:1"), "/translation_of/record_id"),
        (put("/translation_of/record_id", "the budget"), "/translation_of/record_id"),
        (put("/translation_of/sha256", "AB" * 32), "/translation_of/sha256"),
        (put("/translation_of/sha256", "ab" * 31), "/translation_of/sha256"),
        (put("/translation_of/language", "ru"), "/translation_of"),
        (put("/translation_of", OF["record_id"]), "/translation_of"),
    ],
)
def test_a_translation_of_no_exact_text_is_refused_at_its_place(change: Mutation, path: str) -> None:
    record = translation()
    change(record)
    assert path in refusals(record)


@pytest.mark.parametrize("action", ["new", "update", "correction", "cancel", "ack"])
def test_what_is_no_translation_translates_nothing(action: str) -> None:
    record = translation()
    both(put("/action", action), put("/body", TEXT["body"] if action in {"new", "update", "correction"} else {}))(
        record
    )
    assert refusals(record).keys() == {"/translation_of"}
    del record["translation_of"]
    assert refusals(record) == {}
