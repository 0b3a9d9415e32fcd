"""Ministries that send what a seeded plan says, and go on until their node has it, whatever happens to the node."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from exchange.client import NodeClient, Problem, Unreachable
from tests.support.running import MEASURE, budget

PRECEDENCES = ("routine", "routine", "routine", "priority", "immediate", "flash")
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Item:
    """One message of the plan; `size`: of its attachment in bytes, 0 for none."""

    key: str
    sender: str
    to: tuple[str, ...]
    precedence: str
    size: int

    def attachment(self) -> bytes:
        """The attachment's bytes."""
        return Random(self.key).randbytes(self.size)


def plan(random: Random, members: Sequence[str], count: int) -> list[Item]:
    """`count` messages among the members; every tenth has an attachment too large for a mailbox's row."""
    items = []
    for number in range(count):
        sender = random.choice(members)
        others = [member for member in members if member != sender]
        to = tuple(sorted(random.sample(others, random.randint(1, len(others)))))
        size = random.randint(70_000, 400_000) if number % 10 == 0 else 0
        items.append(Item(f"plan-{number}", sender, to, random.choice(PRECEDENCES), size))
    return items


@dataclass(slots=True)
class Totals:
    """What the senders saw.

    Attributes:
        accepted: id of the message by key of the item.
        begun: recipients of all items that somebody has begun to send.
        repeated: requests that a ministry had to make again.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    begun: int = 0
    repeated: int = 0


async def send_all(
    node: NodeClient, items: Sequence[Item], permits: asyncio.Semaphore, totals: Totals, folder: Path
) -> None:
    """Send each when there is a permit, again and again until the node has it."""
    for item in items:
        await permits.acquire()
        totals.begun += len(item.to)
        attachments = []
        if item.size:
            path = folder / item.key
            path.write_bytes(item.attachment())
            attachments.append(path)
        totals.accepted[item.key] = await _send(node, item, attachments, totals)


async def _send(node: NodeClient, item: Item, attachments: list[Path], totals: Totals) -> str:
    while True:
        try:
            queued = await node.send(
                item.to,
                MEASURE,
                budget(item.key),
                attachments=attachments,
                precedence=item.precedence,
                idempotency_key=item.key,
            )
        except Unreachable:
            totals.repeated += 1
        except Problem as problem:
            # A node that stops answers so; anything else is a refusal and a fault of the test.
            if problem.status != 503:
                raise
            totals.repeated += 1
        else:
            return queued.id
        await asyncio.sleep(_PAUSE)
