"""Acts of which anybody can cause any number: some are entries of their own, the rest is counted, a minute at a time.

So a flood costs the audit log a few entries a minute, and still shows in it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from schemas.audit import AuditKind
from schemas.ids import MemberId

PERIOD: Final = 60
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is counted together. `address`: the pseudonym of the caller's; `actor`: who did it, when that is known."""

    kind: AuditKind
    reason: str
    member: MemberId | None = None
    address: bytes | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How often an act occurred in the period that began at `time` (Unix seconds)."""

    act: Act
    time: int
    count: int


class Tally:
    """Counts by act and period. `apart`: acts told apart by address in one period; beyond, addresses are left out."""

    def __init__(self, single: int, apart: int) -> None:
        """`single`: acts of one kind and of somebody known in a period that are entries of their own."""
        self._single = single
        self._apart = apart
        self._period = 0
        self._counts: Counter[Act] = Counter()
        self._singles: Counter[tuple[AuditKind, str]] = Counter()
        self._told_apart = 0
        self._over: list[Counted] = []

    def single(self, kind: AuditKind, who: str, now: int) -> bool:
        """Whether this act of a known member or official may be an entry of its own; else it is to be counted."""
        self._turn(now)
        self._singles[kind, who] += 1
        return self._singles[kind, who] <= self._single

    def count(self, act: Act, now: int) -> None:
        """One more."""
        self._turn(now)
        if act.address is not None and act not in self._counts:
            if self._told_apart < self._apart:
                self._told_apart += 1
            else:
                act = replace(act, address=None)
        self._counts[act] += 1

    def take(self, now: int, whole: bool = False) -> tuple[Counted, ...]:
        """What was counted in periods that are over; with `whole` in this one too. Each is given once."""
        self._turn(now)
        if whole:
            self._close()
        over, self._over = tuple(self._over), []
        return over

    def _turn(self, now: int) -> None:
        period = now // PERIOD
        if period != self._period:
            self._close()
            self._period = period
            self._singles.clear()

    def _close(self) -> None:
        self._over.extend(self._counted())
        self._counts.clear()
        self._told_apart = 0

    def _counted(self) -> Iterator[Counted]:
        for act, count in self._counts.items():
            yield Counted(act, self._period * PERIOD, count)
