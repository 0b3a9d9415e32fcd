"""A real relay on loopback for tests, with a clock that a test sets, and a member's way of talking to it.

async with relay(folder, world) as server:
    receipt = await server.submit(world.envelope(to=["MNG"]))
    async with server.session("MNG") as session:
        deliver = await session.receive(Deliver)
"""

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
from http_message_signatures import HTTPMessageSigner, algorithms

from exchange.clock import SetClock
from exchange.relay.app import RelayApp, build_app
from exchange.relay.config import RelaySettings, parse_settings
from exchange.relay.httpsig import SignedMessage
from exchange.relay.intake import RelayIdentity
from exchange.relay.runner import serve
from exchange.relay.tlog import Log
from exchange.storage.relay_sqlite import SqliteRelayStore
from keys import primitives
from keys.logsigner import sign_checkpoint
from keys.verify import verify_relay_bytes
from schemas.canon import decode
from schemas.contexts import Context
from schemas.envelope import frame_prefix
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_RECEIPT, SignedReceipt
from schemas.relayapi import (
    MAX_FRAME,
    PATH_DIRECTORY,
    Challenge,
    Proof,
    Welcome,
)
from tests.support.cosigners import Quorum, voters
from tests.support.relay_talk import Answer, Call, Session, Tls
from tests.support.waiting import until
from tests.support.world import Sealed, World

Payload = bytes | AsyncIterator[bytes] | None

__all__ = ["Answer", "Call", "Server", "Session", "Tls", "identity_of", "published_size", "relay", "settings_for"]


class Server:
    """A relay that runs, and requests to it."""

    def __init__(
        self,
        url: str,
        world: World,
        app: RelayApp,
        http: aiohttp.ClientSession,
        folder: Path,
        tls: Tls | None,
        quorum: Quorum | None = None,
    ) -> None:
        self.url = url
        self.world = world
        self.app = app
        self.http = http
        self.folder = folder
        self.tls = tls
        self._quorum = quorum

    @property
    def quorum(self) -> Quorum:
        """The members' nodes as witnesses."""
        assert self._quorum is not None, "this relay has no witnesses but in its sessions"
        return self._quorum

    def _whole(self) -> bool:
        """Whether there are enough witnesses for what is new."""
        return self._quorum is not None and len(self._quorum.present) >= self.world.charter.quorums.witness

    async def witnessed(self) -> None:
        """Wait until the relay decides by all that stands in its directory, and shows it."""
        await until(lambda: published_size(self.app.logs.directory) == self.app.keeper.current.size)

    async def logged(self) -> None:
        """Wait until every acceptance stands in a published checkpoint."""
        await until(lambda: published_size(self.app.logs.audit) == self.rows("audit"))

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
            answer = Answer(response.status, body, response.headers, problem)
        if (method, path, answer.status) == ("POST", PATH_DIRECTORY, 200) and self._whole():
            await self.witnessed()
        return answer

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
        "checkpoint_every": 0.05,
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


def identity_of(world: World) -> RelayIdentity:
    """The world's relay, as a relay has it."""
    return RelayIdentity(world.relay.key_id, world.relay.sign_bytes, partial(sign_checkpoint, world.relay))


def published_size(log: Log) -> int:
    """Leaves under a log's newest published checkpoint."""
    return 0 if log.published is None else log.published.checkpoint.size


@asynccontextmanager
async def relay(
    folder: Path,
    world: World,
    tls: Tls | None = None,
    present: Iterable[str] | None = None,
    **settings: object,
) -> AsyncIterator[Server]:
    """Run a relay on what `folder` holds; `settings` replace those of `settings_for`.

    The nodes that are `present`, by default those of all Member States, cosign without a session; with none at all,
    only those that have one are asked, and nothing is waited for.
    """
    chosen = settings_for(world, **settings)
    store = await store_with_directory(folder, world)
    clock, digest = SetClock(world.now), tls.digest if tls else None
    app = await build_app(folder, chosen, store, identity_of(world), clock, digest)
    cosigning = voters(world) if present is None else tuple(present)
    quorum = Quorum(app, world, cosigning) if cosigning else None
    if quorum is not None:
        quorum.take_over()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, chosen, tls.server if tls else None, listening.set_result, stop))
    # What keeps the relay from starting must not look like a relay that never answers.
    serving.add_done_callback(lambda task: _tell(listening, task))
    try:
        url = await listening
        connector = aiohttp.TCPConnector(ssl=tls.client) if tls else aiohttp.TCPConnector()
        async with aiohttp.ClientSession(connector=connector) as http:
            server = Server(url, world, app, http, folder, tls, quorum)
            if present is None:
                await server.witnessed()
            yield server
    finally:
        stop.set()
        await serving
        await store.close()


def _tell(listening: asyncio.Future[str], task: asyncio.Task[None]) -> None:
    if not listening.done():
        listening.set_exception(task.exception() or RuntimeError("the relay ended before it listened"))
