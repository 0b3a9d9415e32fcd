"""Which records belong to one matter."""

from exchange.records.threads import refers_to, starts, thread_of
from tests.support.facts import START, fact
from tests.support.steps import modality_a, modality_b, step


def ids(facts: object) -> list[str]:
    return [one.record_id for one in facts]  # type: ignore[attr-defined]  # any iterable of facts


def test_a_record_names_others_in_its_references_and_its_body() -> None:
    paper = step("B6", 1, "XAA", authors=[{"nomination_ref": "n"}, {"nomination_ref": "m"}])
    assert refers_to(paper) == ("B5", "n", "m")
    assert refers_to(fact("r", "reply", ("a", "b"), body={"thread_id": "a", "activity_ref": "c"})) == ("a", "b", "c")
    assert refers_to(fact("r", body={"thread_id": "r"})) == ()


def test_a_thread_is_what_was_referred_to_and_what_refers_to_it() -> None:
    facts = [
        fact("question", when=START),
        fact("answer", "reply", "question", by="XAB", when=START + 1),
        fact("more", "reply", "answer", when=START + 2),
        fact("other", when=START + 3),
        fact("alien", "reply", "other", when=START + 4),
    ]
    for start in facts[:3]:
        expected = [name for name in ("question", "answer", "more") if name != start.record_id]
        assert ids(thread_of(facts, start)) == expected


def test_a_record_that_names_two_threads_does_not_join_them() -> None:
    facts = [
        fact("one", when=START),
        fact("two", when=START + 1),
        fact("joiner", "new", ("one", "two"), by="XAD", when=START + 2),
        fact("next", "new", "one", when=START + 3),
    ]
    assert ids(thread_of(facts, facts[3])) == ["one", "joiner"]


def test_the_steps_of_a_procedure_are_one_thread() -> None:
    whole = modality_a()
    refs = {"A1b": "A1", "A2": "A1", "A3": "A2", "A4": "A3", "A5": "A4", "A6": "A5", "A7": "A6"}
    linked = [fact(one.record_id, on=refs.get(one.record_id, ()), body={}, when=one.evidenced_at) for one in whole]
    assert ids(thread_of(linked, linked[-1])) == ["A1", "A1b", "A2", "A3", "A4", "A5", "A6"]


def test_nominations_for_the_area_belong_to_a_thread_of_modality_b() -> None:
    whole = modality_b()
    elsewhere = step("B3", 3, "XAA", "elsewhere", priority_area="finance")
    assert ids(thread_of([*whole[:4], elsewhere], whole[4])) == ["B3", "B3b"]


def test_threads_begin_with_what_names_nothing_that_is_held() -> None:
    facts = [
        fact("b", when=START + 2),
        fact("a", on="not-here", when=START + 1),
        fact("c", on="a", when=START + 3),
        fact("r", "reply", "not-here", by="XAB", when=START + 3),
        step("B3", 1, "XAA"),
        fact("a", on="not-here", when=START + 5, message="another path"),
    ]
    assert ids(starts(facts)) == ids(starts(facts[::-1])) == ["a", "b"]
    assert starts([]) == ()


def test_circles_end() -> None:
    facts = [fact("p", "reply", "q"), fact("q", "reply", "p")]
    assert ids(thread_of(facts, facts[0])) == ["q"]
