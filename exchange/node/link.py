"""The node's line to the relay: an authenticated WebSocket on which envelopes and notices arrive, or pulls without one.

Nothing that arrives is trusted: every envelope goes through the receiver, every notice is verified before it counts.
"""

import asyncio
from collections.abc import Coroutine
from typing import Final

import aiohttp

from exchange.delivery.state import RecipientState
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.deliveries import Deliveries
from exchange.node.inbound import PutOff
from exchange.node.notices import Notices
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.node.transport import RelayUnreachable
from keys.errors import BadSignature, KeyFault
from keys.verify import verify_relay_bytes
from schemas.canon import encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import KeyId
from schemas.receipt import Outcome
from schemas.relayapi import (
    SESSION_STATEMENT,
    Acks,
    Challenge,
    Deliver,
    Frame,
    Notice,
    Proof,
    Seen,
    SessionRole,
    SessionStatement,
    Welcome,
    decode_frame,
    encode_frame,
)

_NOT_PUBLISHED: Final = 0.2
_STATES: Final = {Outcome.DELIVERED: RecipientState.DELIVERED, Outcome.REFUSED: RecipientState.REFUSED}


class Link:
    """Keeps the line open, and takes what comes."""

    def __init__(self, parts: Parts, receiver: Receiver) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._receiver = receiver
        self._log = get_logger("link")
        self._deliveries = Deliveries(parts, receiver)
        self._notices = Notices(parts, receiver)
        self.connected = False
        # Since when and why there is no session; None while there is one.
        self.fault: tuple[int, str] | None = None

    async def run(self) -> None:
        """Stay connected until cancelled; pull while a session cannot be had."""
        pause = 1
        while True:
            if self._parts.keyring.signing.key_id not in self._parts.directory.current.signing:
                why = "this node's signing key is not in the directory: is it certified (`cbm node certify`)?"
                self._away(why)
                await asyncio.sleep(_NOT_PUBLISHED)
                continue
            try:
                await self._session()
            except (ExchangeError, DecodeError, KeyFault, aiohttp.ClientError, OSError) as fault:
                if self.connected:
                    pause = 1
                self._log.warning("session.ended", why=str(fault))
                self._away(str(fault))
                await self._pull()
            finally:
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._parts.config.delivery.retry_most)

    def _away(self, why: str) -> None:
        """There is no session: since the first fault, for the reason of the last."""
        since = self.fault[0] if self.fault is not None else self._parts.clock.now()
        self.fault = (since, why)

    async def _session(self) -> None:
        socket, tls_digest = await self._parts.relay.session()
        fetches = _Fetches(socket)
        async with socket:
            try:
                await self._authenticate(socket, tls_digest)
                self.connected = True
                self.fault = None
                self._log.info("session.open")
                # What waits for a later try after the relay was away need not wait any longer.
                await self._parts.stores.outbox.try_now()
                self._parts.wakes.to_send.set()
                async for message in socket:
                    if message.type is not aiohttp.WSMsgType.BINARY:
                        break
                    await self._frame(decode_frame(message.data), socket, fetches)
            finally:
                await fetches.end()
        if fetches.fault is not None:
            raise fetches.fault
        raise RelayUnreachable("session-closed", "the relay closed the session")

    async def _authenticate(self, socket: aiohttp.ClientWebSocketResponse, tls_digest: bytes | None) -> None:
        """Sign the relay's nonce, bound to the certificate that this connection saw, and check the relay's answer."""
        identity = self._parts.keyring.signing
        challenge = decode_frame(await _bytes(socket))
        if not isinstance(challenge, Challenge):
            raise BadSignature("the relay did not begin with a challenge")
        self._parts.directory.current.relay(challenge.relay)
        statement = encode(
            SESSION_STATEMENT,
            SessionStatement(
                nonce=challenge.nonce,
                relay=challenge.relay,
                member=identity.owner,
                role=SessionRole.NODE,
                time=self._parts.clock.now(),
                tls_digest=tls_digest,  # type: ignore[arg-type]  # a Digest by its making
            ),
        )
        signature = identity.sign_bytes(Context.SESSION_NODE, statement)
        await socket.send_bytes(encode_frame(Proof(statement, identity.key_id, signature)))
        welcome = decode_frame(await _bytes(socket))
        if not isinstance(welcome, Welcome):
            raise BadSignature("the relay did not answer the proof")
        verify_relay_bytes(
            self._parts.directory.current, KeyId(challenge.relay), welcome.signature, Context.SESSION_RELAY, statement
        )

    async def _frame(self, frame: Frame, socket: aiohttp.ClientWebSocketResponse, fetches: "_Fetches") -> None:
        if isinstance(frame, Notice):
            seen = await self._notices.take(frame.acknowledgements)
            if seen:
                await socket.send_bytes(encode_frame(Seen(seen)))
        elif isinstance(frame, Deliver) and frame.body is None:
            # A large one is fetched beside the line, so that an urgent small one does not wait for it.
            fetches.start(self._deliver_and_answer(frame, socket, fetches))
        elif isinstance(frame, Deliver):
            await self._deliver_and_answer(frame, socket, fetches)
        else:
            raise RelayUnreachable("relay-frame", "the relay sent a frame that has no place here")

    async def _deliver_and_answer(
        self, frame: Deliver, socket: aiohttp.ClientWebSocketResponse, fetches: "_Fetches"
    ) -> None:
        try:
            ack = await self._deliveries.take(frame)
        except PutOff:
            fetches.begin_again(self._parts.config.delivery.retry_most)
            return
        if ack is not None and not socket.closed:
            await socket.send_bytes(encode_frame(Acks((ack,))))

    async def _pull(self) -> None:
        """Without a session: take what waits, once."""
        try:
            mailbox = await self._parts.relay.mailbox()
            acks = [ack for frame in mailbox.envelopes if (ack := await self._pulled(frame)) is not None]
            if acks:
                await self._parts.relay.acknowledge(Acks(tuple(acks)))
            seen = await self._notices.take(mailbox.acknowledgements)
            if seen:
                await self._parts.relay.seen(Seen(seen))
        except (ExchangeError, DecodeError, KeyFault) as fault:
            self._log.warning("pull.failed", why=str(fault))

    async def _pulled(self, frame: Deliver) -> bytes | None:
        try:
            return await self._deliveries.take(frame)
        except PutOff:
            return None


class _Fetches:
    """Large envelopes that are fetched beside the line, and the end of a session in which something was put off.

    The relay delivers again what was not answered when the session begins anew.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._tasks: set[asyncio.Task[None]] = set()
        self._again = False
        self.fault: Exception | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_again(self, seconds: int) -> None:
        """End the session after a pause, once."""
        if not self._again:
            self._again = True
            self.start(self._close_after(seconds))

    async def _close_after(self, seconds: int) -> None:
        await asyncio.sleep(seconds)
        raise RelayUnreachable("put-off", "something was put off: the session begins anew to have it again")

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _guard(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except (ExchangeError, DecodeError, KeyFault, aiohttp.ClientError, OSError) as fault:
            self.fault = fault
            await self._socket.close()


async def _bytes(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    try:
        return await socket.receive_bytes(timeout=20)
    except (TypeError, TimeoutError):
        raise RelayUnreachable("session-refused", "the relay closed the session before it began") from None
