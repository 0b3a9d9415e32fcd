"""A node's WebSocket: both sides prove who they are, then the relay pushes and the node acknowledges.

Nothing polls: an acceptance or an acknowledgement wakes the session that it concerns. How many envelopes are under way
is the `Window`'s to say; the node's acknowledgement, on whatever way it comes, or the envelope's end frees a place. A
session lasts no longer than the key by which it was begun: a revocation or a removal ends it.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from exchange.clock import Clock
from exchange.errors import ExchangeError, Malformed, TooSlow, Unauthenticated
from exchange.logs import get_logger
from exchange.relay.core import check_proof, check_session_key
from exchange.relay.intake import Intake, RelayIdentity, fault_code
from exchange.relay.journal import Journal
from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.limits import NOTICE_WINDOW, PROOF_TIMEOUT, PUSH_BYTES, REFUSAL_WINDOW, UNANSWERED
from exchange.relay.metrics import Metrics
from exchange.relay.refusals import notice_of
from exchange.relay.registry import Sessions
from exchange.relay.window import Window
from exchange.storage.port import EnvelopeKey, RelayStore, Waiting
from keys.directory import Directory
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import Digest, EnvelopeId, KeyId, MemberId
from schemas.relayapi import (
    MAX_ACKS,
    Acks,
    Challenge,
    Deliver,
    Notice,
    Proof,
    RefusalsSeen,
    Seen,
    Welcome,
    WitnessAnswer,
    WitnessRequest,
    decode_frame,
    encode_frame,
)

# A close frame holds 123 bytes of reason (RFC 6455, section 5.5).
_MAX_REASON: Final = 123

Witnessed = Callable[[MemberId, WitnessAnswer], None]
"""Who is told what a member's node answers as a witness."""

log = get_logger("relay.session")


@dataclass(frozen=True, slots=True)
class Peer:
    """Whose node a session is with, the signing key by which it proved that, and its network address."""

    member: MemberId
    key: KeyId
    remote: str | None = None


async def shake_hands(
    socket: web.WebSocketResponse,
    identity: RelayIdentity,
    keeper: DirectoryKeeper,
    tls_digest: Digest | None,
    clock: Clock,
) -> Peer:
    """Challenge, proof, welcome: the member whose node is at the other end.

    Raises Unauthenticated, TooSlow, Malformed or DecodeError.
    """
    challenge = Challenge(secrets.token_bytes(32), identity.key_id, clock.now())
    await socket.send_bytes(encode_frame(challenge))
    try:
        message = await socket.receive(timeout=PROOF_TIMEOUT)
    except TimeoutError:
        raise TooSlow("session-proof", f"no proof within {PROOF_TIMEOUT} s") from None
    if message.type is not WSMsgType.BINARY:
        raise Malformed("session-proof", "a proof is expected, as one binary frame")
    proof = decode_frame(message.data)
    if not isinstance(proof, Proof):
        raise Unauthenticated("session-proof", "a proof is expected before anything else")
    statement = check_proof(proof, challenge, tls_digest, keeper.current, clock.now())
    await socket.send_bytes(encode_frame(Welcome(identity.sign(Context.SESSION_RELAY, proof.statement))))
    # The directory may have grown meanwhile; from here to the registry nothing is waited for.
    check_session_key(statement.member, proof.key_id, keeper.current)
    return Peer(statement.member, proof.key_id)


class Session:
    """One member's session after the handshake."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        peer: Peer,
        store: RelayStore,
        intake: Intake,
        clock: Clock,
        metrics: Metrics,
        witnessed: Witnessed,
        journal: Journal,
    ) -> None:
        """`run` serves it."""
        self._socket = socket
        self._member = peer.member
        self._key = peer.key
        self._remote = peer.remote
        self._store = store
        self._intake = intake
        self._clock = clock
        self._metrics = metrics
        self._witnessed = witnessed
        self._journal = journal
        self._news = asyncio.Event()
        self._requests: dict[str, bytes] = {}
        self._window = Window()
        self._told: dict[tuple[EnvelopeId, MemberId], int] = {}
        self._told_refusals: set[Digest] = set()
        self._pushing: asyncio.Task[None] | None = None
        self._ended = False

    def wake(self) -> None:
        """Something may wait for the member."""
        self._news.set()

    def answered(self, key: EnvelopeKey) -> None:
        """The member has acknowledged this envelope."""
        if self._window.answered(key):
            self.wake()

    def ask(self, log: str, request: bytes) -> None:
        """Have the node asked to cosign; only the newest request of a log is sent."""
        self._requests[log] = request
        self.wake()

    def check(self, directory: Directory) -> None:
        """Raises Unauthenticated when the key by which the session was begun is not in force any more."""
        check_session_key(self._member, self._key, directory)

    def end(self) -> None:
        """From now on nothing is pushed, and nothing taken."""
        self._ended = True
        if self._pushing is not None:
            self._pushing.cancel()

    async def close(self, reason: str) -> None:
        """End the session; its peer reads `reason`."""
        self.end()
        await close_socket(self._socket, WSCloseCode.GOING_AWAY, reason)

    async def run(self, sessions: Sessions) -> None:
        """Serve until either side closes. Raises DecodeError or Malformed for a frame that has no place here."""
        sessions.enter(self._member, self)
        self._metrics.sessions.set(len(sessions))
        self._pushing = pushing = asyncio.create_task(self._push())
        try:
            async for message in self._socket:
                if self._ended:
                    break
                if message.type is not WSMsgType.BINARY:
                    raise Malformed("session-frame", "frames are binary")
                await self._receive(message.data)
        finally:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
            sessions.leave(self._member, self)
            self._metrics.sessions.set(len(sessions))
            log.info("session.closed", member=self._member)

    async def _receive(self, data: bytes) -> None:
        frame = decode_frame(data)
        if isinstance(frame, Acks):
            await self._intake.acknowledge(frame.acknowledgements)
        elif isinstance(frame, Seen):
            await self._store.seen(self._member, frame.items)
            for item in frame.items:
                self._told.pop((item.envelope, item.recipient), None)
            self.wake()
        elif isinstance(frame, RefusalsSeen):
            await self._store.refusals_seen(self._member, frame.digests)
            self._told_refusals.difference_update(frame.digests)
            self.wake()
        elif isinstance(frame, WitnessAnswer):
            self._witnessed(self._member, frame)
        else:
            raise Malformed("session-frame", f"a node sends no {type(frame).__name__} here")

    async def _push(self) -> None:
        try:
            await self._journal.begun(self._member, self._remote)
            while True:
                self._news.clear()
                await self._push_requests()
                sent = await self._push_envelopes()
                told = await self._push_notices()
                if not await self._push_refusals() and not told and not sent:
                    await self._wait()
        except ConnectionError:
            return
        except ExchangeError as fault:
            log.warning("session.failed", member=self._member, code=fault.code)
            await close_socket(self._socket, WSCloseCode.TRY_AGAIN_LATER, fault.code)
        except Exception:
            log.exception("session.fault", member=self._member)
            await close_socket(self._socket, WSCloseCode.INTERNAL_ERROR, "internal")

    async def _push_requests(self) -> None:
        while self._requests:
            _, request = self._requests.popitem()
            await self._socket.send_bytes(encode_frame(WitnessRequest(request)))

    async def _push_envelopes(self) -> bool:
        now = self._clock.now()
        self._window.pass_time(now)
        lanes = self._window.lanes()
        if not lanes:
            return False
        items = await self._store.waiting(self._member, now, lanes, self._window.skip(), PUSH_BYTES)
        sent = False
        for item in self._window.take(items, now):
            await self._push_requests()
            await self._socket.send_bytes(encode_frame(deliver(item)))
            self._journal.handed(self._member, item.place)
            self._metrics.pushed.inc()
            sent = True
        return sent

    async def _wait(self) -> None:
        """Until there is news; or until an envelope that is not answered may have to give up its place."""
        try:
            async with asyncio.timeout(UNANSWERED):
                await self._news.wait()
        except TimeoutError:
            return

    async def _push_notices(self) -> bool:
        free = min(MAX_ACKS, NOTICE_WINDOW - len(self._told))
        if free <= 0:
            return False
        items = await self._store.notices(self._member, set(self._told.values()), free)
        if items:
            self._told.update({(item.envelope, item.recipient): item.place for item in items})
            await self._socket.send_bytes(encode_frame(Notice(tuple(item.signed for item in items))))
        return bool(items)

    async def _push_refusals(self) -> bool:
        free = REFUSAL_WINDOW - len(self._told_refusals)
        if free <= 0:
            return False
        items = await self._store.refusals(self._member, self._told_refusals, free)
        for item in items:
            self._told_refusals.add(item.digest)
            await self._socket.send_bytes(encode_frame(notice_of(item)))
        return bool(items)


def deliver(item: Waiting) -> Deliver:
    """What a node gets of an envelope: a large body is for it to fetch."""
    return Deliver(item.header, item.receipt, item.body)


async def refuse(socket: web.WebSocketResponse, fault: ExchangeError | DecodeError) -> None:
    """Close with the fault's code and sentence: after the upgrade there is no problem document."""
    code = fault_code(fault)
    log.info("session.refused", code=code)
    detail = fault.detail if isinstance(fault, ExchangeError) else fault.where
    await close_socket(socket, WSCloseCode.POLICY_VIOLATION, f"{code}: {detail}")


async def close_socket(socket: web.WebSocketResponse, code: WSCloseCode, reason: str) -> None:
    """Close, whatever state the connection is in."""
    await socket.close(code=code, message=reason.encode("utf-8")[:_MAX_REASON])
