"""Nothing is lost and nothing comes twice, although processes are killed while messages are under way."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from exchange.client import NodeClient
from exchange.demo.ministry import Ministry
from exchange.demo.processes import Processes
from exchange.errors import Unavailable
from exchange.storage.relay_sqlite import read_holdings
from tests.support.accounts import account, check_evidence
from tests.support.running import client, running, until
from tests.support.traffic import Item, Totals, plan, send_all

MEMBERS = ("KAZ", "MNG", "UZB", "XAA")
SEED = 20270115
MESSAGES = 300
BLOWS = 25


async def test_three_hundred_messages_under_random_kills_are_each_delivered_exactly_once(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    random = Random(SEED)
    items = plan(random, MEMBERS, MESSAGES)
    expected = {member: Counter[str]() for member in MEMBERS}
    async with running(tmp_path / "site", MEMBERS) as processes:
        kills, totals, ministries = await _exchange(processes, items, random, tmp_path)
        for item in items:
            for member in item.to:
                expected[member][totals.accepted[item.key]] += 1
        for ministry in ministries:
            assert ministry.handed_over == expected[ministry.member]
        for member in MEMBERS:
            processes.stop(member)
        await _relay_is_empty(processes)
        processes.stop("relay")
    acknowledged = 0
    for member in MEMBERS:
        books = await account(processes.site, member)
        assert books.alarms == ()
        assert books.open_streams == 0
        assert books.outcomes == {"delivered": expected[member].total()}
        assert Counter(message.id.hex() for message in books.inbox) == expected[member]
        assert {sent.message.id.hex() for sent in books.sent} == {
            totals.accepted[item.key] for item in items if item.sender == member
        }
        acknowledged += sum(check_evidence(sent, books.directory, int(time.time())) for sent in books.sent)
    delivered = sum(ministry.handed_over.total() for ministry in ministries)
    wanted = sum(len(item.to) for item in items)
    assert acknowledged == delivered == wanted
    assert kills.total() >= 20
    tell(f"sent {len(totals.accepted)} messages ({totals.repeated} requests repeated) to {wanted} recipients")
    tell(f"delivered {delivered}, acknowledged {acknowledged}, lost {wanted - delivered}, duplicates 0")
    tell(f"killed {kills.total()}: {dict(sorted(kills.items()))}")


async def _exchange(
    processes: Processes, items: Sequence[Item], random: Random, folder: Path
) -> tuple[Counter[str], Totals, list[Ministry]]:
    """Send, listen and kill until everything is delivered, or the deadline has passed."""
    clients = {member: client(processes, member) for member in MEMBERS}
    ministries = [Ministry(member, clients[member]) for member in MEMBERS]
    permits, totals = asyncio.Semaphore(0), Totals({})
    for node in clients.values():
        await node.__aenter__()
    listening = [asyncio.create_task(ministry.listen()) for ministry in ministries]
    try:
        async with asyncio.TaskGroup() as group:
            for member in MEMBERS:
                mine = [item for item in items if item.sender == member]
                group.create_task(send_all(clients[member], mine, permits, totals, folder))
            kills = await _kill(processes, random, permits, ministries)
        await _all_delivered(clients, ministries, items)
    finally:
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        for node in clients.values():
            await node.__aexit__(None, None, None)
    return kills, totals, ministries


async def _kill(
    processes: Processes, random: Random, permits: asyncio.Semaphore, ministries: Sequence[Ministry]
) -> Counter[str]:
    """Let a batch go, kill one or two processes while it is under way, restart them at once; many times."""
    kills: Counter[str] = Counter()
    names = ("relay", *MEMBERS)
    for blow in range(BLOWS):
        before = sum(ministry.handed_over.total() for ministry in ministries)
        for _ in range(MESSAGES // BLOWS):
            permits.release()

        async def moving(before: int = before) -> bool | None:
            return sum(ministry.handed_over.total() for ministry in ministries) > before or None

        await until(moving, "traffic goes on")
        # Chance decides where in the batch the blow falls.
        await asyncio.sleep(random.uniform(0, 0.2))
        victims = random.sample(names, random.choice((1, 1, 1, 2)))
        for name in victims:
            processes.kill(name)
            processes.launch(name)
            kills[name] += 1
        if blow % 4:
            # The other times the next blow may meet processes that are still starting.
            for name in victims:
                await _up(processes, name)
    for name in names:
        await _up(processes, name)
    return kills


async def _up(processes: Processes, name: str) -> None:
    """Wait for a process; once more from the start when somebody took its port meanwhile."""
    try:
        await processes.wait_ready(name)
    except Unavailable:
        processes.launch(name)
        await processes.wait_ready(name)


async def _all_delivered(clients: dict[str, NodeClient], ministries: Sequence[Ministry], items: Sequence[Item]) -> None:
    wanted = sum(len(item.to) for item in items)

    async def ask() -> bool | None:
        if sum(ministry.handed_over.total() for ministry in ministries) < wanted:
            return None
        for node in clients.values():
            async for row in node.messages("outbox"):
                if row.state != "delivered":
                    return None
        return True

    await until(ask, "every message is delivered and acknowledged")


async def _relay_is_empty(processes: Processes) -> None:
    """No mailbox, no ciphertext: neither a row nor a file."""
    relay = processes.site.relay

    async def ask() -> bool | None:
        holdings = read_holdings(relay)
        return (holdings.held == 0 and not holdings.mailboxes and not list((relay / "bodies").iterdir())) or None

    await until(ask, "the relay holds nothing any more", 10)
    assert read_holdings(relay).accepted == MESSAGES
