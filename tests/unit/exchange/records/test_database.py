"""The Secretariat's database: only what everybody it goes to may have, and a trace of what is void."""

from dataclasses import replace
from typing import Any

import pytest

from exchange.errors import Invalid
from exchange.records.database import (
    MAX_SOURCES,
    Compilation,
    Source,
    Topic,
    compilation_json,
    compile_edition,
    entry_body,
)
from exchange.records.facts import RecordFact
from schemas.ids import MemberId
from schemas.registry import examples
from tests.support.facts import CICA, START, XAA, XAB, XAC, fact
from tests.support.records import example, refusals

TRADE = Topic("2.3.14")
TO = ("CICA", "XAB")


def record(
    record_id: str,
    action: str = "new",
    on: str | tuple[str, ...] = (),
    when: int = 0,
    **more: Any,  # noqa: ANN401 - any field of a fact
) -> RecordFact:
    values = {"record_type": "sector-information", "measure": "2.3.12", **more}
    return fact(record_id, action, on, to=TO, when=START + when, **values)


def source(held: RecordFact, *to: str, withdrawn: bool = False, ground: str = "terms") -> Source:
    grounds = tuple((MemberId(code), ground) for code in to or ("XAB", "XAC"))
    return Source(held, f"{held.record_id}-provision", "members", withdrawn, grounds)


def made(
    *sources: Source, audience: tuple[str, ...] = ("XAB", "XAC"), previous: Compilation | None = None
) -> Compilation:
    return compile_edition(sources, TRADE, [MemberId(code) for code in audience], previous)[0]


def left_out(*sources: Source, topic: Topic = TRADE) -> dict[str, str]:
    return {row.record_id: row.reason for row in compile_edition(sources, topic, [XAB, XAC])[1]}


def ids(compilation: Compilation) -> list[str]:
    return [row.record_id for row in compilation.rows]


def test_a_row_names_the_message_and_the_provision_that_it_stands_on() -> None:
    held = record("r")
    (row,) = made(source(held)).rows
    assert (row.message, row.provision, row.digest) == (held.message, "r-provision", held.digest)
    assert row.consents == ((XAA, "terms, onward members"),)


def test_what_one_reader_may_not_have_is_in_no_edition_for_both() -> None:
    for_one = source(record("r"), "XAB")
    assert left_out(for_one) == {"r": "no consent of XAA for XAC (1.7)"}
    assert ids(made(for_one, audience=("XAB",))) == ["r"]


def test_what_was_not_submitted_to_the_secretariat_is_not_compiled() -> None:
    assert left_out(source(replace(record("r"), recipients=(XAB,)))) == {
        "r": "it was not submitted to the Secretariat (1.6)"
    }


def test_withdrawn_cancelled_exercises_and_old_texts_are_left_out() -> None:
    found = left_out(
        source(record("w"), withdrawn=True),
        source(record("c")),
        source(record("x", "cancel", "c", when=1)),
        source(record("o")),
        source(record("u", "update", "o", when=1)),
        source(record("e", mode="exercise")),
    )
    assert found == {
        "w": "a provider has withdrawn its consent",
        "c": "it is cancelled",
        "o": "it is superseded",
        "e": "its mode is exercise",
    }


def test_a_forged_cancellation_takes_nothing_out() -> None:
    forged = replace(record("x", "cancel", "r", when=1), originators=(XAB,))
    assert ids(made(source(record("r")), source(forged))) == ["r"]


def test_a_second_text_or_another_state_under_the_same_id_is_left_out() -> None:
    first, second = record("r"), record("r", when=1, text="other")
    impostor = record("r", when=2, by="XAC", text="third")
    made_of, left = compile_edition([source(impostor), source(second), source(first)], TRADE, [XAB])
    assert [row.digest for row in made_of.rows] == [first.digest]
    assert {row.reason for row in left} == {"another record has its id"}
    assert len(left) == 2


def test_each_database_has_its_matter() -> None:
    views = record("v", record_type="expression-of-interest", measure="3.B")
    held = [
        source(replace(views, body={"priority_area": "tourism"})),
        source(replace(views, record_id="f", body={"priority_area": "finance"})),
        source(record("r")),
        source(record("entry", record_type="database-entry", measure="2.3.14")),
        source(record("military", record_type="defence-budget", measure="2.1.1.b")),
    ]
    assert ids(made(*held)) == ["r"]
    assert ids(compile_edition(held, Topic("3.B", "tourism"), [XAB])[0]) == ["v"]


def test_a_withdrawn_source_leaves_a_trace_without_content() -> None:
    first = made(source(record("r")), source(record("s")))
    second = made(source(record("r"), withdrawn=True), source(record("s")), previous=first)
    assert (second.edition, ids(second)) == (2, ["s"])
    (trace,) = second.traces
    assert (trace.record_id, trace.message, trace.provision) == ("r", first.rows[0].message, "r-provision")
    assert (trace.reason, trace.edition) == ("a provider has withdrawn its consent", 2)
    assert second.provisions == ("s-provision",)
    third = made(source(record("s")), previous=second)
    assert third.traces == second.traces


def test_a_source_that_is_gone_altogether_leaves_a_trace_too() -> None:
    assert [trace.reason for trace in made(previous=made(source(record("r")))).traces] == ["it is no longer held"]


def test_a_source_under_a_new_provision_is_a_row_again_and_the_old_one_stays_void() -> None:
    first = made(source(record("r")))
    void = made(source(record("r"), withdrawn=True), previous=first)
    again = made(source(record("r"), withdrawn=True), replace(source(record("r")), provision="new"), previous=void)
    assert [row.provision for row in again.rows] == ["new"]
    assert [trace.provision for trace in again.traces] == ["r-provision"]
    back = made(source(record("r")), previous=void)
    assert back.traces == ()


def test_what_was_chosen_by_its_id_is_not_another_states_text() -> None:
    """Who had the id first has no consent for these readers: a later record under it does not come in its place."""
    mine = source(record("r"), "XAC")
    later = source(replace(record("r", when=1), originators=(XAB,), digest="other"))
    compilation, left = compile_edition([mine, later], TRADE, (XAB,))
    assert compilation.rows == ()
    assert [row.reason for row in left] == ["no consent of XAA for XAB (1.7)", "another record has its id"]


def test_an_edition_carries_no_more_sources_than_an_envelope() -> None:
    held = [source(record(f"{i:03}")) for i in range(MAX_SOURCES + 1)]
    assert len(made(*held[:-1]).rows) == MAX_SOURCES
    with pytest.raises(Invalid, match="divide the topic"):
        made(*held)


def test_editions_follow_one_another_for_the_same_readers_and_topic() -> None:
    with pytest.raises(Invalid, match="another topic or audience"):
        made(previous=made(source(record("r"), "XAB"), audience=("XAB",)))
    with pytest.raises(Invalid, match="name them"):
        made(audience=())


def test_the_order_of_arrival_does_not_matter() -> None:
    held = [source(record("r")), source(record("u", "update", "r", when=1)), source(record("s", when=2))]
    assert made(*held) == made(*reversed(held))


def test_the_list_of_an_edition_has_no_content() -> None:
    first = made(source(replace(record("r"), title={"en": "secret"}, body={"text": "secret"})))
    shown = compilation_json(made(previous=first))
    assert shown["void"] == [
        {
            "record_id": "r",
            "message": first.rows[0].message,
            "provision": "r-provision",
            "reason": "it is no longer held",
            "since_edition": 2,
        }
    ]
    assert "secret" not in str(compilation_json(first))
    assert compilation_json(first)["provisions"] == ["r-provision"]


def test_the_body_of_an_edition_is_a_valid_database_entry() -> None:
    entry = example("database-entry", examples("database-entry")[0][0].removesuffix(".json"))
    source_id = "019bc006-5880-794d-b4f7-c3ff871699a7"
    both = replace(record(source_id), originators=(CICA, XAA))
    entry["body"] = entry_body(made(source(both, ground="grant")), {"en": "One entry."})
    assert entry["body"]["originator_consents"] == [
        {
            "record": source_id,
            "originator": "XAA",
            "consent_ref": f"grant, onward members, Provision {source_id}-provision",
        }
    ]
    assert refusals(entry) == {}
