"""Witnesses that are no members' nodes, over the protocol that existing witness software speaks (C2SP tlog-witness)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from exchange.errors import Invalid
from exchange.relay.limits import WITNESS_BYTES
from keys.checkpoint import LogKeys, SignedCheckpoint, parse_signed
from keys.cosign import cosign, cosigned_at
from keys.note import KeyType, NoteKey, encode_lines
from keys.primitives import ed25519_public, ed25519_sign, mldsa44_public, mldsa44_sign
from keys.quorum import origin_of, verify_cosigned
from keys.witness import SIZE_TYPE, Cosign, Seen, encode_size, judge, parse_request
from tests.support.entropy import derived
from tests.support.relay import Server, relay
from tests.support.waiting import until
from tests.support.world import World

NAME = "witness.example/w1"
ED25519, MLDSA44 = derived("foreign", "ed25519"), derived("foreign", "mldsa44")
KEYS = (
    NoteKey(NAME, KeyType.COSIGNATURE_ED25519, ed25519_public(ED25519)),
    NoteKey(NAME, KeyType.COSIGNATURE_MLDSA44, mldsa44_public(MLDSA44)),
)
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Foreign:
    """A witness that knows the world's logs; `answer` may replace what it does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seen: dict[str, Seen] = {}
        self.url = ""
        self.asked = 0
        self.answer: Answer = self.honest

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        return await self.answer(request)

    async def honest(self, request: web.Request) -> web.StreamResponse:
        asked = parse_request(await request.read())
        origin = asked.signed.checkpoint.origin
        known = {origin_of(log, self._world.relay.key_id) for log in ("directory", "audit")}
        log = LogKeys.of(origin, self._world.relay.public)
        verdict = judge(asked, (log.ed25519, log.mldsa65) if origin in known else (), self.seen.get(origin, Seen()))
        if not isinstance(verdict, Cosign):
            body = b"" if verdict.size is None else encode_size(verdict.size)
            return web.Response(status=verdict.status.value, body=body, content_type=SIZE_TYPE)
        self.seen[origin] = verdict.seen
        checkpoint, now = asked.signed.checkpoint, self._world.now
        lines = (
            cosign(checkpoint, KEYS[0], now, lambda message: ed25519_sign(ED25519, message)),
            cosign(checkpoint, KEYS[1], now, lambda message: mldsa44_sign(MLDSA44, message)),
        )
        return web.Response(body=encode_lines(lines))


@pytest.fixture
async def foreign(world: World) -> AsyncIterator[Foreign]:
    made = Foreign(world)
    app = web.Application()
    app.router.add_post("/prefix/add-checkpoint", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/prefix/"
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def watched(folder: Path, world: World, foreign: Foreign, *present: str) -> AsyncIterator[Server]:
    """A relay that asks the foreign witness too; of the members' nodes those that are `present`, or all."""
    witnesses = [{"url": foreign.url, "keys": [key.vkey for key in KEYS]}]
    async with relay(folder, world, None, present or None, witnesses=witnesses) as server:
        yield server


def newest(server: Server) -> SignedCheckpoint | None:
    published = server.app.logs.directory.published
    return None if published is None else parse_signed(published.note)


def cosigned(server: Server) -> bool:
    """Whether both lines of the foreign witness are in the newest note."""
    signed = newest(server)
    return signed is not None and all(cosigned_at(signed, key) == server.world.now for key in KEYS)


async def test_its_cosignatures_stand_beside_the_members(tmp_path: Path, world: World, foreign: Foreign) -> None:
    async with watched(tmp_path, world, foreign) as server:
        await until(lambda: cosigned(server))
        signed = newest(server)
        assert signed is not None
        _, quorum = verify_cosigned(signed, "directory", world.directory)
        assert len(quorum.times) == 4


async def test_it_counts_for_no_quorum(tmp_path: Path, world: World, foreign: Foreign) -> None:
    async with watched(tmp_path, world, foreign, "KAZ", "MNG") as server:
        await until(lambda: foreign.seen != {})
        assert (await server.post(world.envelope(["MNG"]))).code == "directory-not-witnessed"
        assert newest(server) is None
        server.quorum.come_back("UZB")
        await until(lambda: cosigned(server))


async def test_one_that_has_seen_the_log_before_is_asked_from_there(
    tmp_path: Path, world: World, foreign: Foreign
) -> None:
    async with watched(tmp_path, world, foreign) as server:
        await until(lambda: cosigned(server))
    asked = foreign.asked
    async with watched(tmp_path, world, foreign) as server:
        await until(lambda: foreign.asked == asked + 2 and cosigned(server))


async def never(_request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def endless(request: web.Request) -> web.StreamResponse:
    stream = web.StreamResponse()
    await stream.prepare(request)
    while True:
        await stream.write(b"x" * WITNESS_BYTES)


async def garbage(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"\x00\xff garbage")


async def no_size(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=409, body=b"many\n")


async def elsewhere(request: web.Request) -> web.StreamResponse:
    raise web.HTTPTemporaryRedirect(str(request.url))


async def broken(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, body=b"internal")


async def teapot(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=418)


@pytest.mark.parametrize("answer", [never, endless, garbage, no_size, elsewhere, broken, teapot])
async def test_one_that_misbehaves_delays_and_changes_nothing(
    tmp_path: Path, world: World, foreign: Foreign, answer: Answer
) -> None:
    foreign.answer = answer
    async with watched(tmp_path, world, foreign) as server:
        await server.witnessed()
        await server.submit(world.envelope(["MNG"]))
        await server.logged()
        await until(lambda: foreign.asked >= 2)
        signed = newest(server)
        assert signed is not None
        assert all(not line.by(key) for line in signed.signatures for key in KEYS)


async def test_one_that_cannot_be_reached_delays_nothing(tmp_path: Path, world: World) -> None:
    gone = Foreign(world)
    gone.url = "http://127.0.0.1:9/"
    async with watched(tmp_path, world, gone) as server:
        await server.submit(world.envelope(["MNG"]))
        await server.logged()


@pytest.mark.parametrize(
    "key",
    [
        "no key",
        NoteKey(NAME, KeyType.ED25519, ed25519_public(ED25519)).vkey,
        KEYS[0].vkey.replace("w1", "w2"),
    ],
)
async def test_a_key_that_is_none_for_cosignatures_is_refused_at_the_start(
    tmp_path: Path, world: World, key: str
) -> None:
    with pytest.raises(Invalid) as refused:
        async with relay(tmp_path, world, witnesses=[{"url": "http://127.0.0.1:9", "keys": [key]}]):
            raise AssertionError("it serves")
    assert refused.value.code == "bad-config"
