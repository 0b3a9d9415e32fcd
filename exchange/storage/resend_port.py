"""What a node asks of its store about what was lost; the contract is that of `node_port`."""

from typing import Protocol

from exchange.storage.node_values import Ask, OutboxEnvelope, Place, Resent


class ResendStore(Protocol):
    """What a restore lost, and what partners lost: who is asked to send again, and what is sealed anew for whom."""

    async def lost_since(self) -> int | None:
        """When the backup was made from which this store was restored first: later ones may be lost. None: never."""
        ...

    async def asks(self, partners: tuple[str, ...]) -> tuple[Ask, ...]:
        """Who is still to be asked; after a restore, each of `partners`."""
        ...

    async def save_asked(self, member: str, now: int) -> None:
        """The request to a partner is sealed."""
        ...

    async def want(self, member: str, since: int, now: int) -> None:
        """A recipient lost what it answered at `since` or later: each such message is to be sealed for it anew.

        At most once a day for each message; what has expired becomes void as lost.
        """
        ...

    async def want_anew(self, envelope: bytes, member: str, now: int) -> None:
        """A recipient refused an envelope: once it has another epoch, the message is to be sealed for it anew."""
        ...

    async def due(self, limit: int) -> tuple[Resent, ...]:
        """What is to be sealed anew, in the order in which it was asked for."""
        ...

    async def save_resent(self, resent: Resent, envelope: OutboxEnvelope, places: tuple[Place, ...]) -> None:
        """Store the new envelope with its number; the number of the one that it replaces becomes void."""
        ...

    async def save_not_resent(self, resent: Resent, fault: str, now: int) -> None:
        """It cannot be sealed anew; the number becomes void as lost, unless it was a refusal."""
        ...
