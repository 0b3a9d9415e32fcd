"""What a node's store keeps of refused transfers of what its state provides. Contract as in `node_port`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Alarm


@dataclass(frozen=True, slots=True)
class StoredRefusal:
    """One notice of a refused transfer, verified; times are Unix seconds.

    Attributes:
        digest: of the header; with `source` it names the notice.
        source: who refused: `relay`, or a member's code.
        sender, recipients: of the transfer.
        provisions: digests of this state's own Provisions in the header.
        time: when it was refused, as the source says; `received`: when it was told here.
        judgement: what this node's own judgement says of it.
    """

    digest: bytes
    source: str
    sender: str
    recipients: tuple[str, ...]
    provisions: tuple[bytes, ...]
    rule: str
    header: bytes
    receipt: bytes | None
    time: int
    received: int
    judgement: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class RefusedBounds:
    """What is kept at most: notices about one sender in a day, bytes of one sender's headers in all."""

    daily: int
    sender_bytes: int


class Saved(StrEnum):
    """What became of a notice."""

    NEW = "new"
    KNOWN = "known"
    FULL = "full"


class RefusedStore(Protocol):
    """Evidence about refused transfers."""

    async def save(
        self, row: StoredRefusal, alarm: Alarm, event: ConsentEvent, bounds: RefusedBounds, due: bytes | None
    ) -> Saved:
        """Keep a notice, raise its alarm unless the fact was told, and write it down; unless it is known, or too much.

        `due`: the received message that brought it; it is taken in any case, and one that was taken before changes
        nothing.
        """
        ...

    async def refused(self, after: int, limit: int) -> tuple[StoredRefusal, ...]:
        """Notices after a sequence number, in the order in which they came."""
        ...
