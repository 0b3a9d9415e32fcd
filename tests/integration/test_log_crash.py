"""Wherever a relay dies, what it has signed stays the beginning of what it signs later, and every acceptance is logged.

Witnesses with a memory are the judges: they refuse whatever contradicts what they have cosigned.
"""

import asyncio
import io
import itertools
import random
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from exchange import tile_files
from exchange.process import write_durably
from exchange.storage.log_port import StoredCheckpoint
from exchange.storage.relay_sqlite import SqliteRelayStore, read_holdings
from keys.checkpoint import Checkpoint, parse_signed
from keys.identity import EpochIdentity
from keys.merkle import MemoryTree, tree_root
from keys.tiles import entry_hash
from keys.witness import Seen
from schemas.canon import decode
from schemas.envelope import frame_prefix
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_RECEIPT, Receipt
from schemas.relayapi import WitnessStatus
from tests.support.cosigners import Quorum
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement
from tests.support.relay import Server, relay
from tests.support.relay_process import identity_in, process, set_up
from tests.support.waiting import until
from tests.support.witnesses import Witnesses, witnessing
from tests.support.world import Sealed, World


class KilledError(BaseException):
    """The process ends here."""


class Fuse:
    """Blows at the given durable step of a log's loop: before it happens, or right after."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int, after: bool) -> None:
        self._left = step
        self._after = after
        self.blown = False
        save = SqliteRelayStore.save_checkpoint

        def write(path: Path, data: bytes, mode: int) -> None:
            with self:
                write_durably(path, data, mode)

        async def store(engine: SqliteRelayStore, log: str, checkpoint: StoredCheckpoint) -> None:
            with self:
                await save(engine, log, checkpoint)

        monkeypatch.setattr(tile_files, "write_durably", write)
        monkeypatch.setattr(SqliteRelayStore, "save_checkpoint", store)

    def __enter__(self) -> None:
        if self.blown or (not self._after and self._left <= 0):
            self._blow()

    def __exit__(self, *_: object) -> None:
        if self._after and self._left <= 0:
            self._blow()
        self._left -= 1

    def _blow(self) -> None:
        self.blown = True
        raise KilledError


@asynccontextmanager
async def remembering(folder: Path, world: World, memory: dict[str, dict[str, Seen]]) -> AsyncIterator[Server]:
    """A relay whose witnesses know what they cosigned for the one before."""
    async with relay(folder, world, present=["KAZ"]) as server:
        for code, cosigner in server.quorum.cosigners.items():
            cosigner.seen = memory.setdefault(code, {})
        server.quorum.come_back(*server.quorum.cosigners)
        yield server


def new_epoch(world: World, number: int) -> bytes:
    key = EpochIdentity(derived("new epoch", str(number), size=96))
    statement = replace(epoch_statement("KAZ", 1, key, world.now), number=number)
    return epoch_entry(statement, world.nodes["KAZ"])


async def work(server: Server, world: World, numbers: Iterator[int]) -> None:
    """New directory entries and acceptances."""
    for number in itertools.islice(numbers, 3):
        await server.app.keeper.append(new_epoch(world, number))
        server.app.logs.directory.grew()
        await server.submit(world.envelope(["MNG"]))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(9))
async def test_a_log_that_died_at_any_step_goes_on_without_a_contradiction(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch, step: int, after: bool
) -> None:
    memory: dict[str, dict[str, Seen]] = {}
    numbers = itertools.count(9)
    async with remembering(tmp_path, world, memory) as server:
        await server.witnessed()
        await work(server, world, numbers)
        with monkeypatch.context() as patched:
            fuse = Fuse(patched, step, after)
            while not fuse.blown:
                await work(server, world, numbers)
                await asyncio.sleep(0.01)
    async with remembering(tmp_path, world, memory) as server:
        await server.witnessed()
        await work(server, world, numbers)
        await server.witnessed()
        await server.logged()
        assert_consistent(server, server.quorum)


def assert_consistent(server: Server, quorum: Quorum) -> None:
    """Everybody has cosigned the newest checkpoint of both logs, and nobody was shown an inconsistent one."""
    for log in (server.app.logs.directory, server.app.logs.audit):
        assert log.published is not None
        checkpoint = log.published.checkpoint
        assert all(c.seen[log.origin] == Seen(checkpoint.size, checkpoint.root) for c in quorum.cosigners.values())
    refused = server.app.metrics.registry.get_sample_value
    for name in ("directory", "audit"):
        assert not refused("cbm_relay_cosignatures_refused_total", {"log": name, "code": "inconsistent"})


# A real process, killed at random moments under load.

KILLS = 8


@pytest.fixture
def present() -> World:
    """A world of the present: a process has the machine's clock."""
    return World(now=int(time.time()))


async def submit(http: aiohttp.ClientSession, url: str, sealed: Sealed) -> Receipt | None:
    frame = io.BytesIO(frame_prefix(sealed.header_bytes) + sealed.header_bytes + sealed.body)
    try:
        async with http.post(url + "/v1/envelopes", data=frame) as response:
            data = await response.read()
    except (aiohttp.ClientError, OSError):
        return None
    return decode(SIGNED_RECEIPT, data, 2 * MAX_SMALL_OBJECT).receipt if response.status == 202 else None


async def publish(http: aiohttp.ClientSession, url: str, entries: Iterable[bytes]) -> None:
    for entry in entries:
        try:
            async with http.post(url + "/v1/directory", data=entry) as response:
                assert response.status == 200, await response.text()
        except (aiohttp.ClientError, OSError):
            return


async def load(http: aiohttp.ClientSession, url: str, world: World, sent: list[Receipt], stop: asyncio.Event) -> None:
    """Directory entries that are not there yet, then envelopes and more entries without end."""
    await publish(http, url, world.entries[1:])
    while not stop.is_set():
        receipt = await submit(http, url, world.envelope(["MNG"]))
        if receipt is not None:
            sent.append(receipt)
            await publish(http, url, [new_epoch(world, 9 + len(sent))])
        await asyncio.sleep(0.005)


def checkpoints(folder: Path) -> dict[str, Checkpoint]:
    """The published checkpoint of each log, as the store has it."""
    found = read_holdings(folder).logs
    return {log.name: parse_signed(log.published.note).checkpoint for log in found if log.published is not None}


def has_worked(witnesses: Witnesses, answers: int, sent: list[Receipt], count: int) -> bool:
    return len(witnesses.answers) >= answers and len(sent) >= count


def holds(witnesses: Witnesses) -> bool:
    return all(answer.status is not WitnessStatus.INCONSISTENT for answer in witnesses.answers)


async def test_a_relay_killed_at_any_moment_forks_neither_log(tmp_path: Path, present: World) -> None:
    folder = set_up(tmp_path, present, "--plain")
    settings = folder / "relay.toml"
    settings.write_text(f"checkpoint_every = 0.05\n{settings.read_text('utf-8')}", "utf-8")
    chance, sent, seen = random.Random(7), list[Receipt](), list[dict[str, Checkpoint]]()
    async with (
        aiohttp.ClientSession() as http,
        witnessing(present, identity_in(folder).keys) as witnesses,
    ):
        for turn in range(KILLS):
            with process(folder) as running:
                witnesses.url, stop = await running.url(), asyncio.Event()
                loading = asyncio.create_task(load(http, witnesses.url, present, sent, stop))
                # The first death comes soon: perhaps before anything was published at all.
                answers, grown = len(witnesses.answers) + (40 if turn else 4), len(sent) + (5 if turn else 0)
                await until(partial(has_worked, witnesses, answers, sent, grown))
                await asyncio.sleep(chance.random() * 0.1)
                await running.end(signal.SIGKILL)
                stop.set()
                await loading
            witnesses.url = None
            seen.append(checkpoints(folder))
            assert holds(witnesses)
        with process(folder) as running:
            witnesses.url = await running.url()
            assert await submit(http, witnesses.url, present.envelope(["MNG"]))
            found = read_holdings(folder)
            accepted, entries = found.accepted, found.logs[1].size
            await until(lambda: checkpoints(folder)["audit"].size >= entries)
    assert holds(witnesses)
    assert accepted > len(sent) > 0
    sizes = [receipt.directory_size for receipt in sent]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]
    await assert_prefixes(folder, seen)


async def assert_prefixes(folder: Path, seen: list[dict[str, Checkpoint]]) -> None:
    """Every checkpoint that was ever published is of the beginning of what the store holds now."""
    store = SqliteRelayStore.open(folder)
    try:
        trees = {
            "directory": MemoryTree(entry_hash(entry) for entry in await store.entries(0, 10**9)),
            "audit": MemoryTree(entry_hash(leaf) for leaf in await store.leaves(0, 10**9)),
        }
    finally:
        await store.close()
    shown = [(name, checkpoint) for found in seen for name, checkpoint in found.items()]
    assert len({checkpoint.size for _, checkpoint in shown}) > KILLS // 2
    for name, checkpoint in shown:
        assert tree_root(checkpoint.size, trees[name]) == checkpoint.root
