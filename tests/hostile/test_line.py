"""Attacks on the line to the relay by who answers there: elsewhere, without TLS, in floods, cut in the middle."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from exchange.clock import SetClock
from exchange.errors import ExchangeError
from exchange.node.tls import PinnedCertificates
from exchange.node.transport import RelayClient, RelayUnreachable
from keys.digests import sha256
from schemas.canon import encode
from schemas.envelope import Header, encode_header
from schemas.receipt import SIGNED_RECEIPT
from schemas.relayapi import WINDOW, Deliver, encode_frame
from schemas.terms import Precedence
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode, manifest_of, sealed_by
from tests.support.waiting import until
from tests.support.world import Sealed, World

LARGE = b"m" * 70_000
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Bodies(dict[str, Answer]):
    """Serves bodies by path; those that it does not have never come."""

    def __init__(self, hostile: HostileServer) -> None:
        super().__init__()
        self.asked: list[str] = []
        hostile.http = self

    def serve(self, sealed: Sealed) -> None:
        async def answer(_request: web.Request) -> web.StreamResponse:
            return web.Response(body=sealed.body)

        self[path_of(sealed)] = answer

    def get(self, path: str, default: Any = None) -> Any:  # noqa: ANN401 - as dict.get
        if not path.startswith("/v1/bodies/"):
            return default
        self.asked.append(path)
        return super().get(path, never)


async def never(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.sleep(60)
    return response


def path_of(sealed: Sealed) -> str:
    core = sealed.header.core
    return f"/v1/bodies/{core.sender}/{core.id.hex()}"


def large(world: World, precedence: Precedence = Precedence.ROUTINE) -> Sealed:
    manifest = manifest_of(world, attachments=(world.attachment(LARGE),))
    return sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=LARGE, core={"precedence": precedence})


def deliver(world: World, sealed: Sealed) -> bytes:
    return encode_frame(Deliver(sealed.header_bytes, encode(SIGNED_RECEIPT, world.receipt(sealed)), None))


async def test_a_redirect_of_the_session_is_not_followed(world: World) -> None:
    """It would leave TLS, and make the node knock at any address of its own network."""
    reached: list[str] = []

    async def inside(request: web.Request) -> web.StreamResponse:
        reached.append(request.path)
        return web.Response()

    internal = web.Application()
    internal.router.add_get("/{path:.*}", inside)
    async with TestServer(internal, host="127.0.0.1") as elsewhere:

        async def redirect(_request: web.Request) -> web.StreamResponse:
            raise web.HTTPFound(elsewhere.make_url("/internal"))

        app = web.Application()
        app.router.add_get("/{path:.*}", redirect)
        async with TestServer(app, host="127.0.0.1") as server:
            client = RelayClient(str(server.make_url("")), (), world.nodes["MNG"], SetClock(world.now))
            for ask in (client.session(), client.directory(0), client.mailbox()):
                with pytest.raises(RelayUnreachable, match="redirects are not followed"):
                    await ask
            await client.close()
    assert reached == []


async def test_a_connection_that_has_no_tunnel_any_more_is_a_relay_out_of_reach(world: World) -> None:
    """The relay answers the handshake and cuts the connection in the same moment."""
    closed: list[bool] = []

    async def close() -> None:
        closed.append(True)

    async def connect(*_: object, **__: object) -> object:
        return SimpleNamespace(get_extra_info=lambda _: None, close=close)

    client = RelayClient("https://127.0.0.1:1", (sha256(b"certificate"),), world.nodes["MNG"], SetClock(world.now))
    client._session = SimpleNamespace(ws_connect=connect)  # type: ignore[assignment]  # only what is used
    with pytest.raises(RelayUnreachable):
        await client.session()
    assert closed == [True]


def test_a_certificate_that_cannot_be_seen_is_none() -> None:
    gone: Any = SimpleNamespace(get_extra_info=lambda _: None)
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        PinnedCertificates((sha256(b"certificate"),)).check(gone)


class TestFlood:
    """Large envelopes pushed without their bodies, as many as there are."""

    async def test_headers_that_nobody_signed_are_not_queued(
        self, world: World, hostile: HostileServer, wired: TestNode
    ) -> None:
        bodies = Bodies(hostile)
        true = large(world)
        forged = Header(true.header.core_bytes, true.header.wraps_bytes, bytes(64))
        sealed = replace(true, header_bytes=encode_header(forged))

        async def script(socket: web.WebSocketResponse) -> None:
            for _ in range(50):
                await socket.send_bytes(deliver(world, sealed))
            await until(lambda: "header-signature" in wired.alarms())

        hostile.script = script
        with pytest.raises(ExchangeError):
            await wired.link._session()
        assert (bodies.asked, wired.alarms(), wired.rows("received")) == ([], ["header-signature"], [])

    async def test_lawful_ones_beyond_any_window_end_the_session(
        self, world: World, hostile: HostileServer, wired: TestNode
    ) -> None:
        Bodies(hostile)

        async def script(socket: web.WebSocketResponse) -> None:
            for _ in range(2 * WINDOW + 1):
                await socket.send_bytes(deliver(world, large(world)))
            await socket.receive(60)

        hostile.script = script
        with pytest.raises(RelayUnreachable, match="pushes more envelopes"):
            await wired.link._session()
        assert [name for name in wired.files() if name.startswith("spool")] == []


async def test_a_flash_with_a_file_does_not_wait_for_routine_bodies_that_never_come(
    world: World, hostile: HostileServer, wired: TestNode
) -> None:
    bodies = Bodies(hostile)
    flash = large(world, Precedence.FLASH)
    bodies.serve(flash)

    async def script(socket: web.WebSocketResponse) -> None:
        for _ in range(6):
            await socket.send_bytes(deliver(world, large(world)))
        await socket.send_bytes(deliver(world, flash))
        await until(lambda: len(wired.inbox()) == 1)

    hostile.script = script
    with pytest.raises(ExchangeError):
        await wired.link._session()
    assert len(wired.inbox()) == 1
    # Two of the routine ones were asked for; the others had no place.
    assert len(bodies.asked) == 3


async def test_a_session_cut_while_an_envelope_is_opened_leaves_no_file(
    world: World, hostile: HostileServer, wired: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = large(world)
    Bodies(hostile).serve(sealed)
    begun, go_on = threading.Event(), threading.Event()
    write = wired.parts.files.write_content

    def slow(name: str, pieces: Any) -> None:  # noqa: ANN401 - as write_content
        write(name, pieces)
        begun.set()
        go_on.wait(20)

    monkeypatch.setattr(wired.parts.files, "write_content", slow)

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(deliver(world, sealed))
        await until(begun.is_set)

    hostile.script = script
    with pytest.raises(ExchangeError):
        await wired.link._session()
    assert wired.inbox() == []
    go_on.set()
    await until(lambda: wired.files() == [])
    # The next session has it.
    hostile.script = taken(wired, deliver(world, sealed))
    with pytest.raises(ExchangeError):
        await wired.link._session()
    assert (len(wired.inbox()), len(wired.files())) == (1, 1)


def taken(target: TestNode, frame: bytes) -> Callable[[web.WebSocketResponse], Awaitable[None]]:
    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(frame)
        await until(lambda: len(target.inbox()) == 1)

    return script
