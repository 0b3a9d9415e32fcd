"""Numbers for the regular review of the Catalogue's implementation (1.8): how much was exchanged, never what.

A report counts, for one period and by measure, the records that each state provided, as far as the reporting node has
evidence of them, by the day of the evidence. The Secretariat puts the reports of several states together. Submitting
one is a state's own choice (1.3), and it may leave out what it received from others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Any, Final

from exchange.errors import Invalid, Json
from exchange.records.calendar import is_nil
from exchange.records.chain import STANDING, State, build
from exchange.records.facts import ACTUAL, Action, RecordFact
from schemas.ids import MemberId

MEASURE: Final = "1.8"
RECORD_TYPE: Final = "implementation-review"
_CODE: Final = "bad-review"
_COUNTED: Final = STANDING | {State.CANCELLED}


@dataclass(frozen=True, slots=True)
class Count:
    """What one state provided of one measure.

    Attributes:
        records: new records, each with all its updates, corrections and translations; cancelled ones too.
        nil: those among them that say that there is nothing to report.
        replies: answers to records of others.
    """

    measure: str
    state: MemberId
    records: int
    nil: int
    replies: int


@dataclass(frozen=True, slots=True)
class Report:
    """The counts of one node for the days from `start` to `end`, ascending by measure and state."""

    reporter: MemberId
    catalogue_id: str
    start: date
    end: date
    counts: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What all reports together say of one measure and one state.

    Attributes:
        own: by the state's own report; None if it made none or left the measure out.
        seen_by: how many other reporters hold records of it.
        seen: the most that one of them holds. More than `own` is a doubt to be asked about.
    """

    measure: str
    state: MemberId
    own: Count | None
    seen_by: int
    seen: int

    @property
    def doubtful(self) -> bool:
        """Whether another holds more than the state says that it provided."""
        return self.own is not None and self.seen > self.own.records


def count(
    facts: Iterable[RecordFact], reporter: MemberId, catalogue_id: str, start: date, end: date, *, own_only: bool
) -> Report:
    """The report of one node for a period, first and last day included."""
    records: Counter[tuple[str, MemberId]] = Counter()
    nil: Counter[tuple[str, MemberId]] = Counter()
    replies: Counter[tuple[str, MemberId]] = Counter()
    chains = build(fact for fact in facts if fact.mode == ACTUAL and fact.catalogue_id == catalogue_id)
    for entry in chains.entries.values():
        fact, day = entry.fact, entry.fact.evidenced_on
        if entry.state not in _COUNTED or day is None or not start <= day <= end:
            continue
        keys = [(fact.measure, state) for state in fact.originators if state == reporter or not own_only]
        if fact.action is Action.NEW:
            records.update(keys)
            if is_nil((chains.current(fact) or fact).body):
                nil.update(keys)
        elif fact.action is Action.REPLY:
            replies.update(keys)
    counts = [Count(*key, records[key], nil[key], replies[key]) for key in sorted({*records, *replies})]
    return Report(reporter, catalogue_id, start, end, tuple(counts))


def without_text(fact: RecordFact) -> RecordFact:
    """As much of a fact as `count` needs, so that all that a node holds fit in memory together."""
    return replace(fact, title={}, body={"form": "nil"} if is_nil(fact.body) else {})


def merge(reports: Sequence[Report]) -> tuple[Row, ...]:
    """Put reports of one edition and period together, by measure and state.

    Raises:
        Invalid: (bad-review) they are of several editions or periods, or one state reports twice.
    """
    if len({(report.catalogue_id, report.start, report.end) for report in reports}) > 1:
        raise Invalid(_CODE, "the reports are of several editions or periods: merge those of one")
    by_reporter = Counter(report.reporter for report in reports)
    twice = sorted(reporter for reporter, times in by_reporter.items() if times > 1)
    if twice:
        raise Invalid(_CODE, f"{twice[0]} reports more than once: take its latest report")
    own: dict[tuple[str, MemberId], Count] = {}
    seen: dict[tuple[str, MemberId], list[int]] = {}
    for report in reports:
        for row in report.counts:
            if row.state == report.reporter:
                own[row.measure, row.state] = row
            elif row.records:
                seen.setdefault((row.measure, row.state), []).append(row.records)
    return tuple(
        Row(*key, own.get(key), len(seen.get(key, ())), max(seen.get(key, (0,))))
        for key in sorted(set(chain(own, seen)))
    )


def report_json(report: Report) -> dict[str, Json]:
    """The report as it is submitted: the body of a record of type `implementation-review`."""
    return {
        "reporter": report.reporter,
        "catalogue": report.catalogue_id,
        "start": report.start.isoformat(),
        "end": report.end.isoformat(),
        "counts": [count_json(row) for row in report.counts],
    }


def count_json(row: Count) -> dict[str, Json]:
    """One count."""
    return {
        "measure": row.measure,
        "state": row.state,
        "records": row.records,
        "nil": row.nil,
        "replies": row.replies,
    }


def row_json(row: Row) -> dict[str, Json]:
    """One row of the merged numbers."""
    return {
        "measure": row.measure,
        "state": row.state,
        "own": None if row.own is None else count_json(row.own),
        "seen_by": row.seen_by,
        "seen": row.seen,
        "doubtful": row.doubtful,
    }


def report_of(body: Mapping[str, Any]) -> Report:
    """The report that a valid record of type `implementation-review` submits."""
    counts = (
        Count(row["measure"], MemberId(row["state"]), row["records"], row["nil"], row["replies"])
        for row in body["counts"]
    )
    start, end = date.fromisoformat(body["start"]), date.fromisoformat(body["end"])
    return Report(MemberId(body["reporter"]), body["catalogue"], start, end, tuple(counts))


def submitted(facts: Iterable[RecordFact], catalogue_id: str, start: date, end: date) -> tuple[Report, ...]:
    """The latest standing report of each state on one edition and period, ascending by reporter."""
    chains = build(fact for fact in facts if fact.record_type == RECORD_TYPE and fact.mode == ACTUAL)
    found: dict[MemberId, Report] = {}
    for _, text in chains.standing():
        report = report_of(text.body)
        if text.measure == MEASURE and (report.catalogue_id, report.start, report.end) == (catalogue_id, start, end):
            found[report.reporter] = report
    return tuple(found[reporter] for reporter in sorted(found))
