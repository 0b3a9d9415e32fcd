"""What each record's references resolve to, and whether what it does to them is allowed. Pure functions of a set.

A record is named by its id and its originators together: another state that uses the same id makes another record and
cannot take the place of the first. If the same originators give two texts under one id, the first evidenced stands.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TypeAlias

from exchange.records.facts import Action, RecordFact
from exchange.records.pairing import pairing_fault
from schemas.ids import MemberId

Key: TypeAlias = tuple[str, tuple[MemberId, ...]]


class Place(Enum):
    """What a record's own references make of it, before anything else acts on it."""

    GOOD = auto()
    UNRESOLVED = auto()
    WAITING = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Link:
    """Where a record's references lead.

    Attributes:
        targets: the records here that it may act on; of several under one id, all that it may.
        claimed: the records here that it may not act on, of ids under which there is none that it may.
        missing: ids of which no record is here yet.
        fault: why it may not act on the first of the claimed.
    """

    targets: tuple[Key, ...] = ()
    claimed: tuple[Key, ...] = ()
    missing: tuple[str, ...] = ()
    fault: str | None = None


def key_of(fact: RecordFact) -> Key:
    """What names the record."""
    return fact.record_id, fact.originators


def distinct(facts: Iterable[RecordFact]) -> tuple[dict[Key, RecordFact], tuple[RecordFact, ...]]:
    """Each record once, in the order of evidence, and the texts that used an id of their originators again.

    A text that came more than once, under several Provisions or paths, counts from its first evidence, and was
    addressed to every audience that it had.
    """
    nodes: dict[Key, RecordFact] = {}
    reused: list[RecordFact] = []
    for fact in sorted(facts, key=lambda fact: (*fact.order, fact.message, fact.box)):
        known = nodes.setdefault(key_of(fact), fact)
        if known.digest != fact.digest:
            reused.append(fact)
        elif known is not fact:
            audience = tuple(sorted({*known.recipients, *fact.recipients}))
            nodes[key_of(fact)] = replace(known, recipients=audience)
    return nodes, tuple(reused)


def resolve(nodes: Mapping[Key, RecordFact]) -> dict[Key, Link]:
    """The link of every record. The references of a new record only point at what it is about: it acts on nothing."""
    by_id: dict[str, list[RecordFact]] = {}
    for fact in nodes.values():
        by_id.setdefault(fact.record_id, []).append(fact)
    return {key: Link() if fact.action is Action.NEW else _link(fact, by_id) for key, fact in nodes.items()}


def _link(act: RecordFact, by_id: Mapping[str, Sequence[RecordFact]]) -> Link:
    targets: list[Key] = []
    claimed: list[Key] = []
    missing, faults = [], []
    for record_id in act.references:
        named = [(key_of(fact), pairing_fault(act, fact)) for fact in by_id.get(record_id, ())]
        fit = [key for key, fault in named if fault is None]
        targets.extend(fit)
        if not named:
            missing.append(record_id)
        elif not fit:
            claimed.append(named[0][0])
            faults.append(named[0][1])
    return Link(tuple(targets), tuple(claimed), tuple(missing), faults[0] if faults else None)


def judge_links(nodes: Mapping[Key, RecordFact], links: Mapping[Key, Link]) -> dict[Key, tuple[Place, str | None]]:
    """The place of every record, with what is wrong with it or one of its references, if anything is.

    Each is judged after all that it acts on.
    """
    dependants: dict[Key, list[Key]] = {key: [] for key in nodes}
    open_targets = {key: len(set(link.targets)) for key, link in links.items()}
    for key, link in links.items():
        for target in set(link.targets):
            dependants[target].append(key)
    judged: dict[Key, tuple[Place, str | None]] = {}
    ready = [key for key, count in open_targets.items() if count == 0]
    while ready:
        key = ready.pop()
        judged[key] = _place(nodes[key], links[key], judged)
        for dependant in dependants[key]:
            open_targets[dependant] -= 1
            if open_targets[dependant] == 0:
                ready.append(dependant)
    circle = (Place.REFUSED, "its references run in a circle")
    return {key: judged.get(key, circle) for key in nodes}


def _place(fact: RecordFact, link: Link, judged: Mapping[Key, tuple[Place, str | None]]) -> tuple[Place, str | None]:
    """One target that it may act on is enough: no other state can block an act by using an id that it refers to."""
    places = {judged[target][0] for target in link.targets}
    acts = fact.action is not Action.NEW
    if acts and not link.missing and places <= {Place.REFUSED}:
        return Place.REFUSED, link.fault or "what it refers to is refused"
    if fact.evidenced_at is None:
        return Place.WAITING, link.fault
    good = Place.GOOD in places or not acts
    return Place.GOOD if good else Place.UNRESOLVED, link.fault
