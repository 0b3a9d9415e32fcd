"""Attacks on everybody's places at the relay: what one takes, the others still have."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from exchange.relay.limits import LARGE_PLACES, MAX_ADDRESS_HANDSHAKES, SMALL_PLACES, UNANSWERED
from exchange.storage.port import SMALL_BODY
from schemas.envelope import frame_prefix
from schemas.relayapi import Challenge, Deliver, Welcome
from schemas.terms import Precedence
from tests.support.attacks import relay_facts
from tests.support.relay import Answer, Server, Session, relay
from tests.support.waiting import until_async
from tests.support.world import Sealed, World

ELSEWHERE = "127.0.0.2"
"""An address of this machine that is not the one from which tests speak."""

LARGE = b"c" * (SMALL_BODY + 1)


@asynccontextmanager
async def from_elsewhere(server: Server) -> AsyncIterator[Server]:
    """The same relay, spoken to from another address."""
    connector = aiohttp.TCPConnector(local_addr=(ELSEWHERE, 0), limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Server(server.url, server.world, server.app, http, server.folder, server.tls)


def frame(sealed: Sealed) -> bytes:
    return frame_prefix(sealed.header_bytes) + sealed.header_bytes + sealed.body


async def without_end(sent: bytes) -> AsyncIterator[bytes]:
    """A request that stops here and stays open."""
    yield sent
    await asyncio.Event().wait()


@asynccontextmanager
async def held_open(server: Server, sent: bytes, count: int) -> AsyncIterator[list[asyncio.Task[Answer]]]:
    """So many uploads that stop after `sent`."""
    tasks = [asyncio.create_task(server.request("POST", "/v1/envelopes", without_end(sent))) for _ in range(count)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def is_busy(server: Server, code: str) -> bool:
    return (await server.request("POST", "/v1/envelopes", b"")).code == code


async def pushed(session: Session, count: int) -> list[Deliver]:
    return [await session.receive(Deliver) for _ in range(count)]


class TestPlacesOfASession:
    async def test_large_routine_bodies_that_nobody_fetches_do_not_keep_a_flash_waiting(
        self, world: World, server: Server
    ) -> None:
        for _ in range(LARGE_PLACES[Precedence.FLASH] + 1):
            await server.submit(world.envelope(["MNG"], "UZB", body=LARGE))
        async with server.session("MNG") as session:
            got = await pushed(session, LARGE_PLACES[Precedence.ROUTINE])
            assert {item.body for item in got} == {None}
            for body in (b"small", LARGE):
                flash = world.envelope(["MNG"], "KAZ", body=body, core={"precedence": Precedence.FLASH})
                await server.submit(flash)
                assert (await session.receive(Deliver)).header == flash.header_bytes
            # Nor a routine message that is small.
            small = world.envelope(["MNG"], "KAZ")
            await server.submit(small)
            assert (await session.receive(Deliver)).header == small.header_bytes

    async def test_routine_messages_that_nobody_answers_do_not_keep_a_flash_waiting(
        self, world: World, server: Server
    ) -> None:
        for _ in range(SMALL_PLACES[Precedence.FLASH] + 1):
            await server.submit(world.envelope(["MNG"], "UZB"))
        async with server.session("MNG") as session:
            await pushed(session, SMALL_PLACES[Precedence.ROUTINE])
            flash = world.envelope(["MNG"], "KAZ", core={"precedence": Precedence.FLASH})
            await server.submit(flash)
            assert (await session.receive(Deliver)).header == flash.header_bytes

    async def test_flash_messages_that_are_put_off_for_ever_give_up_their_places(
        self, world: World, server: Server
    ) -> None:
        poison = [world.envelope(["MNG"], "UZB", core={"precedence": Precedence.FLASH}) for _ in range(64)]
        for sealed in poison:
            await server.submit(sealed)
        async with server.session("MNG") as session:
            places = SMALL_PLACES[Precedence.FLASH]
            await pushed(session, places)
            server.clock.time += UNANSWERED
            genuine = world.envelope(["MNG"], "KAZ")
            await server.submit(genuine)
            got = {item.header for item in await pushed(session, len(poison) - places + 1)}
            assert genuine.header_bytes in got


class TestPlacesOfUploads:
    async def test_silent_strangers_take_the_places_of_their_own_address_only(
        self, tmp_path: Path, world: World
    ) -> None:
        limits = {"max_uploads": 4, "max_address_uploads": 2}
        async with (
            relay(tmp_path, world, limits=limits) as server,
            from_elsewhere(server) as strangers,
            held_open(strangers, b"\x00", 2),
        ):
            await until_async(lambda: is_busy(strangers, "uploads-busy"))
            await server.submit(world.envelope(["MNG"]))

    @pytest.mark.parametrize("size", [200, len(LARGE)])
    async def test_replays_of_an_accepted_header_are_answered_and_take_no_place(
        self, tmp_path: Path, world: World, size: int
    ) -> None:
        """Every recipient has the header: without its body it must not keep its sender from the relay."""
        limits = {"max_uploads": 4, "max_address_uploads": 2, "max_member_uploads": 1}
        async with relay(tmp_path, world, limits=limits) as server, from_elsewhere(server) as thief:
            sealed = world.envelope(["MNG"], body=b"c" * size)
            receipt = await server.submit(sealed)
            before = relay_facts(server)
            for _ in range(6):
                async with held_open(thief, frame(sealed)[: -size + 1], 1) as (replay,):
                    answer = await replay
                    assert (answer.status, len(answer.body) > 0) == (202, True)
            assert await server.submit(sealed) == receipt
            assert relay_facts(server) == before

    async def test_a_member_s_slow_small_bodies_leave_places_to_the_others(self, tmp_path: Path, world: World) -> None:
        async with relay(tmp_path, world, limits={"max_uploads": 4, "max_member_uploads": 2}) as server:
            slow = [world.envelope(["MNG"], "UZB") for _ in range(3)]
            async with AsyncExitStack() as stack:
                for sealed in slow[:2]:
                    await stack.enter_async_context(held_open(server, frame(sealed)[:-1], 1))

                async def full() -> bool:
                    answer = await server.post(slow[2], b"")
                    return (answer.status, answer.code) == (429, "member-uploads-busy")

                await until_async(full)
                await server.submit(world.envelope(["MNG"], "KAZ"))
            assert server.rows("envelopes") == 1

    async def test_sessions_of_strangers_take_the_places_of_their_own_address_only(self, server: Server) -> None:
        async with from_elsewhere(server) as strangers, AsyncExitStack() as open_ones:
            for _ in range(MAX_ADDRESS_HANDSHAKES):
                session = await open_ones.enter_async_context(strangers.connection())
                await session.receive(Challenge)
            answer = await strangers.request("GET", "/v1/session")
            assert (answer.status, answer.code) == (503, "sessions-busy")
            async with server.session("MNG"):
                pass

    async def test_a_session_that_has_proved_itself_takes_no_newcomer_s_place(
        self, tmp_path: Path, world: World
    ) -> None:
        async with (
            relay(tmp_path, world, limits={"max_handshakes": 1}) as server,
            server.session("MNG"),
            server.connection() as second,
        ):
            challenge = await second.receive(Challenge)
            assert (await server.request("GET", "/v1/session")).code == "sessions-busy"
            proof, _ = world.session("UZB", challenge.nonce)
            await second.send(proof)
            await second.receive(Welcome)
            async with server.session("KAZ"):
                pass
