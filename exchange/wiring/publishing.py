"""Offers a statement to the relay's directory. It authenticates itself, so whoever has it may do so."""

import asyncio
import time
from pathlib import Path
from typing import Final

from exchange.clock import SystemClock
from exchange.node.config import load_config
from exchange.node.transport import RelayClient
from exchange.storage.node_reading import read_directory
from exchange.wiring.epochs import node_directory
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.primitives import random_bytes
from schemas.canon import encode
from schemas.ids import MemberId
from schemas.statement import DIRECTORY_ENTRY, DirectoryEntry

_POLL: Final = 0.1


def publish(folder: Path, entry: DirectoryEntry) -> None:
    """Offer an entry to the relay of the node in `folder`, which need not run.

    Raises RelayUnreachable, RelayRefused, StoreFault, Untrusted or Invalid.
    """
    config = load_config(folder)
    relays = node_directory(folder).charter.relays
    digests = tuple(digest for relay in relays for digest in relay.tls_digests)
    # What is offered is not signed by who offers it: the client wants an identity, and has no use for it.
    nobody = SigningIdentity.from_entropy(MemberId(config.member), random_bytes(SIGNING_ENTROPY))

    async def offer() -> None:
        client = RelayClient(config.relay_url, digests, nobody, SystemClock())
        try:
            await client.publish(encode(DIRECTORY_ENTRY, entry))
        finally:
            await client.close()

    asyncio.run(offer())


def index_of(folder: Path, entry: DirectoryEntry, seconds: float) -> int | None:
    """The entry's index in the directory that the running node has verified, waiting so long; None when it is not."""
    raw, deadline = encode(DIRECTORY_ENTRY, entry), time.monotonic() + seconds
    while True:
        entries = read_directory(folder)
        if raw in entries:
            return entries.index(raw)
        if time.monotonic() >= deadline:
            return None
        time.sleep(_POLL)
