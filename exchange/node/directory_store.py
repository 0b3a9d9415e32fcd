"""What a node has of the directory: its verified view, the tree over it, and the checkpoints under which it stands.

Entries are verified again when they are loaded: the store is not trusted. What brings it further is in
`exchange.node.directory`.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Self

from exchange.errors import Unavailable
from exchange.logs import get_logger
from exchange.node.books import Books
from exchange.node.following import LOG, Growth, Log
from exchange.node.guard import Guard
from exchange.node.history import History
from exchange.node.watch import foreign_entries
from exchange.storage.trust_port import KeptCheckpoint
from keys.checkpoint import SignedCheckpoint, parse_signed
from keys.cosign import Quorum
from keys.directory import Directory, begin, extend, obey
from keys.errors import KeyFault, Untrusted
from keys.merkle import MemoryTree
from keys.quorum import known_log
from keys.tiles import entry_hash
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.statement import read_entry

# Views of the past that are kept.
_PAST_VIEWS: Final = 8

_log = get_logger("directory")


class StoredDirectory:
    """The newest verified directory. `current` is immutable: whoever took it keeps a consistent view.

    Attributes:
        current: what a quorum has cosigned; before the first checkpoint the pinned charter, or what was given by hand.
        pending: with the entries that the relay holds beyond it, verified: what this node has published or has not.
        gossip: the newest checkpoint, with the relay's Ed25519 line alone.
    """

    def __init__(self, books: Books, log: Log, kept: Sequence[KeptCheckpoint], guard: Guard) -> None:
        """Use `load`."""
        self._books = books
        self._guard = guard
        self._tree = log.tree
        self._history = History(kept)
        self._lock = asyncio.Lock()
        self._past: dict[int, Directory] = {}
        self._obeyed = 0
        self.current = log.view
        self.pending = log.view
        self.gossip = self._short()

    @classmethod
    async def load(cls, books: Books, pinned: Digest, guard: Guard) -> Self:
        """The stored directory, verified from the pinned charter on. Raises Untrusted, BadSignature or DecodeError."""
        stored = await books.access.directory()
        if not stored:
            raise Untrusted("there is no charter in this node's store: run `cbm node init` first")
        entries = [read_entry(entry) for entry in stored]
        view = extend(begin(entries[0], pinned), entries[1:])
        tree = MemoryTree(entry_hash(entry) for entry in stored)
        loaded = cls(books, Log(view, tree), await books.trust.checkpoints(), guard)
        await loaded.obey_by_hand()
        return loaded

    # What it says.

    @property
    def newest(self) -> KeptCheckpoint | None:
        """The newest cosigned checkpoint; None before the first."""
        return self._history.newest

    @property
    def updated(self) -> int:
        """When a quorum last had this directory for the newest, as far as is known (Unix seconds); 0: never."""
        return 0 if self.newest is None else self.newest.latest

    @property
    def settled(self) -> bool:
        """Whether everything that the relay holds has been cosigned."""
        return self.newest is not None and self.pending.size <= self.current.size

    def log(self) -> Log:
        """View and tree; nobody changes either."""
        return Log(self.current, self._tree)

    def as_of(self, size: int) -> Directory:
        """The view at a size, the newest when there is no such yet. Receipts that come together name few sizes."""
        current = self.current
        if size >= current.size:
            return current
        view = self._past.get(size)
        # A revocation that is obeyed beside the log counts in every view.
        if view is None or view.obeyed != current.obeyed:
            if len(self._past) >= _PAST_VIEWS:
                self._past.clear()
            view = self._past[size] = current.as_of(size)
        return view

    def least_size(self, time: int) -> int:
        """The size that the directory had at a time (Unix seconds) for sure, by the checkpoints that are kept."""
        return self._history.least_size(time)

    def notes_before(self, least: int, members: frozenset[MemberId], named: frozenset[bytes]) -> tuple[bytes, ...]:
        """Notes that show for how long what has ended since, behind `least` entries, had not ended: smallest first.

        Of keys of these members, of Grants and Provisions with these ids, and of relays, by any version of the charter.
        A file needs them in which such keys signed: the newest checkpoint says nothing of then.
        """
        view = self.current
        ended = {record.index for record in view.charters}
        ended |= {record.index for record in view.revoked.values() if record.member in members}
        ended |= {record.index for record in view.withdrawn.values() if record.id in named}
        return self._history.notes_before(index for index in ended if index >= max(least, 1))

    def out_of_date(self, size: int, time: int) -> bytes | None:
        """The checkpoint that proves that a decision at `time` under `size` entries was out of date."""
        return self._history.proof(size, time)

    def clock_fault(self, now: int) -> str | None:
        """Why this node's clock cannot be right, by the times of those who cosigned; None: it may be."""
        ahead = self.updated - now
        if ahead <= MAX_CLOCK_AHEAD:
            return None
        return f"a quorum of members states a time {ahead} s ahead of this clock: set the clock"

    def age_fault(self, now: int) -> str | None:
        """Why nothing may be sealed by this view any more; None while it may."""
        newest = self.newest
        if newest is None or newest.latest >= now - self._guard.max_age:
            return None
        hours = (now - newest.latest) // 3600
        return f"the directory was cosigned {hours} hours ago and is too old to send by: see `cbm node doctor`"

    async def require_sending(self, recipients: Sequence[MemberId], now: int) -> None:
        """Raises Unavailable while nothing may be sent to one of these, or while the view is too old."""
        if self.newest is None:
            raise Unavailable("directory-not-witnessed", "no quorum has cosigned the directory yet: wait for it")
        fault = self.age_fault(now)
        if fault is not None:
            raise Unavailable("directory-stale", fault)
        await self._guard.require_no_hold(recipients)

    async def obey_by_hand(self) -> None:
        """Obey the revocations that reached this node by hand."""
        stored = await self._books.hand.obeyed()
        if len(stored) != self._obeyed:
            self.current = _obeying(self.current, stored)
            self._obeyed = len(stored)

    async def adopt(self, growth: Growth, shown: SignedCheckpoint, quorum: Quorum) -> None:
        """Store, then use."""
        checkpoint, start = shown.checkpoint, self.current.size
        kept = KeptCheckpoint(checkpoint.size, checkpoint.root, quorum.first, quorum.time, shown.encode())
        log = await asyncio.to_thread(growth.log)
        own = await self._guard.own()
        reports = foreign_entries(growth.raw, start, own, shown, log.tree)
        alarms = [alarm for report in reports if (alarm := await self._guard.prove(report)) is not None]
        lasting = self._history.before(_endings(log.view))
        await self._books.trust.adopt(start, growth.raw, kept, tuple(alarms), lasting)
        stored = await self._books.hand.obeyed()
        # What was obeyed by hand meanwhile stays so.
        self.current, self._obeyed, self._tree = _obeying(log.view, stored), len(stored), log.tree
        self._history.keep(kept)
        self.gossip = self._short()

    def _short(self) -> bytes | None:
        newest = self.newest
        if newest is None or newest.note is None:
            return None
        signed = parse_signed(newest.note)
        log = known_log(signed.checkpoint.origin, LOG, self.current)
        return None if log is None else signed.only(log.keys.ed25519).encode()


def _endings(view: Directory) -> frozenset[int]:
    """Where something stands that ends a key, a relay or consent."""
    records = (*view.charters[1:], *view.revoked.values(), *view.withdrawn.values())
    return frozenset(record.index for record in records)


def _obeying(view: Directory, revocations: Sequence[bytes]) -> Directory:
    for raw in revocations:
        try:
            view = obey(view, read_entry(raw))
        except KeyFault as fault:
            _log.warning("revocation.not-obeyed", why=str(fault))
    return view
