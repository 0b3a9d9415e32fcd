"""Chains: what is current, what was refused, and that the order of arrival changes nothing."""

from exchange.records.chain import Chains, State, build, judge
from exchange.records.facts import RecordFact
from exchange.records.verdict import Allowed, Refused
from tests.support.facts import START, fact, orders

RECORD = fact("r", when=START)
CORRECTION = fact("c", "correction", "r", when=START + 10)
UPDATE = fact("u", "update", "c", when=START + 20)


def states(facts: list[RecordFact]) -> dict[str, str]:
    """State by record id, the same for every order of arrival."""
    results = [build(order) for order in orders(facts)] if len(facts) > 1 else [build(facts)]
    found = [{key[0]: entry.state.value for key, entry in chains.entries.items()} for chains in results]
    assert all(other == found[0] for other in found)
    return found[0]


def reason(chains: Chains, record_id: str) -> str | None:
    (entry,) = chains.named(record_id)
    return entry.reason


def test_the_last_of_a_line_is_current() -> None:
    assert states([RECORD, CORRECTION, UPDATE]) == {"r": "superseded", "c": "superseded", "u": "current"}
    chains = build([UPDATE, RECORD, CORRECTION])
    assert [chains.current(text) for text in (RECORD, CORRECTION, UPDATE)] == [UPDATE] * 3
    assert chains.standing() == ((RECORD, UPDATE),)
    assert chains.ids(CORRECTION) == {"r", "c", "u"}


def test_of_two_corrections_of_one_text_the_last_evidenced_holds() -> None:
    other = fact("d", "correction", "r", when=START + 5)
    assert states([RECORD, CORRECTION, other]) == {"r": "superseded", "c": "current", "d": "superseded"}


def test_an_update_that_was_accepted_before_what_it_updates_is_current_all_the_same() -> None:
    overtaking = fact("u", "update", "c", when=START + 5)
    assert states([RECORD, CORRECTION, overtaking]) == {"r": "superseded", "c": "superseded", "u": "current"}


def test_the_date_that_a_record_claims_decides_nothing() -> None:
    backdated = fact("d", "correction", "r", when=START + 30, issued_at=1)
    assert states([RECORD, CORRECTION, backdated])["d"] == "current"


def test_a_line_ends_as_a_whole_and_does_not_come_back() -> None:
    cancel = fact("x", "cancel", "r", when=START + 15)
    expected = {"r": "cancelled", "c": "cancelled", "u": "cancelled", "x": "current"}
    assert states([RECORD, CORRECTION, UPDATE, cancel]) == expected
    assert build([RECORD, CORRECTION, cancel]).standing() == ()


def test_a_withdrawal_outweighs_a_cancellation() -> None:
    ends = [fact("x", "cancel", "r", when=START + 9), fact("w", "withdraw", "r", when=START + 3)]
    assert states([RECORD, *ends])["r"] == "withdrawn"


def test_a_forged_cancellation_changes_nothing() -> None:
    forged = fact("x", "cancel", "r", by="XAB", to="XAC", when=START + 1)
    assert states([RECORD, forged]) == {"r": "current", "x": "refused"}
    assert reason(build([RECORD, forged]), "x") == "only XAA may cancel it, not XAB"


def test_another_state_cannot_block_an_update_by_using_an_id_that_it_refers_to() -> None:
    update = fact("u", "update", ("r", "q"), when=START + 1)
    squatter = fact("q", by="XAB", to="XAC", when=START + 2)
    assert states([RECORD, update]) == {"r": "superseded", "u": "current"}
    assert states([RECORD, update, squatter]) == {"r": "superseded", "u": "current", "q": "current"}
    assert reason(build([RECORD, update, squatter]), "u") == "only XAB may update it, not XAA"


def test_a_withdrawal_withdraws_everything_of_its_originator_under_the_id() -> None:
    joint = fact("r", by=("XAA", "XAB"), to="XAC", when=START + 1)
    chains = build([RECORD, joint, fact("w", "withdraw", "r", when=START + 2)])
    assert [entry.state for entry in chains.named("r")] == [State.WITHDRAWN] * 2


def test_an_answer_to_a_forged_act_is_refused_with_it() -> None:
    forged = fact("x", "correction", "r", by="XAB", to=("XAA", "XAC"), when=START + 1)
    answer = fact("a", "reply", "x", by="XAC", to="XAB", when=START + 2)
    assert states([RECORD, forged, answer]) == {"r": "current", "x": "refused", "a": "refused"}


def test_another_states_record_under_the_same_id_takes_no_ones_place() -> None:
    impostor = fact("r", by="XAB", to="XAC", when=START - 100)
    chains = build([impostor, RECORD, CORRECTION])
    assert [(entry.fact, entry.state) for entry in chains.named("r")] == [
        (impostor, State.CURRENT),
        (RECORD, State.SUPERSEDED),
    ]
    assert chains.current(RECORD) == CORRECTION


def test_a_second_text_under_ones_own_id_is_refused_and_kept() -> None:
    second = fact("r", text="another", when=START + 1)
    for order in orders([RECORD, second, CORRECTION]):
        chains = build(order)
        assert chains.current(RECORD) == CORRECTION
        assert [entry.fact for entry in chains.reused] == [second]


def test_a_text_that_came_twice_counts_from_its_first_evidence_and_for_both_audiences() -> None:
    again = fact("r", to="XAD", when=START + 500, message="ff" * 16)
    answer = fact("a", "ack", "r", by="XAD", to="XAA", when=START + 600)
    assert states([again, RECORD, answer]) == {"r": "current", "a": "current"}
    (entry,) = build([again, RECORD]).named("r")
    assert entry.fact.evidenced_at == START


def test_what_refers_to_the_unknown_waits_for_it() -> None:
    assert states([CORRECTION, UPDATE]) == {"c": "superseded", "u": "unresolved"}
    (entry,) = build([CORRECTION]).named("c")
    assert (entry.state, entry.missing) == (State.UNRESOLVED, ("r",))
    assert build([CORRECTION, UPDATE]).standing() == ()
    assert states([CORRECTION, UPDATE, RECORD])["u"] == "current"


def test_what_turns_out_to_be_anothers_is_refused_when_it_arrives() -> None:
    foreign = fact("r", by="XAB", when=START)
    assert states([CORRECTION, UPDATE, foreign]) == {"r": "current", "c": "refused", "u": "refused"}


def test_references_in_a_circle_are_refused_and_harm_nobody_else() -> None:
    circle = [fact("p", "correction", "q"), fact("q", "correction", "p"), fact("s", "correction", "s")]
    assert states([*circle, RECORD, CORRECTION]) == {
        "p": "refused",
        "q": "refused",
        "s": "refused",
        "r": "superseded",
        "c": "current",
    }
    assert reason(build(circle), "p") == "its references run in a circle"


def test_what_the_relay_has_not_accepted_has_no_effect() -> None:
    waiting = fact("x", "cancel", "r", when=None)
    assert states([RECORD, waiting]) == {"r": "current", "x": "waiting"}
    assert states([fact("r", when=None), CORRECTION]) == {"r": "waiting", "c": "unresolved"}


def test_a_new_record_may_refer_to_anything_and_acts_on_nothing() -> None:
    assert states([RECORD, fact("n", "new", ("r", "unknown"), by="XAB")]) == {"r": "current", "n": "current"}


def test_a_translation_falls_with_the_exact_text_that_it_translates() -> None:
    russian = fact("t", "translation", "r", when=START + 1, language="ru", translates=RECORD)
    assert states([RECORD, russian]) == {"r": "current", "t": "current"}
    assert states([RECORD, russian, CORRECTION])["t"] == "superseded"
    assert states([RECORD, russian, fact("x", "cancel", "r", when=START + 2)])["t"] == "cancelled"


def test_a_translation_can_be_replaced_and_withdrawn_alone() -> None:
    first, second = (
        fact(name, "translation", "r", when=START + when, language="ru", translates=RECORD)
        for name, when in (("t1", 1), ("t2", 2))
    )
    french = fact("f", "translation", "r", when=START + 3, language="fr", translates=RECORD)
    assert states([RECORD, first, second, french]) == {
        "r": "current",
        "t1": "superseded",
        "t2": "current",
        "f": "current",
    }
    assert states([RECORD, first, fact("w", "withdraw", "t1")]) == {"r": "current", "t1": "withdrawn", "w": "current"}


def test_a_very_long_chain_is_no_trouble() -> None:
    chain = [fact("0")]
    chain += [fact(str(i), "update", str(i - 1), when=START + i) for i in range(1, 3000)]
    chains = build(reversed(chain))
    assert chains.current(chain[0]) == chain[-1]


class TestJudge:
    def test_what_fits_is_allowed(self) -> None:
        assert judge([RECORD], fact("c", "correction", "r", when=None), START) == Allowed()

    def test_a_wrong_pairing_is_refused_before_it_leaves(self) -> None:
        forged = fact("c", "correction", "r", by="XAB", when=None)
        assert judge([RECORD], forged, START) == Refused("only XAA may correct it, not XAB")

    def test_an_ended_record_is_not_continued_but_can_be_answered(self) -> None:
        held = [RECORD, fact("x", "cancel", "r", when=START + 1)]
        refused = judge(held, fact("u", "update", "r", when=None), START + 2)
        assert refused == Refused("r is cancelled and does not come back: issue a new record")
        answer = judge(held, fact("a", "ack", "r", by="XAB", to="XAA", when=None), START + 2)
        assert answer == Allowed(("r is cancelled",))

    def test_an_old_text_is_pointed_out(self) -> None:
        verdict = judge([RECORD, CORRECTION], fact("u", "update", "r", when=None), START + 99)
        assert verdict == Allowed(("r is superseded",))

    def test_an_unknown_reference_is_a_warning(self) -> None:
        verdict = judge([], fact("u", "update", "r", when=None), START)
        assert verdict == Allowed(("r is not here: whether this may refer to it cannot be judged",))

    def test_one_reference_that_it_may_not_act_on_is_enough_to_refuse(self) -> None:
        held = [RECORD, fact("q", by="XAB")]
        verdict = judge(held, fact("u", "update", ("r", "q"), when=None), START)
        assert verdict == Refused("only XAB may update it, not XAA")

    def test_an_id_that_is_in_use_is_refused(self) -> None:
        verdict = judge([RECORD], fact("r", when=None, text="other"), START)
        assert verdict == Refused("its record_id is in use: give it one of its own")

    def test_an_id_of_another_states_record_is_refused(self) -> None:
        verdict = judge([RECORD], fact("r", by="XAB", when=None, text="other"), START)
        assert verdict == Refused("its record_id is in use: give it one of its own")

    def test_an_id_that_others_can_foresee_is_its_originators_to_use(self) -> None:
        foreign = fact("urn:r", by="XAB")
        verdict = judge([foreign], fact("urn:r", when=None, text="other"), START)
        assert verdict == Allowed(("its record_id is that of a record of XAB as well",))
        verdict = judge([foreign, fact("urn:r")], fact("urn:r", when=None, text="other"), START)
        assert verdict == Refused("its record_id is in use: give it one of its own")

    def test_a_record_that_refers_to_itself_is_refused(self) -> None:
        verdict = judge([], fact("u", "update", "u", when=None), START)
        assert verdict == Refused("its references run in a circle")
