"""What the relay keeps of the audit logs of members' nodes: `AnchorStore`, part of its port.

Contract as in `port`: what changes something returns only after the change is durable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.storage.audit_port import AuditFact
from exchange.storage.log_port import AuditLeaf
from schemas.ids import Digest, MemberId


@dataclass(frozen=True, slots=True)
class HeldLog:
    """A member's log as it is held: `size` leaves, and the roots of the complete subtrees that make it up."""

    size: int
    frontier: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Growth:
    """More of a member's log that was of `before` leaves: the hashes of the new ones, the signed checkpoint over all.

    `fact` states the anchor in the audit log.
    """

    member: MemberId
    before: int
    after: HeldLog
    root: Digest
    hashes: Sequence[Digest]
    note: bytes
    time: int
    fact: AuditFact


@dataclass(frozen=True, slots=True)
class Fork:
    """A signed checkpoint that does not go on from the one that is held; `fact` states it in the audit log."""

    member: MemberId
    held: bytes
    offered: bytes
    time: int
    fact: AuditFact


class AnchorStore(Protocol):
    """Logs of members."""

    async def member_log(self, member: MemberId) -> HeldLog:
        """What is held of a member's log; nothing at first."""
        ...

    async def grow_log(self, growth: Growth) -> None:
        """Keep more of it, and say so in the audit log, all or nothing.

        Raises Unavailable (anchor-moved) when the log that is held is not of `before` leaves any more.
        """
        ...

    async def member_hashes(self, member: MemberId, start: int, limit: int) -> bytes:
        """Hashes of leaves from `start`, 32 bytes each, at most `limit` of them."""
        ...

    async def anchored_root(self, member: MemberId, size: int) -> Digest | None:
        """The root that was anchored at exactly this size."""
        ...

    async def anchor_note(self, member: MemberId) -> bytes | None:
        """The newest signed checkpoint."""
        ...

    async def anchor_leaf(self, member: MemberId, size: int) -> AuditLeaf | None:
        """The entry of the audit log for the first anchor of `size` leaves or more."""
        ...

    async def keep_fork(self, fork: Fork, most: int) -> bool:
        """Keep it with its entry; False, and nothing changes, when it is known, or `most` of this member are."""
        ...

    async def forks(self, member: MemberId) -> tuple[tuple[bytes, bytes], ...]:
        """The checkpoints that were held and offered, oldest first."""
        ...
