"""What a test says to a relay and hears from it: requests, answers, and a node's end of a session."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp

from exchange.relay.httpsig import COMPONENTS
from keys.identity import SigningIdentity
from schemas.ids import Digest
from schemas.refused import RefusedTransfer
from schemas.relayapi import (
    Challenge,
    Deliver,
    Frame,
    Notice,
    Welcome,
    WitnessRequest,
    decode_frame,
    encode_frame,
)

F = TypeVar("F", Challenge, Welcome, Deliver, Notice, WitnessRequest, RefusedTransfer)


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
        """The next frame, which has to be of this kind; requests to cosign may come in between at any time."""
        while True:
            message = await self.socket.receive(within)
            assert message.type is aiohttp.WSMsgType.BINARY, (message, self.socket.close_code)
            frame = decode_frame(message.data)
            if isinstance(frame, kind):
                return frame
            assert isinstance(frame, WitnessRequest), frame

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
