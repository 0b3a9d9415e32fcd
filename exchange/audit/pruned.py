"""Entries of an audit log whose leaf is gone: which may be, and what the log itself has to say of it (pure).

A leaf that was pruned leaves its hash, so the tree stays what it was. That entries were pruned is an entry, `pruned`:
those in front of index `count`, of times before the one in `subject`. What a node lost at a restore is another one,
`entries-lost`: `count` of them, from the index in `subject` on; behind them stands the entry `restored`. An entry
without a leaf of which neither says so was taken away (docs/protocol.md, "Audit logs").
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from keys.tiles import entry_hash
from schemas.audit import AuditEntry, AuditKind
from schemas.ids import Digest
from schemas.limits import DAY, MAX_CLOCK_AHEAD, MAX_TIME, MIN_KEPT_DAYS

PRUNED: Final = "pruned"
LOST: Final = "entries-lost"
RESTORED: Final = "restored"
OPERATOR: Final = "operator"
# What the log needs to be verified and gone on with, and what the operator did; and of a relay all that proves to its
# members when something stood in its log.
KEPT: Final = frozenset({AuditKind.OPERATOR, AuditKind.CONFIGURED})
KEPT_BY_RELAY: Final = KEPT | {AuditKind.ACCEPTED, AuditKind.ACKNOWLEDGED, AuditKind.ANCHORED}
_WIDTH: Final = 8
# By so much a clock may be set back behind a statement.
_BACK: Final = DAY


def hash_of(leaf: bytes) -> Digest:
    """What stays of a leaf."""
    return entry_hash(leaf)


def subject_of(number: int) -> bytes:
    """An index or a time as the subject of an entry: 8 bytes, big-endian."""
    return number.to_bytes(_WIDTH, "big")


@dataclass(frozen=True, slots=True)
class Pruning:
    """What entry `index`, of `time`, says: those in front of `end`, of times before `before`, were pruned."""

    index: int
    time: int
    end: int
    before: int


@dataclass(frozen=True, slots=True)
class Loss:
    """What entry `index`, of `time`, says: those from `first` up to `end`, without it, were lost at a restore."""

    index: int
    time: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Entry `index` says that the store was restored: it is the first that was written then."""

    index: int


Statement = Pruning | Loss | Restore


def statement_of(index: int, entry: AuditEntry) -> Statement | None:
    """What an entry says of leaves that are gone, if it says anything."""
    subject, count = entry.subject, entry.count
    if entry.kind is not AuditKind.OPERATOR or entry.actor != OPERATOR:
        return None
    if entry.reason == RESTORED:
        return Restore(index)
    if count is None or subject is None or len(subject) != _WIDTH:
        return None
    number = int.from_bytes(subject, "big")
    if entry.reason == PRUNED:
        return Pruning(index, entry.time, count, number)
    return Loss(index, entry.time, number, number + count) if entry.reason == LOST else None


@dataclass(frozen=True, slots=True)
class Terms:
    """What statements are held against.

    Attributes:
        now: by the clock of whoever verifies (Unix seconds).
        days: younger entries had to be kept.
        known: of so many entries somebody else holds the hashes.
        given: whether `known` is by what others gave, rather than by the word of the log's keeper.
        of_relay: a relay's log: members may ask for proofs of more of it, and it loses nothing at a restore.
    """

    now: int = MAX_TIME
    days: int = MIN_KEPT_DAYS
    known: int = 0
    given: bool = True
    of_relay: bool = False


def pruning_fault(one: Pruning, terms: Terms) -> str | None:
    """What is wrong with a statement, whatever it covers."""
    if one.end > one.index:
        return "it says that entries behind it were pruned"
    if one.time > terms.now + MAX_CLOCK_AHEAD:
        return "it says that entries were pruned at a time that is still to come"
    if one.time - one.before < terms.days * DAY:
        days = max(0, one.time - one.before) // DAY
        return f"it says that entries were pruned after {days} days: they are to be kept for {terms.days}"
    return None


class Gone:
    """Judges entries without leaves, in their order: what was pruned is the beginning of what may be pruned at all.

    Statements are believed as far as the entries that make them are verified.
    """

    def __init__(self, statements: Iterable[Statement] = (), terms: Terms = Terms()) -> None:
        """Over what the log says."""
        found = tuple(statements)
        self.kept = KEPT_BY_RELAY if terms.of_relay else KEPT
        self.losses = _believed(found, terms)
        self._firsts = [loss.first for loss in self.losses]
        self._wrong = _wrong(found, self.losses, terms)
        said = [one for one in found if isinstance(one, Pruning)]
        self._indices = sorted({one.index for one in found if not isinstance(one, Restore)})
        self._times = [one.index for one in said], list(accumulate(((one.time, one.index) for one in said), max))
        prunings = sorted((one for one in said if one.end <= one.index), key=lambda one: one.end)
        self._ends = [one.end for one in prunings]
        # Of all that reach behind an entry: the latest time that one of them allows, and the earliest that all do.
        self._latest = _from_the_end(prunings, max)
        self._earliest = _from_the_end(prunings, min)
        self._terms = terms
        # The first that could have been pruned, and was not.
        self._left: int | None = None

    def silent_on(self, first: int, times: Iterable[int]) -> bool:
        """Whether there is nothing to say of entries from `first` on, if all have their leaves. At least one."""
        if first < max(self._ends[-1:], default=0):
            return False
        if not self._indices:
            return True
        found = tuple(times)
        place = bisect_left(self._indices, first)
        if place < len(self._indices) and self._indices[place] < first + len(found):
            return False
        return self._set_back(first, min(found)) is None

    def lost(self, index: int) -> bool:
        """Whether it was lost at a restore."""
        return self._loss(index) is not None

    def fault(self, index: int, time: int, leafless: bool, kept: bool = False) -> tuple[int, str] | None:
        """What is wrong, and with which entry, as far as leaves are concerned that are gone; up to this one.

        `time` stands beside the entry; `kept`: it is of a kind that is never pruned.
        """
        if back := self._set_back(index, time):
            return back
        place = bisect_right(self._ends, index)
        covered = place < len(self._ends)
        if not leafless:
            why = self._wrong.get(index)
            if why is None and covered and time >= self._earliest[place]:
                why = "entries that are not older than it were pruned behind it, which the log says were older"
            if covered and not kept and (self._left is None or index < self._left):
                self._left = index
            return None if why is None else (index, why)
        if not 0 <= time <= MAX_TIME:
            return index, "its leaf is gone, and no entry is of the time that stands beside it"
        if loss := self._loss(index):
            return self._of_lost(index, time, loss)
        if not covered:
            return index, "its leaf is gone, and no entry of the log says that it was pruned or lost"
        if time >= self._latest[place]:
            return index, "it was pruned, and is younger than what the log says was pruned"
        if self._left is not None and self._left < index:
            return self._left, f"it has its leaf, and entry {index} was pruned: what is pruned is not chosen"
        if index >= self._terms.known:
            return index, "it was pruned, and is under no anchor: get a newer one, from the relay or from members"
        return None

    def _of_lost(self, index: int, time: int, loss: Loss) -> tuple[int, str] | None:
        if time != loss.time:
            return index, f"its time is another one than of entry {loss.index}, which says that it was lost"
        if self._terms.given and index >= self._terms.known:
            return index, "it was lost, and is under no anchor: get a newer one, from the relay or from members"
        return None

    def _loss(self, index: int) -> Loss | None:
        place = bisect_right(self._firsts, index)
        return self.losses[place - 1] if place and index < self.losses[place - 1].end else None

    def _set_back(self, index: int, time: int) -> tuple[int, str] | None:
        """A statement in front of an entry of an earlier time: the clock was ahead when it was made."""
        indices, latest = self._times
        place = bisect_left(indices, index)
        if not place or time >= latest[place - 1][0] - _BACK:
            return None
        return latest[place - 1][1], f"entry {index}, which was written later, is of an earlier time"


def _believed(found: Iterable[Statement], terms: Terms) -> list[Loss]:
    """Losses that a restore explains, none of them over another; the lowest first.

    What was written since a restore stands behind what was lost, and begins with the entry that says so. When a relay
    shows what was lost in two parts, the second one stands between.
    """
    if terms.of_relay:
        return []
    found = tuple(found)
    begin = {one.index for one in found if isinstance(one, Restore)}
    losses = sorted((one for one in found if isinstance(one, Loss)), key=lambda one: (one.first, one.index))
    believed: list[Loss] = []
    for one in reversed(losses):
        if not one.first < one.end <= one.index or (believed and one.end > believed[-1].first):
            continue
        if one.end in begin:
            believed.append(one)
            begin.add(one.first)
    return believed[::-1]


def _wrong(found: Iterable[Statement], losses: Iterable[Loss], terms: Terms) -> dict[int, str]:
    wrong = {}
    held = set(losses)
    for one in found:
        if isinstance(one, Loss) and one not in held:
            wrong[one.index] = "it says that entries were lost, and no restore of this log explains it"
        elif isinstance(one, Loss) and one.time > terms.now + MAX_CLOCK_AHEAD:
            wrong[one.index] = "it says that entries were lost at a time that is still to come"
        elif isinstance(one, Pruning) and (why := pruning_fault(one, terms)):
            wrong[one.index] = why
    return wrong


def _from_the_end(prunings: Sequence[Pruning], best: Callable[[int, int], int]) -> list[int]:
    return list(accumulate((one.before for one in reversed(prunings)), best))[::-1]
