"""The modalities of section 3 as procedures: which step a record takes, whether it may, and what comes next.

The text says "may" of nearly everything, so that a step which was left out is a warning. What is refused: a step that
another party has to take, a step that comes after the one which closed it, and approval by the SOC (A7) without the
SWG's agreement (A6). A paper that the SWG or SOC did not agree to goes back: the steps since its draft are open again.

Outcomes of the SWG, the SOC and a specialized meeting have no node of their own: the Chairmanship's node signs them.
A working paper is signed by states that nominated one of its authors.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exchange.records.chain import build
from exchange.records.facts import Action, RecordFact
from exchange.records.threads import nominations
from exchange.records.verdict import Allowed, Refused, Verdict
from schemas import catalogue
from schemas.charter import Chairmanship
from schemas.edition import Step
from schemas.ids import SECRETARIAT, MemberId
from schemas.modalities import step_of

# Once the second step stands, the first may not be taken any more. Nominations are never closed: "periodically".
_CLOSED_BY: Final[Mapping[str, str | None]] = {
    "A1": "A7",
    "A2": "A3",
    "A3": "A4",
    "A4": "A5",
    "A5": "A6",
    "A6": "A7",
    "A7": "A7",
    "B1": "B8",
    "B2": "B8",
    "B3": None,
    "B4": "B7",
    "B5": "B7",
    "B6": "B8",
    "B7": "B8",
    "B8": "B8",
}
# Where a paper goes that was not agreed to: that step and those after it have to be taken again.
_BACK_TO: Final = {"A6": "A4", "A7": "A4", "B7": "B6", "B8": "B4"}
_NOT_AGREED: Final = frozenset({"not-agreed", "returned"})
_AGREED: Final = "agreed"
MODALITIES: Final = ("3.A", "3.B")
_CHAIR_SIGNS: Final = frozenset({"CICA Chairman", "SWG", "SOC", "Specialized meeting"})


@dataclass(frozen=True, slots=True)
class Bodies:
    """Who is who.

    Attributes:
        members: the Member States.
        chairs: every Chairmanship of the charter's versions, the oldest version first.
    """

    members: frozenset[MemberId]
    chairs: tuple[Chairmanship, ...]

    def chair(self, time: int) -> frozenset[MemberId]:
        """The chairing member at a time, as the newest charter version says; nobody outside all terms."""
        terms = [chair for chair in self.chairs if chair.start <= time < chair.end]
        return frozenset({terms[-1].member}) if terms else frozenset()


@dataclass(frozen=True, slots=True)
class Taken:
    """A step that was taken.

    Attributes:
        record_id: of the record that took it, with its originators and the time of its evidence.
        outcome: of a decision.
        text: as it reads now, after updates and corrections; `ids` are those of all its versions.
    """

    step: str
    record_id: str
    by: tuple[MemberId, ...]
    at: int
    outcome: str | None
    text: RecordFact
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Next:
    """A step that is open, and who may take it; nobody as long as those have to be designated or nominated first."""

    step: str
    act: str
    actors: tuple[str, ...]
    members: tuple[MemberId, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """A thread: steps taken (those that went back included), records that were no valid step and why, what is open.

    `ended`: its last step, the SOC's, was taken and stands.
    """

    done: tuple[Taken, ...]
    refused: tuple[tuple[str, str], ...]
    open: tuple[Next, ...]
    ended: bool


class _Progress:
    """The steps of a thread that stand, while it is read in the order of evidence."""

    def __init__(self) -> None:
        self.done: list[Taken] = []
        self.standing: list[Taken] = []
        self.refused: list[tuple[str, str]] = []

    def take(self, taken: Taken) -> None:
        self.done.append(taken)
        self.standing.append(taken)
        if taken.outcome in _NOT_AGREED and taken.step in _BACK_TO:
            back = _BACK_TO[taken.step]
            self.standing = [row for row in self.standing if row.step < back]

    def steps(self) -> set[str]:
        return {row.step for row in self.standing}

    def rows(self, step: str) -> Iterator[Taken]:
        return (row for row in self.standing if row.step == step)


def judge_step(thread: Iterable[RecordFact], candidate: RecordFact, bodies: Bodies, now: int) -> Verdict:
    """May a record take the step that it would take?

    Args:
        thread: what the node holds of its thread (`threads.thread_of`).
        candidate: a valid record of measure 3.A or 3.B, received or about to be sent.
        bodies: who is who.
        now: for what the relay has not accepted.

    Whether it may change or end an earlier record is for `chain.judge`; such a record takes no step here.
    """
    step = _step(candidate) if candidate.action is Action.NEW else None
    if step is None:
        return Allowed()
    progress = _read(thread, candidate.measure, candidate.mode, bodies)
    at = now if candidate.evidenced_at is None else candidate.evidenced_at
    return _judge(progress, step, candidate, bodies, at)


def status(thread: Iterable[RecordFact], measure: str, bodies: Bodies, now: int, mode: str = "actual") -> Status:
    """What was done in a thread of one modality (3.A or 3.B), what is open, and who may do it now."""
    progress = _read(thread, measure, mode, bodies)
    taken = progress.steps()
    steps = [step for step in catalogue.steps() if step.step[0] == measure[-1]]
    open_steps = tuple(
        Next(step.step, step.act, step.actors, tuple(sorted(_entitled(progress, step, bodies, now))))
        for step in steps
        if _CLOSED_BY[step.step] not in taken and (step.step != "A7" or _swg_agreed(progress))
    )
    return Status(tuple(progress.done), tuple(progress.refused), open_steps, steps[-1].step in taken)


def _step(fact: RecordFact) -> Step | None:
    if fact.measure not in MODALITIES or not catalogue.knows(fact.catalogue_id):
        return None
    record: dict[str, Any] = {
        "action": fact.action.value,
        "body": fact.body,
        "catalogue_id": fact.catalogue_id,
        "measure": fact.measure,
        "record_type": fact.record_type,
    }
    return step_of(record)


def _read(thread: Iterable[RecordFact], measure: str, mode: str, bodies: Bodies) -> _Progress:
    """Every record of the thread that stands, each judged at its own time by those before it.

    What the relay accepted in one second is read in the order of the steps: evidence tells no finer.
    """
    progress = _Progress()
    chains = build(fact for fact in thread if (fact.measure, fact.mode) == (measure, mode))
    rows = [(first, text, _step(text)) for first, text in chains.standing()]
    rows.sort(key=lambda row: (row[0].evidenced_at or 0, row[2].step if row[2] else "", row[0].order))
    for first, text, step in rows:
        if step is None or first.evidenced_at is None:
            continue
        verdict = _judge(progress, step, text, bodies, first.evidenced_at)
        if isinstance(verdict, Refused):
            progress.refused.append((first.record_id, verdict.reason))
        else:
            outcome, by, ids = text.body.get("outcome"), first.originators, chains.ids(first)
            progress.take(Taken(step.step, first.record_id, by, first.evidenced_at, outcome, text, ids))
    return progress


def _judge(progress: _Progress, step: Step, fact: RecordFact, bodies: Bodies, at: int) -> Verdict:
    taken = progress.steps()
    closing = _CLOSED_BY[step.step]
    if closing in taken:
        return Refused(f"step {step.step} is out of order: {closing} was taken; withdraw that first, or begin a thread")
    if step.step == "A7" and not _swg_agreed(progress):
        return Refused("step A7 needs the agreement of the SWG first, step A6 with outcome agreed")
    entitled = _entitled(progress, step, bodies, at)
    if not set(fact.originators) <= entitled:
        who = " or ".join(step.actors)
        names = ", ".join(sorted(entitled)) if len(entitled) <= 3 else "a Member State"
        found = f", here {names}" if entitled else ", and nobody is that here yet"
        return Refused(f"step {step.step} is for {who}{found}: not for {' and '.join(fact.originators)}")
    fault = _reference_fault(progress, step, fact)
    if fault is not None:
        return Refused(fault)
    order = [name for name in _CLOSED_BY if name[0] == step.step[0]]
    left_out = [name for name in order[: order.index(step.step)] if name not in taken]
    return Allowed((f"no step {', '.join(left_out)} before {step.step}",) if left_out else ())


def _swg_agreed(progress: _Progress) -> bool:
    considered = [row for row in progress.standing if row.step == "A6"]
    return bool(considered) and considered[-1].outcome == _AGREED


def _entitled(progress: _Progress, step: Step, bodies: Bodies, at: int) -> frozenset[MemberId]:
    """The members that may sign a step at a time."""
    found: set[MemberId] = set()
    for actor in step.actors:
        if actor == "Member State":
            found |= bodies.members
        elif actor == "CICA Secretariat":
            found.add(SECRETARIAT)
        elif actor in _CHAIR_SIGNS:
            found |= bodies.chair(at)
        elif actor == "Coordinating country":
            found |= {code for row in _designations(progress) for code in row.text.body.get("designated", ())}
        elif actor == "Experts":
            found |= {code for row in _nominated(progress) for code in row.by}
    return frozenset(found)


def _designations(progress: _Progress) -> Sequence[Taken]:
    return [row for row in progress.rows("A3") if row.outcome == _AGREED]


def _nominated(progress: _Progress) -> Sequence[Taken]:
    return [row for row in progress.rows("B3") if not row.text.body.get("withdrawn", False)]


def _reference_fault(progress: _Progress, step: Step, fact: RecordFact) -> str | None:
    """A paper names the acts that entitled its makers."""
    if step.step == "A4":
        named = [row for row in _designations(progress) if fact.body["designation_ref"] in row.ids]
        if not any(set(fact.originators) <= set(row.text.body.get("designated", ())) for row in named):
            return "designation_ref does not name a designation of the originators in this thread, step A3"
    if step.step == "B6":
        by = {record_id: row.by for row in _nominated(progress) for record_id in row.ids}
        authors = nominations(fact.body)
        if not set(authors) <= by.keys():
            return "an author's nomination_ref names no nomination that stands in this thread, step B3"
        if not set(fact.originators) <= {code for record_id in authors for code in by[record_id]}:
            return "it is signed by a state that nominated none of the authors"
    return None
