"""What the relay holds of this node's audit log, against what is here: the same, or more after a restore.

A backup lacks what was done after it was made. The relay has at least the hashes of that: they take the place of the
lost entries, so that the log goes on as one, and everybody sees what is missing.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final

from exchange.errors import StoreFault
from exchange.node.parts import Parts
from exchange.storage.audit_port import AuditLeaf
from keys.checkpoint import Checkpoint, parse_signed
from keys.errors import Untrusted
from keys.merkle import Frontier
from keys.nodelog import verify_node_checkpoint
from keys.tiles import HASH, entry_hash
from schemas.ids import Digest
from schemas.limits import KIB, MAX_ANCHOR_NOTE

# What one answer of the relay may hold; it sends less.
_MAX_HASHES: Final = 256 * KIB
_PAGE: Final = 4096


class Agreement:
    """Compares, and takes back what was lost."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts

    async def reach(self, first: int, now: int) -> int | None:
        """How many leaves the relay holds that are the same here, given that it had `first` of them.

        None when lost entries have been taken back: the tree has to be built anew. Raises StoreFault when the log is
        another one than the relay's, and no restore explains it; RelayUnreachable, RelayRefused, KeyFault, DecodeError.
        """
        theirs = await self._theirs(first, now)
        ours = await self._ours(first, len(theirs))
        pairs = zip(theirs, ours, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if same == len(theirs):
            return first + same
        if not await self._restored():
            raise _older_copy(first + same, len(theirs) - same) if same == len(ours) else _another(first + same)
        await self._check_theirs(first, ours[:same], theirs, now)
        await self._parts.stores.audit.take_lost(first + same, tuple(theirs[same:]), now)
        return None

    async def _theirs(self, first: int, now: int) -> list[Digest]:
        """The relay's hashes; what it has beyond all that this node can have signed is not read to its end."""
        found = await self._read(first, [], await self._parts.stores.audit.size() - first)
        if first + len(found) > await self._parts.stores.audit.size() and await self._restored():
            return await self._read(first, found, (await self._signed(now)).size - first)
        return found

    async def _read(self, first: int, found: list[Digest], most: int) -> list[Digest]:
        """More of them, until there are none, or more than `most`."""
        while len(found) <= most:
            path = f"{self._parts.member}/hashes?from={first + len(found)}"
            data = await self._parts.relay.anchored(path, _MAX_HASHES)
            if len(data) < HASH:
                break
            found += [Digest(data[place : place + HASH]) for place in range(0, len(data) - HASH + 1, HASH)]
        return found

    async def _ours(self, first: int, count: int) -> list[Digest]:
        found: list[Digest] = []
        while len(found) < count:
            page = await self._parts.stores.audit.leaves(first + len(found), min(_PAGE, count - len(found)))
            if not page:
                break
            found += hashes_of(page, first + len(found))
        return found

    async def _restored(self) -> bool:
        """Whether this node was restored since it anchored last."""
        restored = await self._parts.stores.trust.restored()
        newest = await self._parts.stores.audit_heads.newest(anchored=True)
        return restored is not None and (newest is None or (newest.anchored or 0) <= restored[1])

    async def _signed(self, now: int) -> Checkpoint:
        """The newest of this node's checkpoints that the relay shows. Raises Untrusted, BadSignature, DecodeError."""
        parts = self._parts
        signed = parse_signed(await parts.relay.anchored(parts.member, MAX_ANCHOR_NOTE))
        return verify_node_checkpoint(signed, parts.member, parts.directory.current, now)

    async def _check_theirs(self, first: int, same: Sequence[Digest], theirs: Sequence[Digest], now: int) -> None:
        """That this node once signed the log that the relay shows. Raises Untrusted, BadSignature, DecodeError."""
        checkpoint = await self._signed(now)
        frontier = Frontier()
        for start in range(0, first, _PAGE):
            frontier = frontier.extend(await self._ours(start, min(_PAGE, first - start)))
        frontier = frontier.extend([*same, *theirs[len(same) :]])
        if (frontier.size, frontier.root) != (checkpoint.size, checkpoint.root):
            raise Untrusted("the relay shows hashes of this node's audit log that this node has not signed")


def _older_copy(ends: int, more: int) -> StoreFault:
    return StoreFault(
        "audit-log-behind",
        f"this audit log ends at entry {ends}, and the relay holds {more} more: this folder is an older copy, or"
        " another node runs for this member. Stop the other one; or back up this folder as it is (data and --keys), and"
        " have `cbm node restore` make the node's folder of that",
    )


def _another(index: int) -> StoreFault:
    return StoreFault(
        "audit-log-forked",
        f"the relay holds another entry {index} of this node's audit log: somebody has rewritten it, and"
        " `cbm audit verify` tells what; nothing is anchored until the true one is back",
    )


def hashes_of(leaves: Sequence[AuditLeaf], first: int) -> list[Digest]:
    """The hashes of entries that follow each other from `first` on. Raises StoreFault for a gap."""
    return list(_hashes(leaves, first))


def _hashes(leaves: Sequence[AuditLeaf], first: int) -> Iterator[Digest]:
    for index, leaf in enumerate(leaves, first):
        if leaf.index != index:
            raise StoreFault("audit-log-gap", f"the audit log has no entry {index}: `cbm audit verify` tells more")
        if leaf.leaf is None and len(leaf.hash or b"") != HASH:
            raise StoreFault(
                "audit-log-gap", f"entry {index} of the audit log has no hash: `cbm audit verify` tells more"
            )
        yield entry_hash(leaf.leaf) if leaf.leaf is not None else Digest(leaf.hash or b"")
