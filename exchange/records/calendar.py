"""The calendar of returns: what is due to and from each partner under the agreed modalities, and what became of it.

Only evidence counts: a return was made when the relay's receipt says that it was accepted, whatever its issued_at
claims. Which period it covers is its own statement. A nil return is an answer and is shown as nil. A return that was
cancelled or withdrawn answers nothing any more. Days are days of UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from exchange.records.chain import STANDING, build
from exchange.records.facts import ACTUAL, Action, RecordFact, day_of
from exchange.records.participation import Agreement, Covers, Declaration
from schemas.ids import MemberId

# Returns are reviewed over a few years; older ones are history that the inbox still shows.
LOOK_BACK_YEARS: Final = 3
_RETURNS: Final = frozenset({Action.NEW, Action.UPDATE, Action.CORRECTION})
_ONE_DAY: Final = timedelta(days=1)


class Answer(StrEnum):
    """What became of an obligation; `late` and `nil` are answers too."""

    DUE = "due"
    SENT = "sent"
    RECEIVED = "received"
    LATE = "late"
    NIL = "nil"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Obligation:
    """One return of one measure to or from one partner.

    Attributes:
        ours: this state gives it to the partner; otherwise the partner gives it to this state.
        due: the last day on which it is in time.
        start, end: first and last day of the period that it covers.
        days_late: days from the due day to the evidence, or to today if it is missing; 0 if in time.
        message: of the first record that answered it, with the time of its evidence.
        delivered_at: when the partner acknowledged an answer of ours, as far as it did.
    """

    measure: str
    partner: MemberId
    ours: bool
    due: date
    start: date
    end: date
    answer: Answer
    days_late: int = 0
    message: str | None = None
    evidenced_at: int | None = None
    delivered_at: int | None = None


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """An obligation for a calendar feed: a whole day, a stable uid, one line in English without content of a record."""

    uid: str
    day: date
    summary: str


def obligations(declaration: Declaration, facts: Iterable[RecordFact], now: int) -> tuple[Obligation, ...]:
    """Every return of the last years and the next one of each kind, by due day, measure, partner, ours first."""
    today = day_of(now)
    returns = _returns(facts)
    found: list[Obligation] = []
    for agreement in declaration.agreements:
        slots = tuple(_slots(agreement, today))
        for partner in agreement.partners:
            if agreement.we_provide:
                given = [fact for fact in returns if _gives(fact, agreement, declaration.member, partner)]
                found.extend(_answered(agreement, partner, True, slots, given, today))
            if agreement.they_provide:
                given = [fact for fact in returns if _gives(fact, agreement, partner, declaration.member)]
                found.extend(_answered(agreement, partner, False, slots, given, today))
    return tuple(sorted(found, key=lambda row: (row.due, row.measure, row.partner, not row.ours)))


def chosen(
    rows: Iterable[Obligation],
    *,
    partner: str | None = None,
    measure: str | None = None,
    start: date | None = None,
    end: date | None = None,
) -> tuple[Obligation, ...]:
    """Those with a partner, of a measure, due from `start` to `end`; what is None does not choose."""
    return tuple(
        row
        for row in rows
        if partner in (None, row.partner)
        and measure in (None, row.measure)
        and (start or row.due) <= row.due <= (end or row.due)
    )


def events(rows: Iterable[Obligation]) -> tuple[CalendarEvent, ...]:
    """The same as events for a calendar feed."""
    found = []
    for row in rows:
        way = f"to {row.partner}" if row.ours else f"from {row.partner}"
        late = f", late by {row.days_late} day{'s' if row.days_late > 1 else ''}" if row.days_late else ""
        summary = f"Return {row.measure} {way} for {row.start} to {row.end}: {row.answer}{late}"
        uid = f"{row.measure}-{'to' if row.ours else 'from'}-{row.partner}-{row.due}".lower()
        found.append(CalendarEvent(uid, row.due, summary))
    return tuple(found)


def is_nil(body: Mapping[str, Any]) -> bool:
    """Whether a return says that there is nothing to report: its form is nil, or every figure in it is."""
    if "form" in body:
        return bool(body["form"] == "nil")
    states = list(_amount_states(body))
    return bool(states) and set(states) == {"nil"}


@dataclass(frozen=True, slots=True)
class _Slot:
    """One due day: the period that a return covers, and the days on which one without a period would be for it."""

    due: date
    start: date
    end: date
    opens: date
    closes: date

    def takes(self, fact: RecordFact) -> bool:
        stated = stated_day(fact)
        if stated is not None:
            return self.start <= stated <= self.end
        made = fact.evidenced_on
        return fact.action is not Action.CORRECTION and made is not None and self.opens <= made < self.closes


def stated_day(fact: RecordFact) -> date | None:
    """The first day of the period that a return states, or the day as of which it holds; None if it says neither."""
    body = fact.body
    for name in ("fiscal_year", "period"):
        if name in body:
            return date.fromisoformat(body[name]["start"])
    if "reference_year" in body:
        return date(body["reference_year"], 1, 1)
    return date.fromisoformat(body["as_of"]) if isinstance(body.get("as_of"), str) else None


def _returns(facts: Iterable[RecordFact]) -> tuple[RecordFact, ...]:
    """Actual texts that stand, the first evidenced first."""
    entries = build(fact for fact in facts if fact.mode == ACTUAL).entries.values()
    return tuple(entry.fact for entry in entries if entry.state in STANDING and entry.fact.action in _RETURNS)


def _gives(fact: RecordFact, agreement: Agreement, giver: MemberId, taker: MemberId) -> bool:
    types = agreement.record_types
    return (
        fact.measure == agreement.measure
        and (not types or fact.record_type in types)
        and giver in fact.originators
        and taker in fact.recipients
    )


def _slots(agreement: Agreement, today: date) -> Iterator[_Slot]:
    """The due days from the start of the agreement, or the last years of it, to the next one."""
    if not agreement.due:
        return
    first = today.year - LOOK_BACK_YEARS
    days = [day.of(year) for year in range(first - 1, today.year + 3) for day in agreement.due]
    for before, due, after in zip(days, days[1:], days[2:], strict=False):
        if due.year < first or not agreement.holds(due):
            continue
        start, end = _period(agreement, before, due)
        yield _Slot(due, start, end, _middle(before, due), _middle(due, after))
        if due >= today:
            return


def _middle(one: date, other: date) -> date:
    """A return without a period is for the nearest due day, the earlier one if both are as near."""
    return one + (other - one) // 2 + _ONE_DAY


def _period(agreement: Agreement, before: date, due: date) -> tuple[date, date]:
    if agreement.covers is Covers.SINCE_LAST:
        return before + _ONE_DAY, due
    starts = [agreement.year_start.of(year) for year in range(due.year - 2, due.year + 4)]
    index = max(i for i, start in enumerate(starts) if start <= due)
    index += {Covers.PREVIOUS_YEAR: -1, Covers.SAME_YEAR: 0, Covers.NEXT_YEAR: 1}[agreement.covers]
    return starts[index], starts[index + 1] - _ONE_DAY


def _answered(
    agreement: Agreement,
    partner: MemberId,
    ours: bool,
    slots: Sequence[_Slot],
    given: Sequence[RecordFact],
    today: date,
) -> Iterator[Obligation]:
    for slot in slots:
        row = Obligation(agreement.measure, partner, ours, slot.due, slot.start, slot.end, Answer.DUE)
        answers = [fact for fact in given if slot.takes(fact)]
        if answers:
            yield _with_answer(row, answers)
        elif today > slot.due:
            yield replace(row, answer=Answer.MISSING, days_late=(today - slot.due).days)
        else:
            yield row


def _with_answer(row: Obligation, answers: Sequence[RecordFact]) -> Obligation:
    """The first one evidenced tells when it was made, the last one what it says."""
    first, made = answers[0], answers[0].evidenced_on
    late = 0 if made is None else max(0, (made - row.due).days)
    answer = Answer.LATE if late else Answer.SENT if row.ours else Answer.RECEIVED
    if is_nil(answers[-1].body):
        answer = Answer.NIL
    delivered = dict(first.delivered).get(row.partner) if row.ours else None
    return replace(
        row,
        answer=answer,
        days_late=late,
        message=first.message,
        evidenced_at=first.evidenced_at,
        delivered_at=delivered,
    )


def _amount_states(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if "amount_state" in value:
            yield value["amount_state"]
        for item in value.values():
            yield from _amount_states(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _amount_states(item)
