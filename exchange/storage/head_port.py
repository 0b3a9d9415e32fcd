"""What a node's store keeps of heads as evidence, its own and its partners'. Contract as in `node_port`."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class KeptHead:
    """A head before its envelope is stored; `sender` None: this node's own.

    Attributes:
        partner: who sent it, or to whom it goes.
        last: the last number that it names in `stream`.
        manifest: the exact bytes to which its Provision commits.
    """

    sender: str | None
    envelope: bytes
    partner: str
    stream: bytes
    last: int
    manifest: bytes


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A head with its envelope; `receipt` None: the relay has not accepted it."""

    sender: str | None
    envelope: bytes
    header: bytes
    receipt: bytes | None
    acknowledgement: bytes | None
    manifest: bytes


class HeadStore(Protocol):
    """Heads that were sent and received."""

    async def keep(self, head: KeptHead) -> None:
        """Keep what a head says, before its envelope is: one whose envelope never comes is none."""
        ...

    async def naming(self, digest: bytes, limit: int) -> tuple[StoredHead, ...]:
        """Own heads that name a header, those that were acknowledged first."""
        ...

    async def with_partner(self, partner: str, limit: int) -> tuple[StoredHead, ...]:
        """The newest in each direction, at most so many of both together; oldest first."""
        ...
