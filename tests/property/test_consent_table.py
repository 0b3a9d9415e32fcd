"""The decision table of consent: `authorise` against a model of provision 1.7 that shares no code with it.

The two have to agree on what is refused by which rule to whom for want of whose consent, and on every ground; and each
sentence of `explain` has to name the fact that decided.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Rule, utc
from exchange.consent.explain import explain
from exchange.consent.explanation import Answer, Explanation
from schemas.grant import Grant
from schemas.provision import Provision
from tests.support import consent_model as law
from tests.support.consent_model import judge
from tests.support.consent_rows import CODES, DIMENSIONS, Case, Row, Table
from tests.support.world import NOW

# Values under which nothing can be allowed, whatever the others are.
NEVER: Final = {
    ("sender", "observer"),
    ("sender", "removed"),
    ("sender", "stranger"),
    ("recipient", "removed"),
    ("recipient", "stranger"),
    ("grant", "forged"),
    ("embargo", "lasts"),
    ("until", "passed"),
    ("created", "ahead"),
    ("withdrawn", "by-the-first"),
    ("withdrawn", "by-the-last"),
    ("signature", "forged"),
    ("precedence", "too-urgent"),
    ("second", "forged"),
}
BENIGN: Final = (
    "valid",
    "class",
    "last-second",
    "just-given",
    "last-use",
    "class-once",
    "retry",
    "foreign",
    "withdrawn-later",
)


@cache
def table() -> Table:
    return Table()


def rows() -> Iterator[Row]:
    """Every combination of terms, sender, recipient and Grant, in time and late; the rest is drawn; each value."""
    draw = random.Random(17)
    for onward in DIMENSIONS["onward"]:
        for sender in ("provider", "audience", "outsider", "secretariat"):
            for recipient in ("provider", "audience-too", "outsider", "newcomer"):
                for grant in DIMENSIONS["grant"]:
                    yield drawn(draw, onward=onward, sender=sender, recipients=(recipient,), first=grant)
    for onward in DIMENSIONS["onward"]:
        for recipient in ("provider", "audience-too", "outsider"):
            for grant in DIMENSIONS["grant"]:
                yield drawn(draw, onward=onward, send_by="passed", recipients=(recipient,), first=grant)
    for name, values in DIMENSIONS.items():
        for value in values:
            for _ in range(6):
                yield drawn(draw, **focus(name, value))


def focus(name: str, value: object) -> dict[str, Any]:
    if name == "recipient":
        return {"recipients": (value,)}
    return {"first": value} if name == "grant" else {name: value}


def drawn(draw: random.Random, first: str | None = None, **fixed: Any) -> Row:  # noqa: ANN401  # as of Row
    """A row in which what is not fixed is mostly harmless."""
    values: dict[str, Any] = {"providers": draw.choice((1, 1, 2, 3))}
    for name in ("embargo", "until", "send_by", "created", "withdrawn", "signature", "purpose", "precedence", "second"):
        harmless = [value for value in DIMENSIONS[name] if (name, value) not in NEVER]
        unusual = draw.random() < 0.06
        values[name] = draw.choice(DIMENSIONS[name]) if unusual else draw.choice(harmless[:2])
    if draw.random() < 0.9:
        values["purpose"] = "same"
    values["charter"] = draw.choice((1, 1, 2, 9))
    values["onward"] = draw.choice(DIMENSIONS["onward"])
    values["sender"] = draw.choice(("provider", "audience", "audience", "outsider"))
    more = draw.choice(((), (), ("audience-too",), ("provider", "outsider-too")))
    values["recipients"] = (draw.choice(("outsider", "provider", "audience-too")), *more)
    values |= fixed
    kinds = [tuple(draw.choice(BENIGN) for _ in range(draw.choice((1, 1, 2)))) for _ in range(3)]
    if first is not None:
        kinds[draw.randrange(values["providers"])] = (first,)
    if draw.random() < 0.15:
        kinds[draw.randrange(values["providers"])] += (draw.choice(DIMENSIONS["grant"]),)
    return Row(grants=tuple(kinds), **values)


def agrees(case: Case) -> Explanation:
    """The product and the model say the same of a case; gives the explanation."""
    verdict = judge(case.facts)
    decision = authorise_transfer(case.transfer, case.directory, case.ledger, NOW)
    assert {(r.rule.value, r.recipient, r.provider) for r in decision.refusals} == verdict.refused
    assert decision.allowed is (not verdict.refused)
    numbers = {signed.provision.id: n for n, signed in enumerate(case.transfer.provisions)}
    grounds = {(numbers[g.provision], str(g.recipient)): g.ground.value for g in decision.grounds}
    assert grounds == verdict.grounds
    explanation = explain(case.transfer, case.directory, case.ledger, NOW)
    assert explanation.allowed is decision.allowed
    for answer in explanation.answers:
        reasons = verdict.by_pair[numbers[answer.provision], answer.recipient]
        assert {(m.rule.value, m.provider) for m in answer.missing} == {(rule, who) for rule, _, who in reasons}
        assert answer.allowed is (not reasons)
        names_the_fact(case, numbers[answer.provision], answer)
    return explanation


def names_the_fact(case: Case, number: int, answer: Answer) -> None:
    """The sentence has the recipient, the providers, the sender, and whatever decided."""
    provision = case.facts.provisions[number]
    said = answer.sentence
    parties = (answer.recipient, case.facts.sender, *provision.providers)
    assert all(party in said for party in parties)
    assert tuple(signer.provider for signer in answer.signed) == provision.providers
    if answer.rule is None:
        assert f"{answer.recipient} may receive" in said
        if answer.ground == "grant":
            assert tuple(grant.provider for grant in answer.grants) == provision.providers
            assert all(f"Grant {short(grant.id)} of {grant.provider}" in said for grant in answer.grants)
        assert answer.until is None or utc(answer.until) in said
        return
    assert f"{answer.recipient} may not receive" in said
    for missing in answer.missing:
        assert missing.provider is None or (missing.provider in missing.what and missing.ask == (missing.provider,))
        for fact in deciding(case, provision, answer.recipient, missing.rule, missing.provider):
            assert fact in missing.what, (missing.rule, fact, missing.what)
    deciding_rule = [missing.what for missing in answer.missing if missing.rule is answer.rule]
    assert deciding_rule
    assert all(what in said for what in deciding_rule)


def deciding(case: Case, provision: Provision, recipient: str, rule: Rule, provider: str | None) -> Iterator[str]:
    """What a sentence about this rule has to name."""
    facts = case.facts
    plain = {
        Rule.SENDER: facts.sender,
        Rule.RECIPIENT: recipient,
        Rule.GRANT_SIGNATURE: "Grant",
        Rule.NOT_YET_CREATED: utc(provision.created),
        Rule.EMBARGO: utc(provision.not_before or 0),
        Rule.ENDED: utc(provision.until or 0),
        Rule.SEND_BY: utc(provision.send_by),
        Rule.PRECEDENCE: provision.max_precedence.label,
        Rule.PURPOSE: provision.purpose.label,
        Rule.NO_CONSENT: recipient,
    }
    if rule in plain:
        yield plain[rule]
    if rule is Rule.WITHDRAWN:
        (index,) = (index for who, what, index in facts.withdrawals if (who, what) == (provider, provision.id))
        yield f"in entry {index} of the directory"
    if provider is not None and rule in (Rule.NO_CONSENT, Rule.NOT_HOLDER, Rule.SEND_BY):
        for position, grant in enumerate(facts.grants):
            if grant.provider == provider:
                yield short(grant.id)
                yield of_grant(case, position, grant, provision, recipient)


def of_grant(case: Case, position: int, grant: Grant, provision: Provision, recipient: str) -> str:
    """What has to be said of a Grant that does not help: what is wrong with it first."""
    faults = law.faults(case.facts, position, provision, grant.provider)
    if not faults:
        return "spent" if recipient in grant.recipients else f"does not name {recipient}"
    return {
        "forged": "does not hold",
        "for another holder": grant.holder,
        "for another purpose": grant.purpose.label,
        "not yet given": utc(grant.created),
        "ended": utc(grant.until),
        "withdrawn": "withdrawn, in entry",
        "for another Provision": "another Provision",
        "for another class": "another class",
    }[faults[0]]


def short(name: bytes) -> str:
    return name.hex()[:16]


def test_the_table_agrees_with_the_law_row_by_row() -> None:
    outcomes: Counter[tuple[tuple[str, object], bool]] = Counter()
    seen = 0
    for row in rows():
        allowed = agrees(table().case(row)).allowed
        seen += 1
        outcomes.update((value, allowed) for value in row.values())
    assert seen >= 400
    print(f"{seen} rows; value: allowed, refused")  # noqa: T201  # how well the rows are spread, with -s
    for name, values in DIMENSIONS.items():
        for value in values:
            counts = outcomes[(name, value), True], outcomes[(name, value), False]
            print(f"  {name} {value}: {counts[0]}, {counts[1]}")  # noqa: T201
            assert counts[1] > 0, (name, value)
            assert (counts[0] > 0) is ((name, value) not in NEVER), (name, value)


grants = st.lists(st.sampled_from(DIMENSIONS["grant"]), max_size=3).map(tuple)
drawn_rows = st.builds(
    Row,
    recipients=st.lists(st.sampled_from(tuple(CODES)), min_size=1, max_size=4, unique=True).map(tuple),
    grants=st.tuples(grants, grants, grants),
    **{
        name: st.one_of(st.just(getattr(Row(), name)), st.sampled_from(values))
        for name, values in DIMENSIONS.items()
        if name not in ("recipient", "grant")
    },
)


@settings(max_examples=150, deadline=None)
@given(drawn_rows)
def test_any_row_agrees_with_the_law(row: Row) -> None:
    agrees(table().case(row))


@settings(max_examples=60, deadline=None)
@given(drawn_rows)
def test_an_answer_holds_until_the_second_that_it_names_and_not_beyond_it(row: Row) -> None:
    case = table().case(replace(row, signature="genuine"))
    now = explain(case.transfer, case.directory, case.ledger, NOW)
    for answer in now.answers:
        if answer.until is None:
            continue
        last, after = (
            explain(case.transfer, case.directory, case.ledger, time).answer(answer.provision, answer.recipient)
            for time in (answer.until, answer.until + 1)
        )
        assert last.allowed
        assert (after.ground, after.grants) != (answer.ground, answer.grants)


def test_every_side_gives_the_same_answer() -> None:
    case = table().case(Row(providers=3, recipients=("outsider", "audience-too"), grants=(("valid",), ("ended",), ())))
    first, second = (explain(case.transfer, case.directory, case.ledger, NOW) for _ in range(2))
    assert first == second
    assert first.answers[1].ask == ("TJK", "UZB")


@pytest.mark.parametrize("rule", [rule.value for rule in Rule])
def test_every_rule_refuses_in_some_row(rule: str) -> None:
    assert rule in refused_by()


@cache
def refused_by() -> frozenset[str]:
    found: set[str] = set()
    for n, row in enumerate(rows()):
        if n % 3 == 0 or n > 1200:
            found |= {reason for reason, _, _ in judge(table().case(row).facts).refused}
    return frozenset(found)
