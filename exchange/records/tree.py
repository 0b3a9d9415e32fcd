"""A chain as a list of lines for a reader: what began it, and under each record what acted on it, with its state."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from exchange.records.chain import Chains, Entry, State
from exchange.records.facts import Action
from exchange.records.links import Key, key_of
from schemas.ids import MemberId


@dataclass(frozen=True, slots=True)
class Line:
    """One record of a chain.

    Attributes:
        depth: 0 for what began it; one more than the record that it acts on.
        message: the node's name of the message.
        by: the originators.
        issued_at: what the record claims; evidenced_at: what the relay's receipt proves. Unix seconds.
        reason: why it is refused.
        missing: ids that it refers to and that are not here yet.
    """

    depth: int
    record_id: str
    message: str
    action: Action
    by: tuple[MemberId, ...]
    issued_at: int
    evidenced_at: int | None
    language: str
    state: State
    reason: str | None
    missing: tuple[str, ...]


def tree(chains: Chains, record_id: str) -> tuple[Line, ...]:
    """The whole chain that a record is in, each record before what acts on it; empty if there is no such record.

    If several states use the id, all their chains follow one another. A record that acts on several is under the first.
    """
    above = _parents(chains.entries)
    roots = dict.fromkeys(_top(key_of(entry.fact), above) for entry in chains.named(record_id))
    taken = (entry for entry in chains.reused if entry.fact.record_id == record_id)
    return (*_below(roots, above, chains.entries), *(_line(0, entry) for entry in taken))


def forest(chains: Chains) -> tuple[Line, ...]:
    """Every chain, as `tree` has one, in the order of evidence; what used an id again comes last."""
    above = _parents(chains.entries)
    roots = (key for key in chains.entries if key not in above)
    return (*_below(roots, above, chains.entries), *(_line(0, entry) for entry in chains.reused))


def _below(roots: Iterable[Key], above: Mapping[Key, Key], entries: Mapping[Key, Entry]) -> Iterator[Line]:
    under: dict[Key, list[Key]] = {}
    for key in entries:
        if key in above:
            under.setdefault(above[key], []).append(key)
    for root in roots:
        open_keys = [(0, root)]
        while open_keys:
            depth, key = open_keys.pop()
            yield _line(depth, entries[key])
            open_keys.extend((depth + 1, child) for child in reversed(under.get(key, ())))


def _parents(entries: Mapping[Key, Entry]) -> dict[Key, Key]:
    """Each record's first target, without those links that would close a circle."""
    above = {key: entry.targets[0] for key, entry in entries.items() if entry.targets}
    sound: set[Key] = set()
    for start in entries:
        path, key = {start}, start
        while key in above and above[key] not in sound:
            if above[key] in path:
                del above[key]
                break
            key = above[key]
            path.add(key)
        sound |= path
    return above


def _top(key: Key, above: Mapping[Key, Key]) -> Key:
    while key in above:
        key = above[key]
    return key


def _line(depth: int, entry: Entry) -> Line:
    fact = entry.fact
    return Line(
        depth,
        fact.record_id,
        fact.message,
        fact.action,
        fact.originators,
        fact.issued_at,
        fact.evidenced_at,
        fact.language,
        entry.state,
        entry.reason,
        entry.missing,
    )
