"""What a node's store keeps about consent: the messages that wait for their effect, and the log of what happened.

Contract as in `node_port`. Whoever changes something in consent writes it down in the same transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from exchange.storage.node_values import Message


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One line of the consent log; `time` in Unix seconds, `detail` JSON without any content.

    Attributes:
        kind: a stable code, such as `request.received`.
        subject: what it is about, in hexadecimal: a request, Grant, message, draft or held act.
        member: the other state.
        official: whose token it was (ministry/token id), or `rule NAME`.
    """

    time: int
    kind: str
    subject: str
    member: str | None
    official: str | None
    detail: str
    seq: int = 0


class ConsentStore(Protocol):
    """The desk's own part of the store."""

    async def due(self, limit: int, skip: Collection[bytes] = ()) -> tuple[Message, ...]:
        """Received messages about consent whose effect has not been taken, without those in `skip` (ids).

        The oldest of each sender first, then the second of each: nobody waits for all that another has sent.
        """
        ...

    async def done(self, message: bytes, event: ConsentEvent | None) -> None:
        """A message that has no other effect is taken, and what is to be told of it is written down."""
        ...

    async def add_event(self, event: ConsentEvent) -> None:
        """Write one line of the log."""
        ...

    async def events(self, after: int, limit: int, subject: str | None = None) -> tuple[ConsentEvent, ...]:
        """Lines of the log after a sequence number, of one subject, if given."""
        ...
