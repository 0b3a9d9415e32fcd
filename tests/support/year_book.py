"""How fine the year is, and what is taken down on its way."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from exchange.relay.tlog import Published
from keys.directory import Directory
from keys.epochs import EPOCH_TERM
from schemas.charter import Handover
from schemas.ids import KeyId, MemberId
from schemas.limits import HOUR

WEEKS: Final = 52
BEGIN: Final = 2_977 * EPOCH_TERM + 6 * HOUR
"""A quarter of a day after an epoch has begun."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How fine the year is.

    Attributes:
        letters: that are written on a day.
        refresh: days after which acceptances are logged, and a directory that rests is cosigned again.
        share: of the nodes, who fetch on a day. Half as many do their housekeeping, and all when an epoch begins. When
            it is all of them, they also take in every checkpoint, else those of a directory that has grown.
    """

    days: int = WEEKS * 7
    letters: int = 2
    refresh: int = 7
    share: float = 0.4
    seed: str = "year"


@dataclass(frozen=True, slots=True)
class Shown:
    """A published checkpoint of a log, and the view of the directory that its witnesses were judged by."""

    log: str
    published: Published
    view: Directory


@dataclass(frozen=True, slots=True)
class Return:
    """A node that was switched off and came back: halves whose time had come before, and after its keys were opened."""

    member: str
    overdue: frozenset[str]
    left: frozenset[str]


@dataclass(frozen=True, slots=True)
class Revoked:
    """A key that its root ended; `time` in Unix seconds."""

    member: MemberId
    key: KeyId
    index: int
    time: int


@dataclass(slots=True)
class Book:
    """What was seen on the way.

    Attributes:
        fetched: when (Unix seconds) each member's node took what waited for it.
        alive: what was found on a disk after its time.
        verified: milliseconds that each checkpoint of the directory took to verify, and how many had cosigned it.
        sizes: of the directory in each node's view, in turn.
        faults: why a node could not bring the directory up to date.
        revoked: each revoked key, and the revocation's index and time (Unix seconds).
        tried: what the holder of a revoked key tried, and the answer.
        grown: when (Unix seconds) the directory grew, and by how many entries.
        inboxes: at the end, the titles of the letters in each inbox, by message.
        ends: at the end, the size of each node's view, and the root over it.
    """

    fetched: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    alive: list[str] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    verified: list[tuple[float, int]] = field(default_factory=list)
    sizes: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    faults: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    revoked: list[Revoked] = field(default_factory=list)
    tried: list[tuple[str, str]] = field(default_factory=list)
    grown: list[tuple[int, int]] = field(default_factory=list)
    inboxes: dict[str, dict[bytes, str]] = field(default_factory=dict)
    ends: dict[str, Handover] = field(default_factory=dict)
