"""Rules by which a provider's node answers requests for consent at once; what no rule decides waits for a person.

    [[rule]]
    name = "relief"
    measures = ["2.4.*"]                   # all that is absent means any
    holders = ["MNG"]
    recipients = ["TJK", "UZB"]            # the request names no others
    purposes = ["disaster-response"]
    classes = ["00112233445566778899aabbccddeeff"]    # one of the Provision's class tags
    max_age_days = 30                      # of the Provision
    action = "grant"                       # or "refuse", with a reason, or "ask"
    days = 14                              # a Grant lasts no longer
    uses = 5                               # and allows no more uses; `unlimited = true`: as many as were asked for

A Grant of a rule that says neither is for one transfer to each recipient, as an official's is.

The first rule that matches decides. A rule never grants more than was asked, and only to who holds lawfully.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from exchange.errors import Invalid
from schemas.consent import REASON
from schemas.errors import DecodeError
from schemas.ids import ClassTag, MemberId
from schemas.limits import DAY, MAX_REASON
from schemas.registry import MEASURE_PATTERN, admits
from schemas.terms import Purpose

_CODE: Final = "bad-consent-rules"
_MOST_RULES: Final = 1000
_MOST_DAYS: Final = 36_500


def _pattern(text: str) -> str:
    if re.fullmatch(MEASURE_PATTERN, text) is None:
        raise ValueError("write measures such as 2.1.1.b, beginnings such as 2.1.*, or 1.5: and a record type")
    return text


_Measure = Annotated[str, AfterValidator(_pattern)]
_Member = Annotated[str, StringConstraints(pattern="^([A-Z]{3}|CICA)$")]
_Tag = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
_Purpose = Annotated[str, StringConstraints(pattern=f"^({'|'.join(purpose.label for purpose in Purpose)})$")]


def _reason(text: str) -> str:
    try:
        return REASON.unpack(text, "reason")
    except DecodeError:
        raise ValueError(f"write 1 to {MAX_REASON} characters, in one line") from None


_Reason = Annotated[str, AfterValidator(_reason)]


class Action(StrEnum):
    """What becomes of a request."""

    GRANT = "grant"
    REFUSE = "refuse"
    ASK = "ask"


class ConsentRule(BaseModel):
    """One rule as the file has it; a list that is absent matches anything."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str = Field(min_length=1, max_length=100)
    action: Annotated[Action, Field(strict=False)]
    measures: list[_Measure] | None = Field(None, min_length=1)
    holders: list[_Member] | None = Field(None, min_length=1)
    recipients: list[_Member] | None = Field(None, min_length=1)
    purposes: list[_Purpose] | None = Field(None, min_length=1)
    classes: list[_Tag] | None = Field(None, min_length=1)
    max_age_days: int | None = Field(None, ge=0, le=_MOST_DAYS)
    days: int | None = Field(None, ge=1, le=_MOST_DAYS)
    uses: int | None = Field(None, ge=1, le=2**32)
    unlimited: Literal[True] | None = None
    reason: _Reason | None = None

    @model_validator(mode="after")
    def _fits_its_action(self) -> "ConsentRule":
        limits = (self.days, self.uses, self.unlimited)
        if self.action is not Action.GRANT and any(limit is not None for limit in limits):
            raise ValueError("days, uses and unlimited go with action grant")
        if self.unlimited and self.uses is not None:
            raise ValueError("uses and unlimited exclude each other")
        if (self.action is Action.REFUSE) != (self.reason is not None):
            raise ValueError("a reason goes with action refuse, and has to be given there")
        return self

    @property
    def text(self) -> str:
        """The rule, always written alike: what the log shows of it."""
        return json.dumps(self.model_dump(mode="json", exclude_none=True), sort_keys=True, ensure_ascii=False)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: list[ConsentRule] = Field(default_factory=list, max_length=_MOST_RULES)


@dataclass(frozen=True, slots=True)
class Asked:
    """What rules look at; times are Unix seconds.

    Attributes:
        measure, record_type: of the message; None when this node has it no longer.
        lawful: whether this node knows why the holder may hold it.
        created: when the Provision was made.
        until, uses: what is asked for; `uses` None: no limit.
    """

    measure: str | None
    record_type: str | None
    holder: MemberId
    lawful: bool
    recipients: tuple[MemberId, ...]
    purpose: Purpose
    class_tags: tuple[ClassTag, ...]
    created: int
    until: int
    uses: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a request, and by which rule; of a Grant, until when and for how many uses."""

    action: Action
    rule: ConsentRule | None = None
    until: int = 0
    uses: int | None = None


def parse_rules(values: object) -> tuple[ConsentRule, ...]:
    """Read `consent.toml` as `tomllib` parsed it; raises Invalid (bad-consent-rules) with the place at fault."""
    try:
        rules = tuple(_File.model_validate(values).rule)
    except ValidationError as fault:
        first = fault.errors(include_input=False, include_url=False)[0]
        place = "/".join(str(step) for step in first["loc"]) or "the file"
        raise Invalid(_CODE, f"{place}: {first['msg']}", {"path": place}) from None
    names = [rule.name for rule in rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Invalid(_CODE, f"two rules are named {twice!r}: give each a name of its own")
    return rules


def judge_request(rules: Sequence[ConsentRule], asked: Asked, now: int) -> Verdict:
    """What the first rule that matches decides at `now`; a person, when none does or its Grant would be void."""
    rule = next((rule for rule in rules if _matches(rule, asked, now)), None)
    if rule is None or rule.action is Action.ASK:
        return Verdict(Action.ASK, rule)
    if rule.action is Action.REFUSE:
        return Verdict(Action.REFUSE, rule)
    until = asked.until if rule.days is None else min(asked.until, now + rule.days * DAY)
    most = None if rule.unlimited else rule.uses or len(asked.recipients)
    limits = [limit for limit in (most, asked.uses) if limit is not None]
    if not asked.lawful or until <= now:
        return Verdict(Action.ASK, rule)
    return Verdict(Action.GRANT, rule, until, min(limits, default=None))


def _matches(rule: ConsentRule, asked: Asked, now: int) -> bool:
    tags = [tag.hex() for tag in asked.class_tags]
    return (
        (rule.measures is None or _about(tuple(rule.measures), asked))
        and (rule.holders is None or asked.holder in rule.holders)
        and (rule.recipients is None or set(asked.recipients) <= set(rule.recipients))
        and (rule.purposes is None or asked.purpose.label in rule.purposes)
        and (rule.classes is None or not set(rule.classes).isdisjoint(tags))
        and (rule.max_age_days is None or now - asked.created <= rule.max_age_days * DAY)
    )


def _about(patterns: tuple[str, ...], asked: Asked) -> bool:
    return asked.measure is not None and admits(patterns, asked.measure, asked.record_type)
