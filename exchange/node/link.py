"""The node's line to the relay: an authenticated WebSocket on which envelopes and notices arrive, or pulls without one.

Nothing that arrives is trusted: every envelope goes through the receiver, every notice is verified before it counts.
"""

import asyncio
from typing import Final

import aiohttp

from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.deliveries import Deliveries, Large
from exchange.node.fetches import Fetches
from exchange.node.inbound import PutOff
from exchange.node.notices import Notices
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.node.refusals import Refusals
from exchange.node.transport import RelayUnreachable
from exchange.node.wake import wait_for
from exchange.node.witness import Witness
from keys.errors import BadSignature, KeyFault
from keys.verify import verify_relay_bytes
from schemas.canon import encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import KeyId
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.refused import RefusedTransfer
from schemas.relayapi import (
    SESSION_STATEMENT,
    Acks,
    Challenge,
    Deliver,
    Frame,
    Notice,
    Proof,
    RefusalsSeen,
    Seen,
    SessionRole,
    SessionStatement,
    Welcome,
    WitnessRequest,
    decode_frame,
    encode_frame,
)

_NOT_PUBLISHED: Final = 0.2
# A relay that does not read what it is told is as good as away.
_SAY: Final = 20


class Link:
    """Keeps the line open, and takes what comes."""

    def __init__(self, parts: Parts, receiver: Receiver) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._receiver = receiver
        self._log = get_logger("link")
        self._deliveries = Deliveries(parts, receiver)
        self._notices = Notices(parts)
        self._refusals = Refusals(parts)
        self._witness = Witness(parts)
        self.connected = False
        # Since when and why there is no session; None while there is one.
        self.fault: tuple[int, str] | None = None

    async def run(self) -> None:
        """Stay connected until cancelled; pull while a session cannot be had."""
        pause = 1
        while True:
            why = self._not_ready()
            if why is not None:
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
                if not self._keyless():
                    await self._pull()
            finally:
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._parts.config.delivery.retry_most)

    def _not_ready(self) -> str | None:
        """Why there can be no session yet; None when there can."""
        parts = self._parts
        # It has to be published only: as a witness this node may be needed for it to be cosigned.
        if not parts.directory.pending.knows(parts.member, parts.keyring.signing.key_id):
            return "this node's signing key is not in the directory: is it certified (`cbm node certify`)?"
        return None

    def _keyless(self) -> bool:
        """Whether a restore has lost what others seal to, and the new epochs are not in the directory yet.

        What comes meanwhile would be refused for ever. As a witness the node may be needed for them to get there.
        """
        return not self._parts.keyring.receives(self._parts.directory.current, self._parts.clock.now())

    def _away(self, why: str) -> None:
        """There is no session: since the first fault, for the reason of the last."""
        since = self.fault[0] if self.fault is not None else self._parts.clock.now()
        self.fault = (since, why)

    async def _session(self) -> None:
        socket, tls_digest = await self._parts.relay.session()
        fetches = Fetches(socket)
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
        ahead = self._parts.clocks.compare(challenge.time)
        if abs(ahead) > MAX_CLOCK_AHEAD:
            raise RelayUnreachable("clock-differs", f"this clock and the relay's differ by {abs(ahead)} s: check both")
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
        await _say(socket, Proof(statement, identity.key_id, signature))
        welcome = decode_frame(await _bytes(socket))
        if not isinstance(welcome, Welcome):
            raise BadSignature("the relay did not answer the proof")
        verify_relay_bytes(
            self._parts.directory.current, KeyId(challenge.relay), welcome.signature, Context.SESSION_RELAY, statement
        )

    async def _frame(self, frame: Frame, socket: aiohttp.ClientWebSocketResponse, fetches: Fetches) -> None:
        if isinstance(frame, Notice):
            seen = await self._notices.take(frame.acknowledgements)
            if seen:
                await _say(socket, Seen(seen))
        elif isinstance(frame, Deliver):
            await self._deliver(frame, socket, fetches)
        elif isinstance(frame, RefusedTransfer):
            digest = await self._refusals.from_relay(frame)
            if digest is not None:
                await _say(socket, RefusalsSeen((digest,)))
        elif isinstance(frame, WitnessRequest):
            fetches.start(self._cosign(frame, socket))
        else:
            raise RelayUnreachable("relay-frame", "the relay sent a frame that has no place here")

    async def _deliver(self, frame: Deliver, socket: aiohttp.ClientWebSocketResponse, fetches: Fetches) -> None:
        """A small envelope is taken at once. A large one is judged at once, so that only what is lawful may wait."""
        if self._keyless():
            fetches.start_once(self._have_again())
            return
        try:
            result = await (self._deliveries.take(frame) if frame.body is not None else self._deliveries.vet(frame))
        except PutOff:
            fetches.begin_again(self._parts.config.delivery.retry_most)
            return
        if isinstance(result, Large):
            fetches.start(self._fetch(result, socket, fetches))
        elif result is not None:
            await _say(socket, Acks((result,)))

    async def _have_again(self) -> None:
        """Once the node has keys again the session begins anew, with what was not taken."""
        while self._keyless():
            await wait_for(self._parts.wakes.news(), _NOT_PUBLISHED)
        raise RelayUnreachable("put-off", "the new epochs are published: the session begins anew")

    async def _cosign(self, request: WitnessRequest, socket: aiohttp.ClientWebSocketResponse) -> None:
        answer = await self._witness.answer(request)
        if not socket.closed:
            await _say(socket, answer)

    async def _fetch(self, large: Large, socket: aiohttp.ClientWebSocketResponse, fetches: Fetches) -> None:
        try:
            ack = await self._deliveries.fetch(large)
        except PutOff:
            fetches.begin_again(self._parts.config.delivery.retry_most)
            return
        if ack is not None and not socket.closed:
            await _say(socket, Acks((ack,)))

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
            dealt = [await self._refusals.from_relay(refused) for refused in mailbox.refusals or ()]
            if known := tuple(digest for digest in dealt if digest is not None):
                await self._parts.relay.refusals_seen(RefusalsSeen(known))
        except (ExchangeError, DecodeError, KeyFault, aiohttp.ClientError, OSError) as fault:
            self._log.warning("pull.failed", why=str(fault))

    async def _pulled(self, frame: Deliver) -> bytes | None:
        try:
            taken = await self._deliveries.take(frame)
        except PutOff:
            return None
        return None if isinstance(taken, Large) else taken


async def _bytes(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    try:
        return await socket.receive_bytes(timeout=20)
    except (TypeError, TimeoutError):
        raise RelayUnreachable("session-refused", "the relay closed the session before it began") from None


async def _say(socket: aiohttp.ClientWebSocketResponse, frame: Frame) -> None:
    async with asyncio.timeout(_SAY):
        await socket.send_bytes(encode_frame(frame))
