"""The node's own audit log: its tree, its checkpoints, and their anchors at the relay.

Every entry is in the store by the time that its act is done. Here it becomes a leaf of the tree, soon a checkpoint that
this node signs is over it, and at the latest ten minutes later the relay has the hashes of all leaves under that
checkpoint and its own members cosign that it has: from then on nobody changes, removes or reorders it unnoticed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from exchange.audit.tree import Tree
from exchange.errors import ExchangeError, StoreFault
from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.anchored import Agreement, hashes_of
from exchange.node.config import settings_bytes
from exchange.node.parts import Parts
from exchange.node.transport import RelayRefused, RelayUnreachable
from exchange.node.wake import wait_for
from exchange.storage.audit_port import AuditCheckpoint, AuditFact, AuditQuery
from exchange.tile_files import TileFiles
from keys.digests import sha256
from keys.errors import KeyFault
from keys.logsigner import sign_node_checkpoint
from schemas.anchor import ANCHOR, Anchor, read_anchored
from schemas.audit import AuditKind, read_entry
from schemas.canon import encode
from schemas.errors import DecodeError
from schemas.ids import Digest
from schemas.limits import MAX_ANCHORED

FOLDER: Final = Path("log") / "audit"
_LOOK_AGAIN: Final = 1.0
# Seconds between two checkpoints, between two anchors, and after an anchor that failed.
_SIGN_EVERY: Final = 10
ANCHOR_EVERY: Final = 600
_ANCHOR_AGAIN: Final = 30
_FAULT_PAUSE: Final = 10.0
_POLL: Final = 0.05
_OPERATOR: Final = "operator"
# What the operator is told when the relay refuses an anchor.
_TRIED_AGAIN: Final = "it is tried again every half a minute: ask who runs the relay when it goes on"
_OTHER_NODE: Final = "another node runs for this member, or did since this one began: stop one of them"
_WHAT_TO_DO: Final[Mapping[str, str]] = {
    "anchor-behind": _OTHER_NODE,
    "anchor-gap": "the relay has lost what it held of this log: tell who runs it, and keep this folder as it is",
    "anchor-fork": f"{_OTHER_NODE}, or somebody rewrote the log: `cbm audit verify` tells, and the relay keeps both",
}
_PAGE: Final = 4096


class AuditLog:
    """One loop. `turn` is what it does once; `ask` has it anchored at once."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        """`folder`: the node's."""
        self._parts = parts
        self._folder = folder
        self._files = TileFiles(folder / FOLDER)
        self._tree: Tree | None = None
        self._agreement = Agreement(parts)
        # Whether the relay may hold another part of the log than this node thinks.
        self._unsure = True
        self._sign_due = 0
        self._anchor_due = 0
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("audit")

    async def run(self) -> None:
        """Go on until cancelled; a fault is told, and hides nothing: every entry is in the store."""
        await self._write_start()
        try:
            while True:
                pause = _LOOK_AGAIN
                try:
                    await self.turn()
                except ExchangeError as fault:
                    pause = _FAULT_PAUSE
                    await self._tell(fault.code, fault.detail)
                except Exception as fault:  # noqa: BLE001  # whatever it is, the log goes on, from what is stored
                    pause, self._tree = _FAULT_PAUSE, None
                    await self._tell("fault", f"the audit log's loop has failed ({place_of(fault)}): report the log")
                await wait_for(self._parts.wakes.to_anchor, pause)
        finally:
            await self._write_end()

    async def _tell(self, code: str, why: str) -> None:
        """In the node's log, and as an alarm, which may fail for the same reason."""
        self._log.error("audit.fault", code=code, why=why)
        try:
            await self._alarms.tell_daily(f"audit-log:{code}", "audit-log", None, why)
        except Exception as fault:  # noqa: BLE001  # it is told in the node's log at least
            self._log.error("audit.alarm-not-written", fault=place_of(fault))

    async def _write_end(self) -> None:
        """What is still counted, and that the node stops. What fails here must not keep it from stopping."""
        try:
            await self._parts.doors.flush(whole=True)
            await self._parts.stores.audit.add((self._operated("stopped"),))
        except Exception as fault:  # noqa: BLE001  # see above
            self._log.error("audit.end-not-written", fault=place_of(fault))

    async def _write_start(self) -> None:
        """That the node has started, by which key; and by which settings, when they are not those of before."""
        stores, settings = self._parts.stores, settings_bytes(self._folder)
        facts = [self._operated("started")]
        last = await stores.audit.search(AuditQuery(kinds=(AuditKind.CONFIGURED,), newest=True), None, 1)
        before = read_entry(last[0].leaf).evidence if last and last[0].leaf is not None else None
        if before != sha256(settings):
            now = self._parts.clock.now()
            facts.append(AuditFact(AuditKind.CONFIGURED, now, _OPERATOR, reason="settings", evidence=settings))
        await stores.audit.add(tuple(facts))

    def _operated(self, reason: str) -> AuditFact:
        key = self._parts.keyring.signing.key_id
        return AuditFact(AuditKind.OPERATOR, self._parts.clock.now(), _OPERATOR, subject=key, reason=reason)

    async def turn(self) -> None:
        """Take in new entries, sign, anchor: each when it is due. Raises StoreFault."""
        now = self._parts.clock.now()
        asked = self._parts.wakes.to_anchor.is_set()
        self._parts.wakes.to_anchor.clear()
        await self._parts.doors.flush()
        tree = await self._grown()
        if tree.size and (asked or now >= self._sign_due):
            await self._sign(tree, now)
        if asked or now >= self._anchor_due:
            await self._anchor(now)

    async def _grown(self) -> Tree:
        """The tree over every entry that is stored."""
        if self._tree is None:
            self._tree = await Tree.load_hashes(self._files, self._stored(0))
            self._log.info("audit.loaded", size=self._tree.size, mended=self._tree.mended)
        else:
            async for hashes in self._stored(self._tree.size):
                await asyncio.to_thread(self._tree.append_hashes, hashes)
        return self._tree

    async def _stored(self, first: int) -> AsyncIterator[Sequence[Digest]]:
        while page := await self._parts.stores.audit.leaves(first, _PAGE):
            yield await asyncio.to_thread(hashes_of, page, first)
            first += len(page)

    async def _sign(self, tree: Tree, now: int) -> None:
        """A checkpoint over all, when there is none yet. Never one that contradicts an earlier one."""
        before = await self._parts.stores.audit_heads.newest()
        if before is not None and before.size == tree.size and before.root == tree.head:
            return
        if before is not None and (before.size > tree.size or tree.root(before.size) != before.root):
            raise StoreFault(
                "audit-log-changed",
                f"the audit log is not what this node signed at {before.size} entries: `cbm audit verify` tells where",
            )
        await self._parts.stores.audit_heads.save(await self._signed(tree.size, tree.head, now))
        self._sign_due = now + _SIGN_EVERY

    async def _anchor(self, now: int) -> None:
        """Bring the relay up to the newest checkpoint; what fails is tried again. Raises StoreFault for a fork."""
        heads, parts = self._parts.stores.audit_heads, self._parts
        newest = await heads.newest()
        known = parts.directory.current.knows(parts.member, parts.keyring.signing.key_id)
        if newest is None or newest.anchored is not None or not known:
            return
        self._anchor_due = now + _ANCHOR_AGAIN
        before = await heads.newest(anchored=True)
        first = 0 if before is None else before.size
        try:
            agreed = await self._agreement.reach(first, now) if self._unsure else first
            if agreed is None:
                self._tree, self._sign_due, self._anchor_due = None, now, now
                return
            self._unsure = False
            await self._bring(agreed, newest, now)
        except RelayRefused as refusal:
            self._unsure = True
            self._log.error("audit.anchor-refused", code=refusal.code, why=refusal.detail)
            why = f"{refusal.detail}; {_WHAT_TO_DO.get(refusal.code, _TRIED_AGAIN)}"
            await self._alarms.tell_daily(f"anchor-refused:{refusal.code}", "anchor-refused", None, why)
        except (RelayUnreachable, KeyFault, DecodeError) as fault:
            self._unsure = True
            self._log.warning("audit.not-anchored", size=newest.size, why=str(fault))
        else:
            self._anchor_due = now + ANCHOR_EVERY

    async def _bring(self, first: int, newest: AuditCheckpoint, now: int) -> None:
        """Step by step, each with a checkpoint of its own size. Raises RelayUnreachable, RelayRefused, DecodeError."""
        tree, step = await self._grown(), newest
        while first < newest.size:
            size = min(first + MAX_ANCHORED, newest.size)
            if size < newest.size:
                root = await asyncio.to_thread(tree.root, size)
                step = await self._signed(size, root, now)
            else:
                step = newest
            page = await self._parts.stores.audit.leaves(first, size - first)
            anchor = Anchor(self._parts.member, step.note, first, b"".join(hashes_of(page, first)))
            answer = read_anchored(await self._parts.relay.anchor(encode(ANCHOR, anchor)))
            if (answer.size, answer.root) != (step.size, step.root):
                raise RelayUnreachable("relay-answer", "the relay does not hold of this node's log what it was given")
            first = size
        await self._parts.stores.audit_heads.save_anchored(newest.size, now)
        self._log.info("audit.anchored", size=newest.size)

    async def _signed(self, size: int, root: Digest, now: int) -> AuditCheckpoint:
        signed = await asyncio.to_thread(sign_node_checkpoint, self._parts.keyring.signing, size, root)
        return AuditCheckpoint(size, root, signed.encode(), now)


async def anchored(parts: Parts, patience: float) -> AuditCheckpoint | None:
    """Have everything that is in the log by now anchored; the first checkpoint over it that the relay has.

    None when the relay does not have it after `patience` seconds: then the newest entries are pending.
    """
    last = await parts.stores.audit.size() - 1
    clock = asyncio.get_running_loop()
    end = clock.time() + patience
    while (covering := await parts.stores.audit_heads.covering(last)) is None and clock.time() < end:
        parts.wakes.to_anchor.set()
        await asyncio.sleep(_POLL)
    return covering
