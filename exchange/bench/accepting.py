"""Durable acceptance by a relay process, against the rate at which the same store commits rows of the same size.

Both members cosign meanwhile, in this process: without them the relay would accept nothing.
"""

import asyncio
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp

from exchange.bench.result import Result, at_least
from exchange.clock import SystemClock
from exchange.demo.processes import START_TIMEOUT, Processes
from exchange.demo.site import PASSPHRASE, Site, build_site, free_port
from exchange.errors import Unavailable
from exchange.node.fetches import Fetches
from exchange.node.housekeeping import Housekeeper
from exchange.node.link import Link
from exchange.node.outbound import (
    NextPlace,
    Parcel,
    Terms,
    envelope_id,
    make_manifest,
    seal_header,
    seal_payload,
    sign_provision,
)
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.storage.engine import Database
from exchange.wiring.node import open_parts
from exchange.wiring.statements import installed_statement
from keys.digests import sha256
from keys.primitives import random_bytes
from schemas.content import ContentKind
from schemas.envelope import encode_header
from schemas.ids import Digest, MemberId, ProvisionId, StreamId
from schemas.limits import DAY
from schemas.relayapi import Deliver
from schemas.terms import Onward, Precedence, Purpose, Tlp

_MEMBERS: Final = ("XAA", "XAB")
_COUNT: Final = 600
_IN_FLIGHT: Final = 32
_POLL: Final = 0.05


async def accept_results() -> list[Result]:
    """One in flight, and 32: envelopes of 1 KiB to one recipient, each answered after its commit."""
    with tempfile.TemporaryDirectory(prefix="cbm-bench-") as folder:
        site = await asyncio.to_thread(build_site, Path(folder) / "site", _MEMBERS, int(time.time()), free_port())
        with Processes(site) as processes:
            await processes.start("relay")
            async with _sender(site) as parts:
                single = await _rate(_posts(parts, _COUNT // 4), 1)
                many = await _rate(_posts(parts, _COUNT), _IN_FLIGHT)
        commits_single = await _commit_rate(Path(folder) / "one.db", _COUNT // 4, 1)
        commits_many = await _commit_rate(Path(folder) / "many.db", _COUNT, _IN_FLIGHT)
    what = "envelopes accepted over HTTPS / rows committed by the store alone"
    return [
        at_least("accept-1-in-flight", single, commits_single, 0.1, "/s", what),
        at_least("accept-32-in-flight", many, commits_many, 0.1, "/s", what),
    ]


class _Cosigner(Link):
    """A node's session in which it cosigns what the relay shows, and leaves every envelope where it is."""

    async def _deliver(self, frame: Deliver, socket: aiohttp.ClientWebSocketResponse, fetches: Fetches) -> None:
        """Nothing is taken: the relay is measured, not the recipient."""


@contextlib.asynccontextmanager
async def _sender(site: Site) -> AsyncIterator[Parts]:
    """The parts of the first member's node, once all can seal to all; no node's process runs."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(_witness(site.node(member))) for member in _MEMBERS]
        deadline = time.monotonic() + START_TIMEOUT
        while not all(_is_ready(parts) for parts in nodes):
            if time.monotonic() > deadline:
                raise Unavailable("bench-directory", "the members' keys were not cosigned in time: run it again")
            await asyncio.sleep(_POLL)
        yield nodes[0]


@contextlib.asynccontextmanager
async def _witness(folder: Path) -> AsyncIterator[Parts]:
    """A node that publishes its keys, follows the directory and cosigns both logs, as the relay needs to accept."""
    parts, database = await open_parts(folder, PASSPHRASE, SystemClock())
    loops = [
        asyncio.create_task(Housekeeper(parts, installed_statement(folder)).follow()),
        asyncio.create_task(_Cosigner(parts, Receiver(parts)).run()),
    ]
    try:
        yield parts
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await parts.relay.close()
        await database.close()


def _is_ready(parts: Parts) -> bool:
    """Whether the cosigned directory that this node sees has keys of every member."""
    epochs = parts.directory.current.epochs
    return all(MemberId(member) in epochs for member in _MEMBERS)


def _posts(parts: Parts, count: int) -> list[Callable[[], Awaitable[object]]]:
    """Requests whose envelopes are sealed beforehand."""
    sealed = [_seal(parts, MemberId(_MEMBERS[1])) for _ in range(count)]
    return [partial(_post, parts, header, body) for header, body in sealed]


async def _post(parts: Parts, header: bytes, body: bytes) -> object:
    return await parts.relay.post_envelope(header, iter([body]))


def _seal(parts: Parts, recipient: MemberId) -> tuple[bytes, bytes]:
    now = parts.clock.now()
    signing, directory = parts.keyring.signing, parts.directory.current
    manifest = make_manifest((signing.owner,), ContentKind.RECORD, random_bytes(1024), (), random_bytes(32))
    terms = Terms(Onward.NONE, Purpose.STATISTICS, Tlp.GREEN, Precedence.ROUTINE)
    provision = sign_provision(
        signing, directory, ProvisionId(random_bytes(16)), (recipient,), terms, manifest, now, now + DAY
    )
    key = random_bytes(32)
    body = b"".join(seal_payload(key, directory.size, manifest, (), ()))
    parcel = Parcel(
        envelope_id(now * 1000, random_bytes(10)),
        (provision,),
        (),
        terms.purpose,
        Precedence.ROUTINE,
        now,
        now + DAY,
    )
    place = NextPlace(recipient, StreamId(random_bytes(16)), 1, Digest(bytes(32)))
    return encode_header(seal_header(signing, directory, parcel, (place,), key, len(body), sha256(body))), body


async def _rate(actions: list[Callable[[], Awaitable[object]]], in_flight: int) -> float:
    """Actions per second with so many under way."""
    waiting = iter(actions)

    async def worker() -> None:
        for action in waiting:
            await action()

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    return len(actions) / (time.perf_counter() - start)


async def _commit_rate(path: Path, count: int, in_flight: int) -> float:
    """Rows of an envelope's size per second through the same engine, with nothing else to do."""
    database = Database.open(path, "bench")
    row = random_bytes(3000)

    def insert(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO rows (data) VALUES (?)", (row,))

    try:
        return await _rate([lambda: database.write(insert)] * count, in_flight)
    finally:
        await database.close()
