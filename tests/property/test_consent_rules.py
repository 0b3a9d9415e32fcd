"""Rules of consent against a model that reads them as a person would: rule by rule, line by line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.consent.rules import Action, Asked, judge_request, parse_rules
from exchange.errors import Invalid
from schemas.ids import ClassTag, MemberId
from schemas.limits import DAY
from schemas.terms import Purpose
from tests.support.world import NOW

CODES = ("MNG", "TJK", "UZB", "XAA")
MEASURES = ("2.1.1.d", "2.4.1", "2.4.3", "1.5")
TAGS = tuple(bytes([number]) * 16 for number in range(3))


def some(values: Any) -> st.SearchStrategy[list[Any]]:  # noqa: ANN401
    return st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


MATCHING = optional(
    measures=some(("*", "2.*", "2.4.*", "2.4.1", "2.1.1.d", "1.5:defence-budget")),
    holders=some(CODES),
    recipients=some(CODES),
    purposes=some([purpose.label for purpose in Purpose][:3]),
    classes=some([tag.hex() for tag in TAGS]),
    max_age_days=st.integers(0, 5),
)
ACTIONS = st.one_of(
    st.builds(lambda more: {"action": "grant", **more}, optional(days=st.integers(1, 5), uses=st.integers(1, 4))),
    st.builds(lambda more: {"action": "grant", "unlimited": True, **more}, optional(days=st.integers(1, 5))),
    st.just({"action": "refuse", "reason": "it is ours"}),
    st.just({"action": "ask"}),
)
RULES = st.lists(st.builds(lambda found, action: {**found, **action}, MATCHING, ACTIONS), max_size=4)
ASKED = st.builds(
    Asked,
    measure=st.one_of(st.none(), st.sampled_from(MEASURES)),
    record_type=st.sampled_from(("defence-budget", "disaster-alert")),
    holder=st.sampled_from([MemberId(code) for code in CODES]),
    lawful=st.booleans(),
    recipients=some(CODES).map(tuple),
    purpose=st.sampled_from(list(Purpose)[:4]),
    class_tags=st.lists(st.sampled_from(TAGS), max_size=2, unique=True).map(lambda tags: tuple(map(ClassTag, tags))),
    created=st.integers(NOW - 6 * DAY, NOW),
    until=st.integers(NOW - DAY, NOW + 10 * DAY),
    uses=st.one_of(st.none(), st.integers(1, 5)),
)


def fits(rule: dict[str, Any], asked: Asked) -> bool:
    """Every line of the rule, one after the other."""
    if "measures" in rule:
        name = f"1.5:{asked.record_type}" if asked.measure == "1.5" else asked.measure
        found = False
        for pattern in rule["measures"]:
            if name is not None and (pattern == name or (pattern[-1] == "*" and name.startswith(pattern[:-1]))):
                found = True
        if not found:
            return False
    if "holders" in rule and asked.holder not in rule["holders"]:
        return False
    for recipient in asked.recipients:
        if "recipients" in rule and recipient not in rule["recipients"]:
            return False
    if "purposes" in rule and asked.purpose.label not in rule["purposes"]:
        return False
    if "classes" in rule and not [tag for tag in asked.class_tags if tag.hex() in rule["classes"]]:
        return False
    return not ("max_age_days" in rule and asked.created < NOW - rule["max_age_days"] * DAY)


def model(rules: list[dict[str, Any]], asked: Asked) -> tuple[str, str | None, int, int | None]:
    """Action, rule, until, uses."""
    for rule in rules:
        if not fits(rule, asked):
            continue
        until, uses = asked.until, asked.uses
        if rule["action"] != "grant":
            return rule["action"], rule["name"], 0, None
        if "days" in rule and NOW + rule["days"] * DAY < until:
            until = NOW + rule["days"] * DAY
        if "unlimited" not in rule:
            most = rule["uses"] if "uses" in rule else len(asked.recipients)
            uses = most if uses is None or most < uses else uses
        if not asked.lawful or until <= NOW:
            return "ask", rule["name"], 0, None
        return "grant", rule["name"], until, uses
    return "ask", None, 0, None


@given(rules=RULES, asked=ASKED)
def test_the_first_rule_that_fits_decides(rules: list[dict[str, Any]], asked: Asked) -> None:
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)]
    verdict = judge_request(parse_rules({"rule": named}), asked, NOW)
    name = None if verdict.rule is None else verdict.rule.name
    assert (verdict.action.value, name, verdict.until, verdict.uses) == model(named, asked)


@given(rules=RULES, asked=ASKED)
def test_a_rule_never_grants_more_than_was_asked_and_only_to_a_lawful_holder(
    rules: list[dict[str, Any]], asked: Asked
) -> None:
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules)]
    verdict = judge_request(parse_rules({"rule": named}), asked, NOW)
    if verdict.action is Action.GRANT:
        assert asked.lawful
        assert NOW < verdict.until <= asked.until
        assert asked.uses is None or (verdict.uses is not None and verdict.uses <= asked.uses)


@pytest.mark.parametrize(
    ("rule", "place"),
    [
        ({"name": "a", "action": "grant", "colour": "red"}, "colour"),
        ({"name": "a", "action": "allow"}, "action"),
        ({"action": "grant"}, "name"),
        ({"name": "a", "action": "refuse"}, "reason"),
        ({"name": "a", "action": "grant", "reason": "why not"}, "reason"),
        ({"name": "a", "action": "ask", "days": 3}, "days"),
        ({"name": "a", "action": "grant", "measures": ["1.5"]}, "measures"),
        ({"name": "a", "action": "grant", "measures": []}, "measures"),
        ({"name": "a", "action": "grant", "holders": ["Mongolia"]}, "holders"),
        ({"name": "a", "action": "grant", "purposes": ["fun"]}, "purposes"),
        ({"name": "a", "action": "grant", "classes": ["floods"]}, "classes"),
        ({"name": "a", "action": "grant", "uses": 0}, "uses"),
        ({"name": "a", "action": "grant", "uses": True}, "uses"),
        ({"name": "a", "action": "grant", "unlimited": False}, "unlimited"),
        ({"name": "a", "action": "grant", "unlimited": True, "uses": 2}, "exclude"),
        ({"name": "a", "action": "ask", "unlimited": True}, "unlimited"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(rule: dict[str, object], place: str) -> None:
    with pytest.raises(Invalid, match=place) as refused:
        parse_rules({"rule": [rule]})
    assert refused.value.code == "bad-consent-rules"


def test_two_rules_of_one_name_and_unknown_tables_are_refused() -> None:
    rule = {"name": "a", "action": "grant"}
    with pytest.raises(Invalid, match="named 'a'"):
        parse_rules({"rule": [rule, rule]})
    with pytest.raises(Invalid, match="rules"):
        parse_rules({"rules": [rule]})


def test_the_text_of_a_rule_is_always_the_same() -> None:
    one = parse_rules({"rule": [{"name": "a", "uses": 2, "action": "grant", "holders": ["MNG"]}]})[0]
    two = parse_rules({"rule": [{"holders": ["MNG"], "action": "grant", "name": "a", "uses": 2}]})[0]
    assert one.text == two.text == '{"action": "grant", "holders": ["MNG"], "name": "a", "uses": 2}'
