"""The node's line to the relay: an authenticated WebSocket on which envelopes and notices arrive, or pulls without one.

Nothing that arrives is trusted: every envelope goes through the receiver, every notice is verified before it counts.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Final

import aiohttp

from exchange.delivery.state import RecipientState
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.files import read_pieces
from exchange.node.inbound import RefusedEnvelope
from exchange.node.parts import Parts
from exchange.node.receiver import Delivered, Receiver, read_delivery
from exchange.node.transport import RelayUnreachable
from keys.errors import BadSignature, KeyFault
from keys.verify import verify_acknowledgement, verify_relay_bytes
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import KeyId
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome
from schemas.relayapi import (
    SESSION_STATEMENT,
    Acks,
    Challenge,
    Deliver,
    Frame,
    Notice,
    Proof,
    Seen,
    SeenItem,
    SessionRole,
    SessionStatement,
    Welcome,
    decode_frame,
    encode_frame,
)

_LARGE_AT_ONCE: Final = 2
_NOT_PUBLISHED: Final = 0.2
_STATES: Final = {Outcome.DELIVERED: RecipientState.DELIVERED, Outcome.REFUSED: RecipientState.REFUSED}


class Link:
    """Keeps the line open, and takes what comes."""

    def __init__(self, parts: Parts, receiver: Receiver) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._receiver = receiver
        self._log = get_logger("link")
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._busy: set[bytes] = set()
        self.connected = False
        # Since when and why there is no session; None while there is one.
        self.fault: tuple[int, str] | None = None

    async def run(self) -> None:
        """Stay connected until cancelled; pull while a session cannot be had."""
        pause = 1
        while True:
            if self._parts.keyring.signing.key_id not in self._parts.directory.current.signing:
                why = "this node's signing key is not in the directory: is it certified (`cbm node certify`)?"
                self.fault = self.fault or (self._parts.clock.now(), why)
                await asyncio.sleep(_NOT_PUBLISHED)
                continue
            try:
                await self._session()
            except (ExchangeError, DecodeError, KeyFault, aiohttp.ClientError, OSError) as fault:
                if self.connected:
                    pause = 1
                self._log.warning("session.ended", why=str(fault))
                self.fault = self.fault or (self._parts.clock.now(), str(fault))
                await self._pull()
            finally:
                self.connected = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._parts.config.delivery.retry_most)

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
            seen = await self._notices(frame.acknowledgements)
            if seen:
                await socket.send_bytes(encode_frame(Seen(seen)))
        elif isinstance(frame, Deliver) and frame.body is None:
            # A large one is fetched beside the line, so that an urgent small one does not wait for it.
            fetches.start(self._deliver_and_answer(frame, socket))
        elif isinstance(frame, Deliver):
            await self._deliver_and_answer(frame, socket)
        else:
            raise RelayUnreachable("relay-frame", "the relay sent a frame that has no place here")

    async def _deliver_and_answer(self, frame: Deliver, socket: aiohttp.ClientWebSocketResponse) -> None:
        ack = await self._deliver(frame)
        if ack is not None and not socket.closed:
            await socket.send_bytes(encode_frame(Acks((ack,))))

    async def _deliver(self, frame: Deliver) -> bytes | None:
        """Take one envelope; None when there is nothing to acknowledge."""
        try:
            delivered = read_delivery(frame.header, frame.receipt)
        except DecodeError as fault:
            await self._receiver.alarm(
                f"malformed:{fault}", "malformed", None, f"the relay delivered what is no envelope: {fault}"
            )
            return None
        key = delivered.header.core.id + delivered.header.core.sender.encode()
        if key in self._busy:
            return None
        self._busy.add(key)
        try:
            known = await self._receiver.known(delivered)
            if known is not None:
                return known
            if frame.body is not None:
                return await self._receiver.take(delivered, iter([frame.body]))
            return await self._fetch(delivered)
        except RefusedEnvelope:
            return None
        except (ExchangeError, KeyFault, OSError) as fault:
            # This node's own trouble or the relay's: with the session ended, the relay delivers again.
            why = f"envelope {delivered.header.core.id.hex()} is put off: {fault}"
            raise RelayUnreachable("delivery-put-off", why) from None
        finally:
            self._busy.discard(key)

    async def _fetch(self, delivered: Delivered) -> bytes:
        """A large body: to the spool, at most as long as the header says, then through the receiver."""
        core = delivered.header.core
        async with self._large:
            source = self._parts.relay.body(core.sender, core.id)
            # A name of its own: the sender chooses the id, and could choose that of an envelope that waits here.
            path = self._parts.files.arrival_path()
            try:
                await _spool(source, core.body_size, path)
                return await self._receiver.take(delivered, read_pieces(path))
            finally:
                path.unlink(missing_ok=True)

    async def _notices(self, acknowledgements: tuple[bytes, ...]) -> tuple[SeenItem, ...]:
        """Verify acknowledgements of envelopes of ours and put them on file; gives those that need not come again."""
        seen = []
        for raw in acknowledgements:
            try:
                item = await self._notice(raw)
            except (DecodeError, KeyFault) as fault:
                await self._receiver.alarm(
                    f"bad-notice:{fault}", "bad-notice", None, f"the relay passed on a false acknowledgement: {fault}"
                )
                continue
            seen.append(item)
        return tuple(seen)

    async def _notice(self, raw: bytes) -> SeenItem:
        parts = self._parts
        now = parts.clock.now()
        signed = decode(SIGNED_ACKNOWLEDGEMENT, raw, 2 * MAX_SMALL_OBJECT)
        ack = signed.acknowledgement
        if ack.key_id not in parts.directory.current.signing:
            await parts.directory.update(parts.relay, now)
        verify_acknowledgement(signed, parts.directory.current, now)
        sent = await parts.stores.evidence.envelope(ack.envelope)
        if sent is None or ack.sender != parts.member or sent.header_digest != ack.header_digest:
            raise BadSignature(f"{ack.recipient} acknowledged an envelope that this node did not send")
        state = _STATES[ack.outcome]
        await parts.stores.evidence.save_acknowledgement(ack.envelope, ack.recipient, state.value, raw, now)
        if ack.outcome is Outcome.REFUSED:
            await self._receiver.alarm(
                f"recipient-refused:{ack.envelope.hex()}:{ack.recipient}",
                "recipient-refused",
                ack.recipient,
                f"the node of {ack.recipient} refused envelope {ack.envelope.hex()}",
            )
        parts.wakes.tell_news()
        return SeenItem(ack.envelope, ack.recipient)

    async def _pull(self) -> None:
        """Without a session: take what waits, once."""
        try:
            mailbox = await self._parts.relay.mailbox()
            acks = [ack for frame in mailbox.envelopes if (ack := await self._deliver(frame)) is not None]
            if acks:
                await self._parts.relay.acknowledge(Acks(tuple(acks)))
            seen = await self._notices(mailbox.acknowledgements)
            if seen:
                await self._parts.relay.seen(Seen(seen))
        except (ExchangeError, DecodeError, KeyFault) as fault:
            self._log.warning("pull.failed", why=str(fault))


class _Fetches:
    """Large envelopes that are fetched beside the line; a fault of one ends the session, so that it comes again."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._tasks: set[asyncio.Task[None]] = set()
        self.fault: Exception | None = None

    def start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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


async def _spool(source: AsyncIterator[bytes], size: int, path: Path) -> None:
    """Write a body to the spool; raises RelayUnreachable when the relay sends more than the header says."""
    written = 0
    with path.open("wb") as file:
        async for piece in source:
            written += len(piece)
            if written > size:
                raise RelayUnreachable("relay-body", "the relay sends a longer body than the sender signed")
            await asyncio.to_thread(file.write, piece)
