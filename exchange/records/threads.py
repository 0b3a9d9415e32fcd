"""Threads: which records belong to one matter, by what they refer to in `references` and in their bodies.

A thread is what a record refers to, and what refers to any of that, each as far as it goes. What a later record refers
to besides is not drawn in, so that nobody joins two threads by naming both.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from exchange.records.facts import Action, RecordFact
from exchange.records.links import distinct

_REFS: Final = (
    "activity_ref",
    "designation_ref",
    "meeting_ref",
    "subject_ref",
    "tasking_ref",
    "thread_id",
)
NOMINATION: Final = "expert-nomination"


def refers_to(fact: RecordFact) -> tuple[str, ...]:
    """Ids of the records that a record names, in `references` first, each once and never its own."""
    body = fact.body
    named = [*fact.references, *(body[name] for name in _REFS if isinstance(body.get(name), str))]
    named.extend(body.get("entry_of", ()))
    named.extend(nominations(body))
    return tuple(record_id for record_id in dict.fromkeys(named) if record_id != fact.record_id)


def nominations(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The nominations that the authors of a working paper were made by."""
    return tuple(author["nomination_ref"] for author in body.get("authors", ()))


def thread_of(facts: Iterable[RecordFact], start: RecordFact) -> tuple[RecordFact, ...]:
    """The thread of a record, without the record itself, by evidence.

    Under modality B, nominations for the priority area of the thread belong to it though nothing refers to them: states
    make them from time to time, not for one paper (section 3.B).
    """
    return Threads(facts).of(start)


class Threads:
    """The threads of many records, whose references are looked through once for all of them."""

    def __init__(self, facts: Iterable[RecordFact]) -> None:
        """Over what a node holds."""
        self._held = tuple(facts)
        self._by_id: dict[str, list[RecordFact]] = {}
        self._named: dict[str, set[str]] = {}
        self._naming: dict[str, set[str]] = {}
        for fact in self._held:
            self._by_id.setdefault(fact.record_id, []).append(fact)
            for record_id in refers_to(fact):
                self._named.setdefault(fact.record_id, set()).add(record_id)
                self._naming.setdefault(record_id, set()).add(fact.record_id)
        self._nominations = [fact for fact in self._held if fact.record_type == NOMINATION]

    def of(self, start: RecordFact) -> tuple[RecordFact, ...]:
        """See `thread_of`."""
        ids = _reach(_reach([start.record_id, *refers_to(start)], self._named), self._naming)
        found = [fact for record_id in ids for fact in self._by_id.get(record_id, ()) if fact != start]
        areas = {area(fact) for fact in (*found, start)} - {None}
        found.extend(
            fact
            for fact in self._nominations
            if fact.record_id not in ids and area(fact) in areas and fact.measure == start.measure and fact != start
        )
        return tuple(sorted(found, key=lambda fact: fact.order))


def starts(facts: Iterable[RecordFact]) -> tuple[RecordFact, ...]:
    """The records that begin a thread, by evidence: new ones that name none of the others. Nominations begin none."""
    held = distinct(facts)[0].values()
    ids = {fact.record_id for fact in held}
    return tuple(
        fact
        for fact in held
        if fact.action is Action.NEW and fact.record_type != NOMINATION and ids.isdisjoint(refers_to(fact))
    )


def area(fact: RecordFact) -> str | None:
    """The priority area that a record names."""
    named = fact.body.get("priority_area")
    return named if isinstance(named, str) else None


def _reach(start: Iterable[str], edges: Mapping[str, set[str]]) -> set[str]:
    """Every id that can be reached from the start, the start included."""
    seen: set[str] = set()
    ready = list(start)
    while ready:
        record_id = ready.pop()
        if record_id not in seen:
            seen.add(record_id)
            ready.extend(edges.get(record_id, ()))
    return seen
