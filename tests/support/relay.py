"""A real relay on loopback for tests, with a clock that a test sets, and a member's way of talking to it.

async with relay(folder, world) as server:
    receipt = await server.submit(world.envelope(to=["MNG"]))
    async with server.session("MNG") as session:
        deliver = await session.receive(Deliver)
"""

import asyncio
import io
import sqlite3
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from http_message_signatures import HTTPMessageSigner, algorithms

from exchange.clock import SetClock
from exchange.relay.app import RelayApp, build_app
from exchange.relay.config import RelaySettings, parse_settings
from exchange.relay.httpsig import COMPONENTS, SignedMessage
from exchange.relay.intake import RelayIdentity
from exchange.relay.runner import serve
from exchange.storage.relay_sqlite import SqliteRelayStore
from keys import primitives
from keys.identity import SigningIdentity
from keys.verify import verify_relay_bytes
from schemas.canon import decode
from schemas.contexts import Context
from schemas.envelope import frame_prefix
from schemas.ids import Digest
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_RECEIPT, SignedReceipt
from schemas.relayapi import MAX_FRAME, Challenge, Deliver, Frame, Notice, Proof, Welcome, decode_frame, encode_frame
from tests.support.world import Sealed, World

F = TypeVar("F", Challenge, Welcome, Deliver, Notice)
Payload = bytes | AsyncIterator[bytes] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read to its end."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    problem: Mapping[str, Any]

    @property
    def code(self) -> str:
        """The problem's code."""
        return str(self.problem.get("type", "")).removeprefix("urn:cbm:problem:")


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is signed by a member's node; `age` and `term` in seconds, `signer` another key in its name."""

    member: str
    method: str
    path: str
    body: bytes | None = None
    nonce: str | None = "n" * 32
    age: int = 0
    term: int = 60
    signer: SigningIdentity | None = None
    components: tuple[str, ...] = COMPONENTS


@dataclass(frozen=True, slots=True)
class Tls:
    """Server and client side of a test certificate, and its digest."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    digest: Digest


class Session:
    """A node's end of the WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def receive(self, kind: type[F], within: float = 10) -> F:
        """The next frame, which has to be of this kind."""
        message = await self.socket.receive(within)
        assert message.type is aiohttp.WSMsgType.BINARY, (message, self.socket.close_code)
        frame = decode_frame(message.data)
        assert isinstance(frame, kind), frame
        return frame

    async def send(self, frame: Frame) -> None:
        """One frame."""
        await self.socket.send_bytes(encode_frame(frame))

    async def closed(self, within: float = 10) -> str:
        """Wait for the relay to close; its reason."""
        message = await self.socket.receive(within)
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        return str(message.extra)

    async def nothing_within(self, seconds: float) -> bool:
        """Whether no frame comes in this time."""
        try:
            await self.socket.receive(seconds)
        except TimeoutError:
            return True
        return False


class Server:
    """A relay that runs, and requests to it."""

    def __init__(
        self, url: str, world: World, app: RelayApp, http: aiohttp.ClientSession, folder: Path, tls: Tls | None
    ) -> None:
        self.url = url
        self.world = world
        self.app = app
        self.http = http
        self.folder = folder
        self.tls = tls

    @property
    def clock(self) -> SetClock:
        """The relay's clock."""
        assert isinstance(self.app.clock, SetClock)
        return self.app.clock

    async def request(
        self, method: str, path: str, data: Payload = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request."""
        # aiohttp warns of a large body that is given as bytes.
        payload = io.BytesIO(data) if isinstance(data, bytes) else data
        async with self.http.request(method, self.url + path, data=payload, headers=headers) as response:
            body = await response.read()
            problem = await response.json() if response.content_type == "application/problem+json" else {}
            return Answer(response.status, body, response.headers, problem)

    async def post(self, sealed: Sealed, body: bytes | None = None) -> Answer:
        """An envelope, perhaps with another body."""
        frame = frame_prefix(sealed.header_bytes) + sealed.header_bytes + (sealed.body if body is None else body)
        return await self.request("POST", "/v1/envelopes", frame)

    async def submit(self, sealed: Sealed) -> SignedReceipt:
        """An envelope that has to be accepted; the receipt, with its signature checked."""
        answer = await self.post(sealed)
        assert answer.status == 202, answer.body
        receipt = decode(SIGNED_RECEIPT, answer.body, 2 * MAX_SMALL_OBJECT)
        verify_relay_bytes(
            self.world.directory, self.world.relay.key_id, receipt.signature, Context.RECEIPT, receipt.body
        )
        return receipt

    def signature(self, call: Call) -> dict[str, str]:
        """RFC 9421 headers for a call."""
        key = self.world.nodes[call.member]
        message = SignedMessage(call.method, self.url + call.path, {})
        created = datetime.fromtimestamp(self.clock.now() - call.age, UTC)
        tool = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
        prepared = tool.prepare(
            message,
            key_id=f"{call.member}:{key.key_id.hex()}",
            created=created,
            expires=created + timedelta(seconds=call.term),
            nonce=call.nonce,
            label="cbm",
            covered_component_ids=call.components,
            body=call.body,
        )
        value = primitives.ed25519_sign((call.signer or key).ed25519_seed, prepared.signature_base)
        tool.apply(message, prepared, value)
        return dict(message.headers)

    async def signed(self, call: Call) -> Answer:
        """A signed request."""
        return await self.request(call.method, call.path, call.body, self.signature(call))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Session]:
        """A WebSocket that has said nothing yet."""
        async with self.http.ws_connect(self.url + "/v1/session", max_msg_size=MAX_FRAME + 1) as socket:
            yield Session(socket)

    @asynccontextmanager
    async def session(self, member: str) -> AsyncIterator[Session]:
        """A session in which both sides have proved who they are."""
        async with self.connection() as session:
            challenge = await session.receive(Challenge)
            digest = None if self.tls is None else self.tls.digest
            proof, welcome = self.world.session(member, challenge.nonce, time=self.clock.now(), tls_digest=digest)
            await session.send(proof)
            assert await session.receive(Welcome) == welcome
            yield session

    async def refused_session(self, proof: Proof) -> str:
        """Answer the challenge with a given proof; why the relay closed."""
        async with self.connection() as session:
            await session.receive(Challenge)
            await session.send(proof)
            return await session.closed()

    def rows(self, table: str) -> int:
        """How many rows a table of the store has, read beside the relay."""
        connection = sqlite3.connect(self.folder / "relay.db")
        try:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # own names
        finally:
            connection.close()

    def holds_nothing(self) -> bool:
        """No envelope, no part of one, no counted use."""
        tables = ("envelopes", "contents", "deliveries", "uses")
        return not any(self.rows(table) for table in tables) and not self.files()

    def files(self) -> list[str]:
        """Names of the bodies on the disk."""
        return sorted(path.name for path in (self.folder / "bodies").iterdir())


def settings_for(world: World, **changes: object) -> RelaySettings:
    """Settings of a plain relay on a free port, under the world's charter."""
    values: dict[str, object] = {
        "name": "relay",
        "plain": True,
        "charter_digest": world.charter_digest.hex(),
        **changes,
    }
    return parse_settings(values)


async def store_with_directory(folder: Path, world: World) -> SqliteRelayStore:
    """A store that holds the world's directory."""
    store = SqliteRelayStore.open(folder)
    for index, entry in enumerate(world.entries):
        if not await store.entries(index, 1):
            await store.append(entry, index)
    return store


@asynccontextmanager
async def relay(folder: Path, world: World, tls: Tls | None = None, **settings: object) -> AsyncIterator[Server]:
    """Run a relay on what `folder` holds; `settings` replace those of `settings_for`."""
    chosen = settings_for(world, **settings)
    store = await store_with_directory(folder, world)
    identity = RelayIdentity(world.relay.key_id, world.relay.sign_bytes)
    app = await build_app(chosen, store, identity, SetClock(world.now), tls.digest if tls else None)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, chosen, tls.server if tls else None, listening.set_result, stop))
    # What keeps the relay from starting must not look like a relay that never answers.
    serving.add_done_callback(lambda task: _tell(listening, task))
    try:
        url = await listening
        connector = aiohttp.TCPConnector(ssl=tls.client) if tls else aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector) as http:
            yield Server(url, world, app, http, folder, tls)
    finally:
        stop.set()
        await serving
        await store.close()


def _tell(listening: asyncio.Future[str], task: asyncio.Task[None]) -> None:
    if not listening.done():
        listening.set_exception(task.exception() or RuntimeError("the relay ended before it listened"))
