"""What a store holds against what its audit log says: messages without evidence, and evidence without messages (pure).

Every act writes its entry in its own transaction, so that neither stands without the other unless somebody has changed
the store by hand. Both sides come as streams in the order of what they are about; of neither is more in memory than
what is about one thing.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, groupby
from typing import Final

Said = tuple[Hashable, ...]
_LOOK: Final = "`cbm audit verify` with an anchor tells whether the log was changed; if it holds, the store was"


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the store, or one entry of the log.

    Attributes:
        key: what it is about; items come in ascending order of it.
        said: what the other side has to say as well. None: the content was destroyed, nothing about it is required.
        time: when it came about, at the latest (Unix seconds).
        index: of an entry.
        needed: whether the other side has to have its like; if not, it may.
    """

    key: bytes
    said: Said | None
    time: int
    index: int | None = None
    needed: bool = True


class Lack(StrEnum):
    """What does not match."""

    ENTRY = "no-entry"
    ROW = "no-row"
    DIFFERS = "differs"
    PROOF = "no-proof"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of act: `entry` is its name in the log, `row` what it leaves in the store, `about` what a key names.

    `kept`: entries of it are never pruned.
    """

    entry: str
    row: str
    about: str
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding; `index` of the entry, if there is one."""

    rule: Rule
    lack: Lack
    key: bytes
    time: int
    index: int | None = None

    def __str__(self) -> str:
        """What, why, and what to do."""
        about, entry, row = f"{self.rule.about} {self.key.hex()}", self.rule.entry, self.rule.row
        if self.lack is Lack.ENTRY:
            return f"{about}: the store has {row}, and no entry `{entry}` says so: {_LOOK}"
        if self.lack is Lack.ROW:
            return f"{about}: entry {self.index} says `{entry}`, and the store lacks {row}: {_LOOK}"
        if self.lack is Lack.DIFFERS:
            return f"{about}: entry {self.index} (`{entry}`) says otherwise than {row} in the store: {_LOOK}"
        return f"{about}: the store lacks {row}, which proves it: restore it from a backup"


@dataclass(slots=True)
class Tally:
    """How much was compared, how much did not match, and what only entries that were pruned could have said."""

    compared: int = 0
    differences: int = 0
    pruned: int = 0


def compare(
    rule: Rule, rows: Iterable[Item], entries: Iterable[Item], tally: Tally, pruned_before: int = 0, pruned: int = 0
) -> Iterator[Difference]:
    """What does not match, in the order of keys. `pruned` entries of times before `pruned_before` were pruned."""
    left = 0 if rule.kept else pruned
    for key, own, logged in _together(rows, entries):
        tally.compared += len(own) + len(logged)
        if any(item.said is None for item in chain(own, logged)):
            continue
        missing, unfounded = _unmatched(own, logged)
        lacking = []
        for item in missing:
            if left and item.time < pruned_before and not unfounded:
                tally.pruned += 1
                left -= 1
            else:
                lacking.append(item)
        both = min(len(lacking), len(unfounded))
        found = [Difference(rule, Lack.DIFFERS, key, item.time, item.index) for item in unfounded[:both]]
        found += [Difference(rule, Lack.ENTRY, key, item.time) for item in lacking[both:]]
        found += [Difference(rule, Lack.ROW, key, item.time, item.index) for item in unfounded[both:]]
        tally.differences += len(found)
        yield from found


def unproved(rule: Rule, rows: Iterable[Item], tally: Tally) -> Iterator[Difference]:
    """Rows that lack the signed bytes which prove what they say."""
    for item in rows:
        tally.compared += 1
        tally.differences += 1
        yield Difference(rule, Lack.PROOF, item.key, item.time)


def _unmatched(own: Sequence[Item], logged: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Those of either side that the other one needs and has not."""
    return _lacking(own, logged), _lacking(logged, own)


def _lacking(wanting: Sequence[Item], others: Sequence[Item]) -> list[Item]:
    free = Counter(item.said for item in others)
    found = []
    for item in sorted(wanting, key=lambda one: not one.needed):
        if free[item.said]:
            free[item.said] -= 1
        elif item.needed:
            found.append(item)
    return found


def _together(rows: Iterable[Item], entries: Iterable[Item]) -> Iterator[tuple[bytes, list[Item], list[Item]]]:
    """Groups of the same key, of both sides."""
    groups = [groupby(side, key=lambda item: item.key) for side in (rows, entries)]
    heads = [_next(side) for side in groups]
    while any(head is not None for head in heads):
        key = min(head[0] for head in heads if head is not None)
        both: list[list[Item]] = []
        for place, head in enumerate(heads):
            here = head is not None and head[0] == key
            both.append(head[1] if head is not None and here else [])
            if here:
                heads[place] = _next(groups[place])
        yield key, both[0], both[1]


def _next(groups: Iterator[tuple[bytes, Iterator[Item]]]) -> tuple[bytes, list[Item]] | None:
    found = next(groups, None)
    return None if found is None else (found[0], list(found[1]))
