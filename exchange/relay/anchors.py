"""Takes in anchors: the heads of members' own logs, with the hashes of their leaves."""

import asyncio
from functools import partial

from exchange.audit.anchored import Forked, check_known, grown
from exchange.clock import Clock
from exchange.errors import Forbidden
from exchange.relay.admission import AnchorQuota
from exchange.relay.journal import Journal
from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.limits import ANCHOR_AT_ONCE, ANCHOR_LEAST, ANCHOR_RATE, MAX_FORKS
from exchange.storage.anchor_port import AnchorStore, Fork, Growth, HeldLog
from exchange.storage.audit_port import AuditFact
from keys.checkpoint import Checkpoint, parse_signed
from keys.merkle import Frontier
from keys.nodelog import verify_node_checkpoint
from keys.tiles import HASH
from schemas.anchor import Anchor, Anchored, read_anchor
from schemas.audit import AuditKind
from schemas.ids import Digest, MemberId


class Anchors:
    """Members' logs, as the relay holds them."""

    def __init__(self, store: AnchorStore, keeper: DirectoryKeeper, clock: Clock, journal: Journal) -> None:
        """`take` writes."""
        self._store = store
        self._keeper = keeper
        self._clock = clock
        self._journal = journal
        self._quota = AnchorQuota(ANCHOR_RATE, ANCHOR_AT_ONCE)

    async def take(self, member: MemberId, raw: bytes) -> Anchored:
        """An anchor in a request that this member signed; how far its log is held then.

        Raises DecodeError, KeyFault, Forbidden, TooMany, Invalid, Conflict, or Unavailable (anchor-moved).
        """
        anchor = read_anchor(raw)
        if anchor.member != member:
            raise Forbidden("not-own-log", "a node anchors the log of its own member")
        self._quota.take(member, max(len(anchor.leaves), ANCHOR_LEAST), asyncio.get_running_loop().time())
        now = self._clock.now()
        signed = parse_signed(anchor.checkpoint)
        verify = partial(verify_node_checkpoint, signed, member, self._keeper.current, now)
        checkpoint = await asyncio.to_thread(verify)
        held = await self._store.member_log(member)
        try:
            after = await self._grown(anchor, checkpoint, Frontier(held.size, held.frontier))
        except Forked:
            await self._keep(anchor, now)
            raise
        if after.size > held.size:
            await self._store.grow_log(_growth(anchor, after, held.size, now))
            self._journal.grew()
        return Anchored(after.size, after.root)

    async def _grown(self, anchor: Anchor, checkpoint: Checkpoint, held: Frontier) -> Frontier:
        check_known(await self._store.anchored_root(anchor.member, checkpoint.size), checkpoint)
        shared = max(0, min(held.size - anchor.first, len(anchor.leaves)))
        stored = await self._store.member_hashes(anchor.member, anchor.first, shared) if shared else b""
        overlap = [Digest(stored[place : place + HASH]) for place in range(0, len(stored), HASH)]
        return await asyncio.to_thread(grown, held, anchor, checkpoint, overlap)

    async def _keep(self, anchor: Anchor, now: int) -> None:
        note = await self._store.anchor_note(anchor.member)
        fact = AuditFact(AuditKind.ALARM, now, member=anchor.member, reason="anchor-fork", evidence=anchor.checkpoint)
        if await self._store.keep_fork(Fork(anchor.member, note or b"", anchor.checkpoint, now, fact), MAX_FORKS):
            self._journal.grew()


def _growth(anchor: Anchor, after: Frontier, before: int, now: int) -> Growth:
    root = after.root
    fact = AuditFact(
        AuditKind.ANCHORED,
        now,
        member=anchor.member,
        subject=root,
        evidence=anchor.checkpoint,
        count=after.size,
    )
    return Growth(
        member=anchor.member,
        before=before,
        after=HeldLog(after.size, after.hashes),
        root=root,
        hashes=anchor.leaves[before - anchor.first :],
        note=anchor.checkpoint,
        time=now,
        fact=fact,
    )
