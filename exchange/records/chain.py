"""Chains: what of all that a node holds is current, what was superseded or ended, and what a refused act tried.

A pure function of the set of facts: whatever the order in which they arrived, the result is the same. A text with its
updates and corrections is a line. A line that is cancelled or withdrawn does not come back: its originators issue a new
record. What the relay has not accepted has no effect.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from exchange.records.facts import Action, RecordFact
from exchange.records.links import Key, Place, distinct, judge_links, key_of, resolve
from exchange.records.pairing import ENDS, OWN, REPLACES, TEXTS
from exchange.records.verdict import Allowed, Refused, Verdict


class State(StrEnum):
    """How a record stands."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    UNRESOLVED = "unresolved"  # what it refers to is not here yet
    WAITING = "waiting"  # the relay has not accepted it
    REFUSED = "refused"


STANDING: Final = frozenset({State.CURRENT, State.SUPERSEDED})
_ENDED: Final = {Action.CANCEL: State.CANCELLED, Action.WITHDRAW: State.WITHDRAWN}
# Such an id follows from what it names, an alert for instance, so that another state can use it first. That must not
# keep the originators from sending theirs: they cannot give it another.
_FORESEEABLE: Final = "urn:"
_UNMOVED: Final = {
    Place.GOOD: State.CURRENT,
    Place.UNRESOLVED: State.UNRESOLVED,
    Place.WAITING: State.WAITING,
    Place.REFUSED: State.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record in its place.

    Attributes:
        state: superseded, cancelled and withdrawn are said of texts and translations only.
        reason: why it is refused, or why one of its references is.
        targets: the records here that it acts on, or tried to.
        missing: ids that it refers to and that are not here yet.
    """

    fact: RecordFact
    state: State
    reason: str | None
    targets: tuple[Key, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chains:
    """Every record in its place.

    Attributes:
        entries: by id and originators, in the order of evidence.
        lines: the first key of the line that a text is in.
        heads: by that key, the text that holds, or held when the line ended.
        reused: texts that are refused because their originators had used the id before.
    """

    entries: Mapping[Key, Entry]
    lines: Mapping[Key, Key]
    heads: Mapping[Key, Key]
    reused: tuple[Entry, ...]

    def named(self, record_id: str) -> tuple[Entry, ...]:
        """The records under one id, the first evidenced first: one, unless several states use it."""
        return tuple(entry for key, entry in self.entries.items() if key[0] == record_id)

    def current(self, fact: RecordFact) -> RecordFact | None:
        """The text that holds now in the line that `fact` is in; None if there is none."""
        line = self.lines.get(key_of(fact))
        head = None if line is None else self.entries[self.heads[line]]
        return head.fact if head is not None and head.state is State.CURRENT else None

    def ids(self, fact: RecordFact) -> frozenset[str]:
        """The ids of all texts of the line that `fact` is in."""
        line = self.lines.get(key_of(fact))
        return frozenset(key[0] for key, other in self.lines.items() if other == line)

    def ended_by(self, fact: RecordFact) -> RecordFact | None:
        """The first act that cancelled or withdrew the line, or the translation, that `fact` is in, if any did."""
        key = key_of(fact)
        line = self.lines.get(key, key)
        acts = (
            e for e in self.entries.values() if e.fact.action in ENDS and e.state in {State.CURRENT, State.UNRESOLVED}
        )
        return next((e.fact for e in acts if any(self.lines.get(on, on) == line for on in e.targets)), None)

    def standing(self) -> tuple[tuple[RecordFact, RecordFact], ...]:
        """For each line that holds and whose new record is here: that record and the current text, by evidence."""
        firsts = [e.fact for e in self.entries.values() if e.fact.action is Action.NEW and e.state in STANDING]
        pairs = ((fact, self.current(fact)) for fact in firsts)
        return tuple((fact, current) for fact, current in pairs if current is not None)


def build(facts: Iterable[RecordFact]) -> Chains:
    """Put every record in its place. Never raises, whatever the records refer to."""
    nodes, again = distinct(facts)
    links = resolve(nodes)
    places = judge_links(nodes, links)
    acting = {key: fact for key, fact in nodes.items() if places[key][0] in {Place.GOOD, Place.UNRESOLVED}}
    on = {key: tuple(target for target in links[key].targets if target in acting) for key in acting}
    lines = _lines(acting, on)
    heads = _heads(acting, on, lines)
    ends = _ends(acting, on, lines)
    moved = _moved_texts(lines, heads, ends)
    moved |= _moved_translations(acting, on, moved, ends)
    entries = {}
    for key, fact in nodes.items():
        place, reason = places[key]
        state = moved.get(key, _UNMOVED[place])
        link = links[key]
        entries[key] = Entry(fact, state, reason, (*link.targets, *link.claimed), link.missing)
    taken = "its originators gave another text under the same id before"
    reused = tuple(Entry(fact, State.REFUSED, taken, (), ()) for fact in again)
    return Chains(entries, lines, heads, reused)


def judge(facts: Iterable[RecordFact], candidate: RecordFact, now: int) -> Verdict:
    """May a record that this node is about to send do what its action and references say?

    What it refers to and is not here gives a warning: it may be with another ministry's records.
    """
    held = tuple(facts)
    intended = replace(candidate, evidenced_at=now)
    before = build(held)
    namesakes = before.named(intended.record_id)
    if any(entry.fact.originators == intended.originators for entry in namesakes) or (
        namesakes and not intended.record_id.startswith(_FORESEEABLE)
    ):
        return Refused("its record_id is in use: give it one of its own")
    chains = build((*held, intended))
    entry = chains.entries[key_of(intended)]
    if entry.reason is not None:
        return Refused(entry.reason)
    warnings = [
        f"{record_id} is not here: whether this may refer to it cannot be judged" for record_id in entry.missing
    ]
    warnings.extend(
        f"its record_id is that of a record of {' and '.join(entry.fact.originators)} as well" for entry in namesakes
    )
    for target in entry.targets:
        state = before.entries[target].state
        if state in _ENDED.values() and candidate.action in OWN:
            return Refused(f"{target[0]} is {state} and does not come back: issue a new record")
        if state is not State.CURRENT:
            warnings.append(f"{target[0]} is {state}")
    return Allowed(tuple(warnings))


def _lines(acting: Mapping[Key, RecordFact], on: Mapping[Key, tuple[Key, ...]]) -> dict[Key, Key]:
    """Each text's line, named by its least member in the order of evidence (a union of sets, with path halving)."""
    above = {key: key for key, fact in acting.items() if fact.action in TEXTS}

    def top(key: Key) -> Key:
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    rank = {key: index for index, key in enumerate(acting)}
    for key in above:
        if acting[key].action in REPLACES:
            for target in on[key]:
                first, second = sorted((top(key), top(target)), key=rank.__getitem__)
                above[second] = first
    return {key: top(key) for key in above}


def _heads(
    acting: Mapping[Key, RecordFact], on: Mapping[Key, tuple[Key, ...]], lines: Mapping[Key, Key]
) -> dict[Key, Key]:
    """Of the texts of a line that no other replaces, the one evidenced last."""
    replaced = {target for key in lines if acting[key].action in REPLACES for target in on[key]}
    return {line: key for key, line in lines.items() if key not in replaced}


def _ends(
    acting: Mapping[Key, RecordFact], on: Mapping[Key, tuple[Key, ...]], lines: Mapping[Key, Key]
) -> dict[Key, State]:
    """How lines, and single translations, ended; a withdrawal outweighs a cancellation."""
    ends: dict[Key, State] = {}
    for key, fact in acting.items():
        if fact.action in ENDS:
            for target in on[key]:
                line = lines.get(target, target)
                if ends.get(line) is not State.WITHDRAWN:
                    ends[line] = _ENDED[fact.action]
    return ends


def _moved_texts(lines: Mapping[Key, Key], heads: Mapping[Key, Key], ends: Mapping[Key, State]) -> dict[Key, State]:
    moved = {key: State.SUPERSEDED for key, line in lines.items() if heads[line] != key}
    return moved | {key: ends[line] for key, line in lines.items() if line in ends}


def _moved_translations(
    acting: Mapping[Key, RecordFact],
    on: Mapping[Key, tuple[Key, ...]],
    texts: Mapping[Key, State],
    ends: Mapping[Key, State],
) -> dict[Key, State]:
    """A translation shares the fate of the exact text that it translates; a later one into the language replaces it."""
    moved: dict[Key, State] = {}
    newest: dict[tuple[tuple[Key, ...], str], Key] = {}
    for key, fact in acting.items():
        if fact.action is not Action.TRANSLATION or not on[key]:
            continue
        if key in ends:
            moved[key] = ends[key]
        elif on[key][0] in texts:
            moved[key] = texts[on[key][0]]
        else:
            place = (on[key], fact.language)
            if place in newest:
                moved[newest[place]] = State.SUPERSEDED
            newest[place] = key
    return moved
