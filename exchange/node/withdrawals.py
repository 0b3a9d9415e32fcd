"""The desk's taker of withdrawals and of holders' statements."""

from typing import ClassVar

from exchange.node.desk import Letter
from exchange.node.parts import Parts
from exchange.node.withdrawing import Withdrawer
from exchange.node.withdrawn import Withdrawn
from schemas.consent import ConsentWithdrawn, SignedStatement


class Withdrawals:
    """This state's own, and others'."""

    takes: ClassVar[tuple[type, ...]] = (ConsentWithdrawn, SignedStatement)

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self.own = Withdrawer(parts)
        self.others = Withdrawn(parts)

    async def take(self, letter: Letter, now: int) -> None:
        """See `Taker`."""
        said = letter.said
        if isinstance(said, ConsentWithdrawn):
            await self.others.told(letter.message.id, letter.sender, said, now)
        elif isinstance(said, SignedStatement):
            await self.own.stated(letter.message.id, letter.sender, said, now)

    async def turn(self, now: int) -> None:
        """See `Taker`."""
        await self.own.turn(now)
        await self.others.turn(now)
