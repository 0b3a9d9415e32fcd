"""A relay inside the test's process: its real parts over its real folder, and its real routes without sockets.

relay = await YearRelay.open(folder, clock)
line = relay.line(identity, clock)         # what a node's client is, less the network
relay.enter("KAZ", cosigns)                # the node's session: it is asked to cosign
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest.mock import Mock

import aiohttp
from aiohttp import HttpVersion11, web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from exchange.clock import Clock
from exchange.demo.site import PASSPHRASE
from exchange.node.patience import Patience
from exchange.node.relay_fault import problem
from exchange.node.transport import RelayClient, RelayRefused, RelayUnreachable
from exchange.relay.app import RelayApp, build_app
from exchange.relay.config import load_settings
from exchange.relay.intake import RelayIdentity
from exchange.relay.limits import SMALL_PLACES
from exchange.relay.tlog import Log
from exchange.storage.port import EnvelopeKey
from exchange.storage.relay_sqlite import SqliteRelayStore
from exchange.wiring.relay import KEYS
from keys.ceremony import identity_of
from keys.checkpoint import parse_signed
from keys.cosign import MEMBER_NAMES
from keys.directory import Directory
from keys.identity import SigningIdentity
from keys.keystore import Keystore
from keys.logsigner import sign_checkpoint
from schemas.ids import Digest, MemberId
from schemas.relayapi import PATH_ENVELOPES, Mailbox, WitnessAnswer
from tests.support.waiting import until

Cosigns = Callable[[bytes], Awaitable[WitnessAnswer]]
"""What a node answers to a request to cosign."""

_NOWHERE: Final = "http://127.0.0.1:1"
_LATER: Final = frozenset({408, 425, 429})
_ROOM: Final = 2**20


@dataclass(frozen=True, slots=True)
class Accepted:
    """An envelope, and the relay's receipt for it; bytes as they went over the line."""

    header: bytes
    body: bytes
    receipt: bytes


class YearRelay:
    """One relay, from `open` to `close`. While it is `down` nobody reaches it.

    `accepted`: every envelope, in turn, as who listens on the line records it.
    """

    def __init__(self, app: RelayApp, identity: SigningIdentity) -> None:
        """Use `open`."""
        self.app = app
        self.identity = identity
        self.down = False
        self.accepted: list[Accepted] = []
        self._sessions: dict[str, _Session] = {}
        # What is nobody's matter here: a connection and its peer.
        self._protocol = Mock()
        self._protocol.transport.get_extra_info.return_value = None

    @classmethod
    async def open(cls, folder: Path, clock: Clock) -> "YearRelay":
        """The relay in a folder that `create_relay` and `install_charter` made, with its logs running."""
        keystore = await asyncio.to_thread(Keystore.open, folder / KEYS, PASSPHRASE)
        key = identity_of(keystore.get("relay-signing"))
        identity = RelayIdentity(key.key_id, key.sign_bytes, partial(sign_checkpoint, key))
        store = SqliteRelayStore.open(folder)
        app = await build_app(folder, load_settings(folder), store, identity, clock, None)
        app.web.freeze()
        await app.web.startup()
        return cls(app, key)

    async def close(self) -> None:
        """For good."""
        self.down = True
        for member in list(self._sessions):
            self.leave(member)
        await self.app.web.shutdown()
        await self.app.web.cleanup()
        await self.app.store.close()

    def line(self, identity: SigningIdentity, clock: Clock) -> "Line":
        """What a node with this identity talks to."""
        return Line(self, identity, clock)

    async def answer(self, method: str, path: str, headers: dict[str, str], data: bytes) -> tuple[int, bytes]:
        """One request; status and body."""
        loop = asyncio.get_running_loop()
        payload = StreamReader(self._protocol, _ROOM, loop=loop)
        payload.feed_data(data)
        payload.feed_eof()
        named = CIMultiDict({"Host": _NOWHERE.rpartition("/")[2], **headers})
        raw = tuple((name.encode(), value.encode()) for name, value in named.items())
        message = RawRequestMessage(
            method, path, HttpVersion11, CIMultiDictProxy(named), raw, False, None, False, False, URL(path)
        )
        request = web.Request(
            message, payload, self._protocol, self._protocol, self._protocol, loop, client_max_size=_ROOM
        )
        response = await self.app.web._handle(request)
        assert isinstance(response, web.Response)
        body = response.body if isinstance(response.body, bytes) else b""
        if (method, path, response.status) == ("POST", PATH_ENVELOPES, 202):
            size = int.from_bytes(data[:4], "big")
            self.accepted.append(Accepted(data[4 : 4 + size], data[4 + size :], body))
        return response.status, body

    # Sessions, as far as a witness needs one: what waits for a node is pulled.

    def enter(self, member: str, cosigns: Cosigns) -> None:
        """The member's node has a session."""
        session = _Session(self.app, member, cosigns)
        self._sessions[member] = session
        self.app.sessions.enter(MemberId(member), session)

    def leave(self, member: str) -> None:
        """It has none any more."""
        session = self._sessions.pop(member, None)
        if session is not None:
            self.app.sessions.leave(MemberId(member), session)

    async def quiet(self) -> None:
        """Wait until no answer of a witness is awaited: one that took a minute would not be taken any more."""
        logs = (self.app.logs.directory, self.app.logs.audit)
        await until(lambda: not any(log._rounds._under_way() for log in logs))

    async def logged(self) -> None:
        """Wait until every acceptance stands in a published checkpoint."""
        size = await self.app.store.leaf_count()
        await until(lambda: size_of(self.app.logs.audit) >= size)


def cosigners_of(note: bytes) -> set[str]:
    """Codes of the members that have lines on a note."""
    names = (line.name for line in parse_signed(note).signatures if line.name.startswith(MEMBER_NAMES))
    return {name.removeprefix(MEMBER_NAMES) for name in names}


def size_of(log: Log) -> int:
    """Leaves under a log's newest published checkpoint."""
    return 0 if log.published is None else log.published.checkpoint.size


class _Session:
    """As the relay's registry sees a session."""

    def __init__(self, app: RelayApp, member: str, cosigns: Cosigns) -> None:
        self._app = app
        self._member = MemberId(member)
        self._cosigns = cosigns
        self._asked: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """The test has the node pull."""

    def answered(self, key: EnvelopeKey) -> None:
        """Nothing is pushed."""

    def ask(self, log: str, request: bytes) -> None:
        task = asyncio.create_task(self._answer(request))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    def check(self, directory: Directory) -> None:
        """It is the test's to begin and to end."""

    def end(self) -> None:
        """It ends with the test."""

    async def close(self, reason: str) -> None:
        """It ends with the test."""

    async def _answer(self, request: bytes) -> None:
        self._app.logs.answered(self._member, await self._cosigns(request))


class Line(RelayClient):
    """The client of one node: everything but the connection, which may be `cut`."""

    def __init__(self, relay: YearRelay, identity: SigningIdentity, clock: Clock) -> None:
        super().__init__(_NOWHERE, (), identity, clock)
        self.relay = relay
        self.cut = False
        self.full = False

    async def mailbox(self) -> Mailbox:
        """What waits; it is full when there may be more."""
        mailbox = await super().mailbox()
        self.full = len(mailbox.envelopes) >= SMALL_PLACES[-1]
        return mailbox

    async def session(self) -> tuple[aiohttp.ClientWebSocketResponse, Digest | None]:
        """Nodes pull."""
        raise RelayUnreachable("relay-unreachable", "there are no sessions here")

    async def _request(
        self,
        method: str,
        path: str,
        *,
        most: int,
        data: Any = None,  # noqa: ANN401  # as in the client
        signed: bool = False,
        patience: Patience | None = None,
    ) -> bytes:
        if self.cut or self.relay.down:
            raise RelayUnreachable("relay-unreachable", "the relay does not answer")
        headers = self._signed(method, path, data if isinstance(data, bytes) else None) if signed else {}
        whole = data if isinstance(data, bytes | None) else b"".join([piece async for piece in data])
        status, body = await self.relay.answer(method, path, headers, whole or b"")
        if status < 300:
            assert len(body) <= most
            return body
        code, detail, extra = problem(body)
        kind = RelayUnreachable if status >= 500 or status in _LATER else RelayRefused
        raise kind(code, detail, extra)
