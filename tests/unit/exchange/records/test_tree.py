"""A chain as lines for a reader."""

from exchange.records.chain import build
from exchange.records.tree import forest, tree
from tests.support.facts import START, fact

RECORD = fact("r", when=START)
CHAIN = [
    RECORD,
    fact("c", "correction", "r", when=START + 1),
    fact("a", "ack", "c", by="XAB", to="XAA", when=START + 2),
    fact("x", "cancel", "r", by="XAB", to="XAA", when=START + 3),
    fact("t", "translation", "r", when=START + 4, language="ru", translates=RECORD),
]


def shown(record_id: str) -> list[tuple[int, str, str]]:
    return [(line.depth, line.record_id, line.state.value) for line in tree(build(CHAIN), record_id)]


def test_each_record_is_under_what_it_acts_on() -> None:
    expected = [
        (0, "r", "superseded"),
        (1, "c", "current"),
        (2, "a", "current"),
        (1, "x", "refused"),
        (1, "t", "superseded"),
    ]
    assert shown("r") == expected


def test_the_chain_is_the_same_from_each_of_its_records() -> None:
    assert shown("a") == shown("x") == shown("r")


def test_a_line_has_what_a_reader_asks() -> None:
    line = tree(build(CHAIN), "r")[3]
    assert (line.action, line.by, line.reason) == ("cancel", ("XAB",), "only XAA may cancel it, not XAB")
    assert (line.issued_at, line.evidenced_at) == (START, START + 3)


def test_what_is_not_here_yet_is_named() -> None:
    (line,) = tree(build([fact("u", "update", ("p", "q"))]), "u")
    assert line.missing == ("p", "q")


def test_a_circle_is_shown_and_ends() -> None:
    lines = tree(build([fact("p", "correction", "q"), fact("q", "correction", "p")]), "p")
    assert [(line.depth, line.record_id, line.state.value) for line in lines] == [
        (0, "q", "refused"),
        (1, "p", "refused"),
    ]


def test_an_id_that_two_states_use_shows_both_and_a_second_text_is_shown_refused() -> None:
    lines = tree(build([RECORD, fact("r", by="XAB", when=START + 1), fact("r", text="other", when=START + 2)]), "r")
    assert [(line.by, line.state.value) for line in lines] == [
        (("XAA",), "current"),
        (("XAB",), "current"),
        (("XAA",), "refused"),
    ]


def test_an_unknown_record_has_no_tree() -> None:
    assert shown("none") == []


def test_a_forest_is_every_chain_once_in_the_order_of_evidence() -> None:
    other, again = fact("o", when=START + 5), fact("r", text="other", when=START + 6)
    chains = build([*CHAIN, other, again])
    (taken,) = (line for line in tree(chains, "r")[len(CHAIN) :])
    assert forest(chains) == (*tree(build(CHAIN), "r"), *tree(chains, "o"), taken)
