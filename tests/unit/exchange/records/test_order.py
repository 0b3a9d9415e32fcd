"""Any set of facts, in any order of arrival: one result, and nobody's record moves but by its originators."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.records.chain import State, build
from exchange.records.facts import Action, RecordFact
from exchange.records.tree import tree
from tests.support.facts import START, fact

IDS = st.sampled_from("abcdef")
CODES = st.sets(st.sampled_from(["XAA", "XAB", "XAC"]), min_size=1, max_size=2).map(lambda codes: tuple(sorted(codes)))


@st.composite
def a_fact(draw: st.DrawFn) -> RecordFact:
    record_id = draw(IDS)
    action = draw(st.sampled_from([action.value for action in Action]))
    references = tuple(draw(st.lists(IDS, min_size=action != "new", max_size=3, unique=True)))
    by, to, when = draw(CODES), draw(CODES), draw(st.one_of(st.none(), st.integers(START, START + 3)))
    mode, language = draw(st.sampled_from(["actual", "actual", "actual", "test"])), draw(st.sampled_from(["en", "ru"]))
    return fact(
        record_id,
        action,
        references,
        by,
        to,
        when,
        # A digest is of the whole text, so that another action or reference is another digest.
        text=f"{action}{references}{mode}{language}",
        mode=mode,
        language=language,
        translates=fact(references[0], text="new()actualen") if action == "translation" else None,
        message=f"{by}{to}{when}",
    )


FACTS = st.lists(a_fact(), max_size=12)


@given(FACTS.flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts))))
def test_no_order_of_arrival_matters(orders: tuple[list[RecordFact], list[RecordFact]]) -> None:
    sent, arrived = orders
    assert build(arrived) == build(sent)
    assert list(build(arrived).entries) == list(build(sent).entries)


@given(FACTS)
def test_no_other_state_moves_a_record_nor_keeps_its_originators_from_it(facts: list[RecordFact]) -> None:
    chains = build(facts)
    for key, entry in chains.entries.items():
        if entry.fact.action is Action.NEW:
            own = build(fact for fact in facts if set(fact.originators) <= set(key[1]))
            assert own.entries[key].state is entry.state
            assert own.current(entry.fact) == chains.current(entry.fact)


@given(FACTS)
def test_a_line_that_holds_has_one_current_text(facts: list[RecordFact]) -> None:
    chains = build(facts)
    for line in set(chains.lines.values()):
        found = [chains.entries[key].state for key, other in chains.lines.items() if other == line]
        ended = {State.CANCELLED, State.WITHDRAWN} & set(found)
        assert len(set(found)) == 1 if ended else found.count(State.SUPERSEDED) == len(found) - 1


@given(FACTS)
def test_a_tree_shows_every_record_once(facts: list[RecordFact]) -> None:
    chains = build(facts)
    shown = [line for record_id in sorted({key[0] for key in chains.entries}) for line in tree(chains, record_id)]
    assert {(line.record_id, line.by) for line in shown} == set(chains.entries)
    for record_id in "abcdef":
        lines = tree(chains, record_id)
        again = sum(entry.fact.record_id == record_id for entry in chains.reused)
        keys = [(line.record_id, line.by) for line in lines][: len(lines) - again]
        assert len(keys) == len(set(keys))
