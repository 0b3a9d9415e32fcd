"""Push over an authenticated WebSocket: who may have a session, and what comes over it in which order."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.relay.limits import SMALL_PLACES
from exchange.storage.port import SMALL_BODY
from schemas.canon import encode
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT
from schemas.relayapi import (
    ACKS,
    Acks,
    Challenge,
    Deliver,
    Notice,
    Seen,
    SeenItem,
)
from schemas.terms import Precedence
from tests.support.relay import Server, Session, relay
from tests.support.waiting import until
from tests.support.world import Sealed, World

# Everything here is routine.
PLACES = SMALL_PLACES[Precedence.ROUTINE]


@pytest.fixture
async def server(tmp_path: Path, world: World) -> AsyncIterator[Server]:
    async with relay(tmp_path, world) as running:
        yield running


def ack(server: Server, sealed: Sealed, recipient: str = "MNG") -> bytes:
    return encode(SIGNED_ACKNOWLEDGEMENT, server.world.acknowledgement(sealed, recipient))


def acks(server: Server, *items: Sealed) -> Acks:
    return Acks(tuple(ack(server, sealed) for sealed in items))


async def headers(session: Session, count: int) -> list[bytes]:
    return [(await session.receive(Deliver)).header for _ in range(count)]


async def test_what_waits_is_pushed_with_its_receipt(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    receipt = await server.submit(sealed)
    async with server.session("MNG") as session:
        assert await session.receive(Deliver) == Deliver(
            sealed.header_bytes, encode(SIGNED_RECEIPT, receipt), sealed.body
        )


async def test_what_arrives_is_pushed_at_once_to_its_recipient_only(server: Server) -> None:
    async with server.session("MNG") as session, server.session("UZB") as other:
        sealed = server.world.envelope(["MNG"])
        await server.submit(sealed)
        assert await headers(session, 1) == [sealed.header_bytes]
        later = server.world.envelope(["UZB"])
        await server.submit(later)
        assert await headers(other, 1) == [later.header_bytes]


async def test_a_flash_goes_before_an_older_routine(server: Server) -> None:
    world = server.world
    routine = [world.envelope(["MNG"]) for _ in range(3)]
    flash = world.envelope(["MNG"], core={"precedence": Precedence.FLASH})
    for sealed in (*routine, flash):
        await server.submit(sealed)
    async with server.session("MNG") as session:
        assert await headers(session, 4) == [sealed.header_bytes for sealed in (flash, *routine)]


async def test_a_large_body_is_left_to_be_fetched(server: Server) -> None:
    await server.submit(server.world.envelope(["MNG"], body=b"c" * (SMALL_BODY + 1)))
    async with server.session("MNG") as session:
        assert (await session.receive(Deliver)).body is None


async def test_no_more_than_the_window_is_under_way(server: Server) -> None:
    items = [server.world.envelope(["MNG"]) for _ in range(PLACES + 2)]
    for sealed in items:
        await server.submit(sealed)
    async with server.session("MNG") as session:
        assert await headers(session, PLACES) == [sealed.header_bytes for sealed in items[:PLACES]]
        assert await session.nothing_within(0.3)
        await session.send(acks(server, items[0]))
        assert await headers(session, 1) == [items[PLACES].header_bytes]
        # On whatever way the acknowledgement comes, it frees a place.
        assert (
            await server.request("POST", "/v1/acknowledgements", encode(ACKS, acks(server, items[1])))
        ).status == 204
        assert await headers(session, 1) == [items[PLACES + 1].header_bytes]


async def test_what_was_not_acknowledged_comes_again_in_the_next_session(server: Server) -> None:
    items = [server.world.envelope(["MNG"]) for _ in range(3)]
    for sealed in items:
        await server.submit(sealed)
    async with server.session("MNG") as session:
        await headers(session, 3)
        await session.send(acks(server, items[1]))
        await until(lambda: server.rows("notices") == 1)
    async with server.session("MNG") as session:
        assert await headers(session, 2) == [items[0].header_bytes, items[2].header_bytes]


async def test_a_notice_is_repeated_until_it_is_seen(server: Server) -> None:
    sealed = server.world.envelope(["MNG", "UZB"])
    await server.submit(sealed)
    async with server.session("KAZ") as sender:
        async with server.session("MNG") as recipient:
            await headers(recipient, 1)
            await recipient.send(acks(server, sealed))
        assert await sender.receive(Notice) == Notice((ack(server, sealed),))
    async with server.session("KAZ") as sender:
        assert await sender.receive(Notice) == Notice((ack(server, sealed),))
        await sender.send(Seen((SeenItem(sealed.header.core.id, MemberId("MNG")),)))
        await until(lambda: server.rows("notices") == 0)
        assert await sender.nothing_within(0.1)


async def test_nobody_else_can_have_a_notice_forgotten(server: Server) -> None:
    sealed = server.world.envelope(["MNG"])
    await server.submit(sealed)
    await server.request("POST", "/v1/acknowledgements", encode(ACKS, acks(server, sealed)))
    async with server.session("MNG") as other:
        await other.send(Seen((SeenItem(sealed.header.core.id, MemberId("MNG")),)))
        await other.send(Seen((SeenItem(sealed.header.core.id, MemberId("MNG")),)))
    assert server.rows("notices") == 1


async def test_a_forged_acknowledgement_in_a_session_changes_nothing_and_the_others_count(server: Server) -> None:
    first, second = (server.world.envelope(["MNG"]) for _ in range(2))
    for sealed in (first, second):
        await server.submit(sealed)
    forged = server.world.acknowledgement(first, "MNG", signer=server.world.nodes["XAA"])
    async with server.session("MNG") as session:
        await headers(session, 2)
        await session.send(Acks((encode(SIGNED_ACKNOWLEDGEMENT, forged), ack(server, second))))
        await until(lambda: server.rows("notices") == 1)
    assert server.rows("contents") == 1


async def test_a_newer_session_replaces_the_older(server: Server) -> None:
    async with server.session("MNG") as older, server.session("MNG") as newer:
        assert await older.closed() == "replaced"
        sealed = server.world.envelope(["MNG"])
        await server.submit(sealed)
        assert await headers(newer, 1) == [sealed.header_bytes]


async def test_a_frame_that_only_the_relay_sends_ends_the_session(server: Server) -> None:
    async with server.session("MNG") as session:
        await session.send(Challenge(bytes(32), server.world.relay.key_id, 1))
        assert (await session.closed()).startswith("session-frame")


async def test_garbage_ends_the_session(server: Server) -> None:
    async with server.session("MNG") as session:
        await session.socket.send_bytes(b"\x06garbage")
        assert await session.closed()


async def test_an_ended_envelope_frees_its_place_and_is_not_pushed(tmp_path: Path, world: World) -> None:
    async with relay(tmp_path, world, sweep_interval=0.02) as server:
        ending = [world.envelope(["MNG"], core={"expires": world.now + 60}) for _ in range(PLACES)]
        last = world.envelope(["MNG"], core={"expires": world.now + DAY})
        for sealed in (*ending, last):
            await server.submit(sealed)
        async with server.session("MNG") as session:
            await headers(session, PLACES)
            server.clock.time += 60
            assert await headers(session, 1) == [last.header_bytes]


async def test_a_stopping_relay_ends_its_sessions(server: Server) -> None:
    async with server.session("MNG") as session:
        reason, _ = await asyncio.gather(session.closed(), server.app.sessions.close_all("the relay stops"))
        assert reason == "the relay stops"
