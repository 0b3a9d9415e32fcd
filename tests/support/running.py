"""A relay and nodes as real processes, built and ready, with what a test says to them."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from exchange.client import Members, Message, NodeClient, Retry, Unreachable
from exchange.demo.processes import Processes
from exchange.demo.site import Site, build_site, free_port
from tests.support.records import example
from tests.support.waiting import PATIENCE, answered

MEASURE = "2.1.1.b"
# Fields that the node completes from the request.
_COMPLETED = ("record_id", "originators", "recipients", "copy_secretariat", "handling", "issued_at")


@asynccontextmanager
async def running(
    folder: Path, members: Sequence[str], *, delivery: dict[str, int] | None = None
) -> AsyncIterator[Processes]:
    """A relay and the nodes of these members, all of them started, each able to receive."""
    site = await build(folder, members, delivery=delivery)
    with Processes(site) as processes:
        await processes.start("relay", *members)
        await ready_to_receive(processes)
        yield processes


async def build(folder: Path, members: Sequence[str], *, delivery: dict[str, int] | None = None) -> Site:
    """A site that nothing runs on yet; its nodes try again and look for directory entries every second."""
    settings = {"retry_most": 1, "directory_every": 1, **(delivery or {})}
    return await asyncio.to_thread(build_site, folder, members, int(time.time()), free_port(), delivery=settings)


async def ready_to_receive(processes: Processes) -> None:
    """Wait until every node knows an epoch of every member."""
    for member in processes.site.members:
        async with client(processes, member) as node:

            async def ask(node: NodeClient = node) -> Members | None:
                members = await node.members()
                return members if all(row.can_receive for row in members.members) else None

            await answered(ask, f"{member} sees an epoch of every member")


def client(processes: Processes, member: str, *, attempts: int = 1) -> NodeClient:
    """A client of a member's node with a token for everything; it gives up after so many attempts."""
    site = processes.site
    patience = Retry(attempts=attempts, first_wait=0.05, longest_wait=0.2)
    return NodeClient(processes.url(member), token_file=site.token_file(member), retry=patience)


async def in_state(node: NodeClient, message_id: str, *states: str, seconds: float = PATIENCE) -> Message:
    """The message once it is in one of the states; a node that is away is asked again."""

    async def ask() -> Message | None:
        try:
            message = await node.message(message_id)
        except Unreachable:
            return None
        return message if message.summary.state in states else None

    return await answered(ask, f"message {message_id} is {' or '.join(states)}", seconds)


def budget(title: str) -> dict[str, Any]:
    """A valid record for MEASURE with this title, as a ministry hands it in."""
    record = example("defence-budget", "simplified-actual-outlay")
    for name in _COMPLETED:
        record.pop(name, None)
    record["title"] = {"en": title, "ru": title}
    return record
