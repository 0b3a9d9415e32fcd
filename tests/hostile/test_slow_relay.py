"""Attacks by a relay that takes its time: it drips, it stops to read, it never answers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from exchange.clock import SetClock
from exchange.node.transport import RelayClient, RelayUnreachable
from schemas.receipt import SignedReceipt
from tests.support.hostile_relay import HostileRelay, Line
from tests.support.node import TestNode, sealed_by
from tests.support.waiting import until
from tests.support.world import World


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.node.patience.PATIENCE", 0.3)


@asynccontextmanager
async def dripping(world: World, member: str) -> AsyncIterator[RelayClient]:
    """Every answer is endless, a byte at a time; of an upload nothing is read."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readuntil(b"\r\n\r\n")
            if line.startswith(b"POST"):
                await asyncio.sleep(60)
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"1\r\n\0\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = RelayClient(f"http://127.0.0.1:{port}", (), world.nodes[member], SetClock(world.now))
    try:
        yield client
    finally:
        await client.close()
        server.close()


async def test_an_answer_that_drips_ends(world: World) -> None:
    async with asyncio.timeout(20), dripping(world, "MNG") as client:
        for ask in (client.directory(0), client.mailbox(), client.session()):
            with pytest.raises(RelayUnreachable):
                await ask


async def test_an_upload_that_the_relay_stops_reading_ends(world: World) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(65_536)

    async with asyncio.timeout(20), dripping(world, "KAZ") as client:
        with pytest.raises(RelayUnreachable, match="not in time"):
            await client.post_envelope(b"header", endless())


async def test_a_body_that_drips_is_put_off_and_leaves_no_file(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    data = b"m" * 200_000
    manifest = world.manifest(("KAZ",), attachments=(world.attachment(data),))
    relay.accept(sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data))
    async with asyncio.timeout(20), dripping(world, "MNG") as client:
        mng.parts.relay.body = client.body  # type: ignore[method-assign]  # that of a relay that drips
        await mng.pull()
    assert (relay.acknowledged, mng.inbox(), mng.files()) == ([], [], [])


async def test_missing_numbers_are_noticed_while_the_directory_drips(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    kept_back, arrived = sealed_by(world, "KAZ", ("MNG",)), sealed_by(world, "KAZ", ("MNG",))
    assert kept_back.digest != arrived.digest
    relay.accept(arrived)
    await mng.pull()
    mng.clock.time += 1000
    async with asyncio.timeout(20), dripping(world, "MNG") as client:
        mng.parts.relay.directory = client.directory  # type: ignore[method-assign]  # that of a relay that drips
        following = asyncio.create_task(mng.housekeeper.follow())
        await mng.housekeeper.tick()
        assert mng.alarms() == ["missing"]
        await until(lambda: mng.housekeeper.directory_fault is not None)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


class Hanging(Line):
    """Takes the routine for ever, and answers what is urgent."""

    hanging = 0

    async def post_envelope(self, header: bytes, body: Iterator[bytes]) -> SignedReceipt:
        if self.hanging < 10:
            self.hanging += 1
            await asyncio.Event().wait()
        return await super().post_envelope(header, body)


async def test_uploads_that_hang_leave_places_for_a_flash_and_expire_in_time(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    kaz.parts.relay.__class__ = Hanging
    for _ in range(20):
        await kaz.write(["MNG"], expires="60s")
    await kaz.sealer.seal_due()
    running = asyncio.create_task(kaz.sender.run())
    try:
        await until(lambda: getattr(kaz.parts.relay, "hanging", 0) == 10)
        flash = await kaz.write(["MNG"], precedence="flash")
        await kaz.sealer.seal_due()
        await until(lambda: states(kaz).get(flash) == "accepted")
        assert list(states(kaz).values()).count("sealed") == 20
        kaz.clock.time += 60
        # Those that never got a place say so.
        await until(lambda: list(states(kaz).values()).count("expired") == 10)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def states(target: TestNode) -> dict[bytes, str]:
    return {row["id"]: row["state"] for row in target.rows("messages")}
