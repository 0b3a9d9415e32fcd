"""What an operator decides by hand: revocations that are obeyed at once, members to whom a node sends again.

Each goes into the node's store and is seen by the node that runs on it within a second.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from exchange.clock import SystemClock
from exchange.errors import Invalid
from exchange.node.config import load_config
from exchange.storage.engine import Database
from exchange.storage.node_reading import DATABASE
from exchange.storage.node_trust import SqliteHand
from exchange.storage.trust_port import HandStore
from exchange.wiring.epochs import node_directory
from keys.directory import obey
from schemas.canon import encode
from schemas.endings import Revocation
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry

T = TypeVar("T")


def obey_revocation(folder: Path, entry: DirectoryEntry) -> Revocation:
    """Have the node in `folder` obey a revocation that the member's root has signed.

    Raises Invalid for what is none, Untrusted or BadSignature, StoreFault.
    """
    statement = entry.statement
    if not isinstance(statement, Revocation):
        raise Invalid("no-revocation", "this is no revocation: nothing else is obeyed outside of the directory")
    obey(node_directory(folder), entry)
    asyncio.run(_with_hand(folder, lambda hand: hand.obey(encode(DIRECTORY_ENTRY, entry), SystemClock().now())))
    return statement


def release_hold(folder: Path, member: str) -> bool:
    """Send to a member again; False when nothing was held back. Raises StoreFault."""
    return asyncio.run(_with_hand(folder, lambda hand: hand.release(member, SystemClock().now())))


async def _with_hand(folder: Path, job: Callable[[HandStore], Awaitable[T]]) -> T:
    load_config(folder)
    database = Database.open(folder / DATABASE, "node")
    try:
        return await job(SqliteHand(database))
    finally:
        await database.close()
