"""A relay's HTTP and WebSocket side that answers as a test says, under the node's real client.

server = HostileServer(world)
async with server.running("MNG") as client:      # the real RelayClient of MNG's node
    server.script = garbage                      # what it does on a WebSocket after the handshake
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from exchange.clock import SetClock
from exchange.node.transport import RelayClient
from schemas.contexts import Context
from schemas.relayapi import MAX_FRAME, Challenge, Frame, Proof, Welcome, decode_frame, encode_frame
from tests.support.world import World

Script = Callable[[web.WebSocketResponse], Awaitable[None]]
Answers = dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]


@dataclass
class HostileServer:
    """Sessions are counted; `handshake` and `script` are what it does in one, `http` answers other paths."""

    world: World
    sessions: int = 0
    received: list[Frame] = field(default_factory=list)
    handshake: Script | None = None
    script: Script | None = None
    http: Answers = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, member: str) -> AsyncIterator[RelayClient]:
        """Listen on a free port of loopback."""
        app = web.Application()
        app.router.add_get("/v1/session", self._session)
        app.router.add_route("*", "/{path:.*}", self._other)
        async with TestServer(app, host="127.0.0.1") as server:
            url = str(server.make_url("")).rstrip("/")
            client = RelayClient(url, (), self.world.nodes[member], SetClock(self.world.now))
            try:
                yield client
            finally:
                await client.close()

    async def honest_handshake(self, socket: web.WebSocketResponse) -> None:
        """Challenge, proof, welcome, as the protocol has it."""
        await socket.send_bytes(encode_frame(Challenge(b"n" * 32, self.world.relay.key_id, self.world.now)))
        proof = decode_frame((await socket.receive()).data)
        assert isinstance(proof, Proof)
        signature = self.world.relay.sign_bytes(Context.SESSION_RELAY, proof.statement)
        await socket.send_bytes(encode_frame(Welcome(signature)))

    async def _session(self, request: web.Request) -> web.WebSocketResponse:
        self.sessions += 1
        socket = web.WebSocketResponse(max_msg_size=MAX_FRAME + 1)
        await socket.prepare(request)
        await (self.handshake or self.honest_handshake)(socket)
        if self.script is not None:
            await self.script(socket)
        await socket.close()
        return socket

    async def _other(self, request: web.Request) -> web.StreamResponse:
        answer = self.http.get(request.path)
        return web.Response(status=404) if answer is None else await answer(request)


async def nothing(_socket: web.WebSocketResponse) -> None:
    """Not a word."""


def sends(*frames: Frame | bytes | str) -> Script:
    """Send these, whatever they are, then wait for the node to close."""

    async def script(socket: web.WebSocketResponse) -> None:
        for frame in frames:
            if isinstance(frame, str):
                await socket.send_str(frame)
            else:
                await socket.send_bytes(frame if isinstance(frame, bytes) else encode_frame(frame))
        await socket.receive(10)

    return script
