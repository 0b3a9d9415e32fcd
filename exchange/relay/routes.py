"""The relay's HTTP interface (docs/protocol.md, "Relay API"): decode, hand over, answer.

POST /v1/envelopes             frame -> 202 signed receipt
GET  /v1/directory?from=N      frames of directory entries
POST /v1/directory             one entry -> {"index", "size"}
GET  /v1/session               WebSocket
GET  /v1/mailbox               signed -> Mailbox
GET  /v1/bodies/{sender}/{id}  signed -> ciphertext
POST /v1/acknowledgements      Acks -> 204
POST /v1/notices               signed, Seen -> 204
POST /v1/refusals              signed, RefusalsSeen -> 204
"""

import asyncio
from asyncio import IncompleteReadError
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from typing import Final

from aiohttp import web

from exchange.clock import Clock
from exchange.errors import ExchangeError, Malformed, NotFound, TooLarge, TooSlow, Unauthenticated
from exchange.relay.admission import Newcomers
from exchange.relay.config import RelaySettings
from exchange.relay.httpsig import RequestVerifier
from exchange.relay.intake import Intake, RelayIdentity
from exchange.relay.journal import Journal
from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.limits import DIRECTORY_BYTES, HEARTBEAT
from exchange.relay.metrics import Metrics
from exchange.relay.refusals import notice_of
from exchange.relay.registry import Sessions
from exchange.relay.session import Peer, Session, deliver, refuse, shake_hands
from exchange.relay.tlog_both import Logs
from exchange.relay.window import Window
from exchange.storage.port import EnvelopeKey, RelayStore
from keys.errors import KeyFault
from schemas.canon import decode, encode
from schemas.envelope import frame_prefix, header_length
from schemas.errors import DecodeError
from schemas.ids import Digest, EnvelopeId, MemberId, member_id
from schemas.limits import MAX_DIRECTORY_ENTRY, MAX_SMALL_OBJECT
from schemas.relayapi import (
    ACKS,
    MAILBOX,
    MAX_ACKS,
    MAX_FRAME,
    MAX_PULLED_REFUSALS,
    PATH_ACKS,
    PATH_BODIES,
    PATH_DIRECTORY,
    PATH_ENVELOPES,
    PATH_MAILBOX,
    PATH_NOTICES,
    PATH_REFUSALS,
    PATH_SESSION,
    REFUSALS_SEEN,
    SEEN,
    Mailbox,
)

OCTETS: Final = "application/octet-stream"
# A list of acknowledgements, each with up to 3 bytes of length, and the frame around it.
_MAX_ACKS: Final = MAX_ACKS * (MAX_SMALL_OBJECT + 3) + 64
MAX_REQUEST: Final = MAX_DIRECTORY_ENTRY


@dataclass(frozen=True, slots=True)
class Services:
    """What the handlers work with. `tls_digest`: SHA-256 of the certificate that clients see; None on plain HTTP."""

    settings: RelaySettings
    store: RelayStore
    keeper: DirectoryKeeper
    identity: RelayIdentity
    clock: Clock
    intake: Intake
    sessions: Sessions
    metrics: Metrics
    requests: RequestVerifier
    handshakes: Newcomers
    tls_digest: Digest | None
    logs: Logs
    journal: Journal


class Routes:
    """The handlers, one for each row of the module's table."""

    def __init__(self, services: Services) -> None:
        """`add_to` binds them."""
        self._s = services

    def add_to(self, app: web.Application) -> None:
        """Bind every path."""
        app.add_routes(
            [
                web.post(PATH_ENVELOPES, self.post_envelope),
                web.get(PATH_DIRECTORY, self.get_directory, allow_head=False),
                web.post(PATH_DIRECTORY, self.post_directory),
                web.get(PATH_SESSION, self.session, allow_head=False),
                web.get(PATH_MAILBOX, self.get_mailbox, allow_head=False),
                web.get(PATH_BODIES + "/{sender}/{id}", self.get_body, allow_head=False),
                web.post(PATH_ACKS, self.post_acknowledgements),
                web.post(PATH_NOTICES, self.post_notices),
                web.post(PATH_REFUSALS, self.post_refusals),
            ]
        )

    async def post_envelope(self, request: web.Request) -> web.Response:
        """Take in an envelope."""
        with self._s.intake.slots.upload(request.remote) as upload:
            header = await self._in_time(self._read_header(request), "the header")
            receipt = await self._s.intake.submit(header, _pieces(request), upload)
        return web.Response(status=202, body=receipt, content_type=OCTETS)

    async def get_directory(self, request: web.Request) -> web.Response:
        """Entries from an index, each after its length."""
        text = request.query.get("from", "0")
        if not text.isascii() or not text.isdigit() or len(text) > 9:
            raise Malformed("bad-index", "from has to be the index of the first entry wanted")
        size = self._s.keeper.current.size
        entries = await self._s.store.entries(int(text), DIRECTORY_BYTES)
        body = b"".join(frame_prefix(entry) + entry for entry in entries)
        return web.Response(body=body, content_type=OCTETS, headers={"Cbm-Directory-Size": str(size)})

    async def post_directory(self, request: web.Request) -> web.Response:
        """Append an entry."""
        raw = await self.read(request, MAX_DIRECTORY_ENTRY)
        try:
            index = await self._s.keeper.append(raw)
        except (ExchangeError, KeyFault, DecodeError) as fault:
            self._s.journal.unattributed(fault, request.remote)
            raise
        size = self._s.keeper.current.size
        self._s.metrics.directory_size.set(size)
        self._s.sessions.end_untrusted(self._s.keeper.current)
        self._s.logs.directory.grew()
        self._s.journal.grew()
        return web.json_response({"index": index, "size": size})

    async def session(self, request: web.Request) -> web.StreamResponse:
        """A node's WebSocket."""
        s = self._s
        socket = web.WebSocketResponse(max_msg_size=MAX_FRAME, heartbeat=HEARTBEAT, compress=False)
        try:
            with s.handshakes.place(request.remote):
                await socket.prepare(request)
                peer = await self._welcomed(socket, request.remote)
            session = Session(socket, peer, s.store, s.intake, s.clock, s.metrics, s.logs.answered, s.journal)
            await session.run(s.sessions)
        except (ExchangeError, DecodeError) as fault:
            if not socket.prepared:
                raise
            await refuse(socket, fault)
        except ConnectionError:
            pass
        return socket

    async def _welcomed(self, socket: web.WebSocketResponse, remote: str | None) -> Peer:
        s = self._s
        try:
            peer = await shake_hands(socket, s.identity, s.keeper, s.tls_digest, s.clock)
        except (ExchangeError, DecodeError) as fault:
            s.journal.denied(fault, remote)
            raise
        return replace(peer, remote=remote)

    async def get_mailbox(self, request: web.Request) -> web.Response:
        """What waits for the member that asks."""
        member = self.signed(request, b"")
        now = self._s.clock.now()
        window = Window()
        items = await self._s.store.waiting(member, now, window.lanes(), (), MAX_FRAME)
        notices = await self._s.store.notices(member, (), MAX_ACKS)
        refusals = await self._s.store.refusals(member, (), MAX_PULLED_REFUSALS)
        taken = list(window.take(items, now))
        for item in taken:
            self._s.journal.handed(member, item.place)
        mailbox = Mailbox(
            tuple(deliver(item) for item in taken),
            tuple(notice.signed for notice in notices),
            tuple(notice_of(item) for item in refusals) or None,
        )
        return web.Response(body=encode(MAILBOX, mailbox), content_type=OCTETS)

    async def get_body(self, request: web.Request) -> web.StreamResponse:
        """The ciphertext of an envelope that waits for the member that asks."""
        member = self.signed(request, b"")
        pieces = await self._s.store.body(member, _envelope_key(request))
        if pieces is None:
            raise NotFound("body-not-here", "no such envelope waits for this member")
        response = web.StreamResponse(headers={"Content-Type": OCTETS})
        await response.prepare(request)
        async for piece in pieces:
            await response.write(piece)
        await response.write_eof()
        return response

    async def post_acknowledgements(self, request: web.Request) -> web.Response:
        """Acknowledgements, each of which says itself by whom it is."""
        raw = await self.read(request, _MAX_ACKS)
        faults = await self._s.intake.acknowledge(decode(ACKS, raw, _MAX_ACKS).acknowledgements)
        if faults:
            raise faults[0]
        return web.Response(status=204)

    async def post_notices(self, request: web.Request) -> web.Response:
        """The member that asks has these notices on file."""
        raw = await self.read(request, _MAX_ACKS)
        member = self.signed(request, raw)
        await self._s.store.seen(member, decode(SEEN, raw, _MAX_ACKS).items)
        return web.Response(status=204)

    async def post_refusals(self, request: web.Request) -> web.Response:
        """The member that asks has dealt with these refused transfers."""
        raw = await self.read(request, _MAX_ACKS)
        member = self.signed(request, raw)
        await self._s.store.refusals_seen(member, decode(REFUSALS_SEEN, raw, _MAX_ACKS).digests)
        return web.Response(status=204)

    def signed(self, request: web.Request, body: bytes) -> MemberId:
        """The member that signed this request. Raises Unauthenticated or TooMany."""
        try:
            return self._s.requests.verify(request, body, self._s.keeper.current, self._s.clock.now())
        except Unauthenticated as fault:
            self._s.journal.denied(fault, request.remote)
            raise

    async def _read_header(self, request: web.Request) -> bytes:
        try:
            size = header_length(await request.content.readexactly(4))
        except DecodeError:
            raise TooLarge("header-size", "the frame states a header that no envelope may have") from None
        return await request.content.readexactly(size)

    async def read(self, request: web.Request, limit: int) -> bytes:
        """The body of a request. Raises TooLarge, TooSlow or Malformed."""
        if (request.content_length or 0) > limit:
            raise TooLarge("too-large", f"at most {limit} bytes are expected here")
        raw = await self._in_time(request.read(), "the request")
        if len(raw) > limit:
            raise TooLarge("too-large", f"at most {limit} bytes are expected here")
        return raw

    async def _in_time(self, reading: Awaitable[bytes], what: str) -> bytes:
        allowed = self._s.settings.limits.header_timeout
        try:
            async with asyncio.timeout(allowed):
                return await reading
        except TimeoutError:
            raise TooSlow("upload-too-slow", f"{what} did not arrive within {allowed:.0f} s: try again") from None
        except (IncompleteReadError, ConnectionError):
            raise Malformed("truncated", f"{what} ended too early") from None


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.content.iter_any():
            yield piece
    except ConnectionError:
        raise Malformed("truncated", "the body ended too early") from None


def _envelope_key(request: web.Request) -> EnvelopeKey:
    try:
        raw = bytes.fromhex(request.match_info["id"])
        key = EnvelopeKey(member_id(request.match_info["sender"]), EnvelopeId(raw))
    except (ValueError, DecodeError):
        raw, key = b"", EnvelopeKey(MemberId(""), EnvelopeId(b""))
    if len(raw) != 16:
        raise Malformed("bad-envelope-id", "the path ends in the sender's code and 32 hexadecimal digits")
    return key
