"""What a node's store keeps of openings, its own officials' and others'. Contract as in `node_port`."""

from dataclasses import dataclass
from typing import Protocol

from exchange.storage.node_values import Message


@dataclass(frozen=True, slots=True)
class DueOpening:
    """A received message that was opened in the hour from `opened` on; its sender is told at `due` or later."""

    message: bytes
    sender: str
    envelope: bytes
    header_digest: bytes
    opened: int
    due: int


@dataclass(frozen=True, slots=True)
class StoredOpening:
    """What a reader's node said of one of this node's envelopes, exact bytes."""

    envelope: bytes
    reader: str
    signed: bytes


class OpeningStore(Protocol):
    """Openings to be told, and those that were told here."""

    async def noted(self, message: bytes) -> bool:
        """Whether this message was opened before."""
        ...

    async def note(self, opening: DueOpening) -> None:
        """The first opening of a message counts."""
        ...

    async def due(self, now: int, limit: int) -> tuple[DueOpening, ...]:
        """Those whose time has come, by sender."""
        ...

    async def tell(self, messages: tuple[bytes, ...], outgoing: Message) -> None:
        """These are told by a message, which is queued; those that were told before stay as they are."""
        ...

    async def take(self, due: bytes, openings: tuple[StoredOpening, ...]) -> None:
        """Keep what a received message says; the first of each envelope and reader counts."""
        ...

    async def of_envelope(self, envelope: bytes) -> tuple[StoredOpening, ...]:
        """What was said of an envelope of this node's own, by reader."""
        ...
