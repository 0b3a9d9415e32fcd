"""The list of an edition: it reads back as it was written, and nothing else is one."""

import json
from typing import Any

import pytest

from exchange.errors import Invalid
from exchange.records.chain import build
from exchange.records.compiled import carries_list, list_fault, read_compilation, write_compilation
from exchange.records.database import Compilation, Row, Topic, Trace
from tests.support.facts import CICA, XAA, XAB, XAC, fact

HEX = "ab" * 32
ROW = Row("r", "c" * 32, HEX, "d" * 64, (XAA, XAB), "2.3.12", ((XAA, "terms"), (XAB, "grant, terms")))
TRACE = Trace("t", "e" * 32, "f" * 64, "it is withdrawn", 2)
LIST = Compilation(Topic("2.3.14"), 3, (XAB, XAC), (ROW,), (TRACE,))


def entry(**changes: Any) -> Any:  # noqa: ANN401
    values: dict[str, Any] = {"measure": "2.3.14", "record_type": "database-entry", "by": "CICA", "to": ("XAB", "XAC")}
    body = {"entry_of": ["r"], "edition": 3}
    return fact("entry", **{**values, "body": body, **changes})


@pytest.mark.parametrize(
    "compilation",
    [
        LIST,
        Compilation(Topic("3.B", "tourism"), 1, (XAB,), (ROW,), ()),
        Compilation(Topic("2.3.14"), 1, (XAB,), (), ()),
    ],
)
def test_a_list_reads_back_as_it_was_written(compilation: Compilation) -> None:
    assert read_compilation(write_compilation(compilation)) == compilation


def changed(path: str, value: object) -> bytes:
    shown: Any = json.loads(write_compilation(LIST))
    *parents, last = path.split("/")
    at = shown
    for step in parents:
        at = at[int(step) if isinstance(at, list) else step]
    at[last] = value
    return json.dumps(shown).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"edition": 1}',
        b"\xff",
        changed("edition", -1),
        changed("edition", True),
        changed("audience", []),
        changed("audience", ["kaz"]),
        changed("rows", "none"),
        changed("rows/0/provision", "AB" * 32),
        changed("rows/0/message", "x"),
        changed("rows/0/more", 1),
        changed("rows/0/consents", [{}]),
        changed("void/0/since_edition", "2"),
        changed("void", [{}] * 1001),
        changed("rows", [{}] * 64),
        changed("provisions", ["ff" * 32]),
        changed("priority_area", "A B"),
    ],
)
def test_nothing_else_is_a_list(data: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_compilation(data)
    assert caught.value.code == "bad-compilation"


def test_a_list_that_fits_has_no_fault() -> None:
    assert list_fault(LIST, entry(), {HEX: (XAA, XAB)}) is None


@pytest.mark.parametrize(
    ("record", "sources", "words"),
    [
        (entry(measure="3.B"), {HEX: (XAA, XAB)}, "another database or edition"),
        (entry(body={"entry_of": ["r"], "edition": 2}), {HEX: (XAA, XAB)}, "another database or edition"),
        (entry(body={"entry_of": ["r", "s"], "edition": 3}), {HEX: (XAA, XAB)}, "other sources"),
        (entry(to=("XAB",)), {HEX: (XAA, XAB)}, "another audience"),
        (entry(), {}, "lacks the Provision of its source r"),
        (entry(), {"cd" * 32: (XAA, XAB)}, "lacks the Provision of its source r"),
        (entry(), {HEX: (XAA,)}, "of other states"),
    ],
)
def test_what_does_not_fit_is_told(record: Any, sources: Any, words: str) -> None:  # noqa: ANN401
    assert words in (list_fault(LIST, record, sources) or "")


def test_only_the_texts_of_a_database_entry_carry_a_list() -> None:
    assert carries_list(entry())
    assert carries_list(entry(action="update", on="before"))
    assert not carries_list(entry(action="withdraw", on="before", body={}))
    assert not carries_list(entry(record_type="sector-information"))


def test_what_ended_a_line_is_the_first_act_of_who_may() -> None:
    text, update = fact("r"), fact("u", "update", "r", when=10)
    forged = fact("f", "cancel", "r", by="XAC", when=20)
    act, again = fact("c", "cancel", "u", when=30), fact("w", "withdraw", "r", when=40)
    other = fact("o", by=str(CICA))
    chains = build([again, act, forged, update, text, other])
    assert chains.ended_by(text) == chains.ended_by(update) == act
    assert chains.ended_by(other) is None
    assert build([text, forged]).ended_by(text) is None


def test_what_ended_a_translation_ended_nothing_else() -> None:
    text = fact("r")
    translation = fact("t", "translation", "r", language="ru", translates=text, when=10)
    act = fact("c", "cancel", "t", when=20)
    chains = build([text, translation, act])
    assert chains.ended_by(translation) == act
    assert chains.ended_by(text) is None
