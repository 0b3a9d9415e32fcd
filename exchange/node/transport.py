"""The node's side of the relay's HTTP API. It says what the relay said; it decides nothing.

The relay is authenticated by the digest of its TLS certificate, which the charter states: no certificate authority
is trusted. Over plain loopback HTTP there is no digest, and the session's signatures still hold.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp
from http_message_signatures import HTTPMessageSigner, algorithms

from exchange.clock import Clock
from exchange.errors import ExchangeError
from exchange.node.patience import Patience
from exchange.node.relay_fault import network_faults, problem, reason
from exchange.node.tls import PinnedCertificates, pinned_context
from keys.identity import SigningIdentity
from keys.origin import AUDIT_LOG as AUDIT
from keys.primitives import random_bytes
from schemas import limits
from schemas.canon import decode, encode
from schemas.envelope import frame_prefix
from schemas.ids import Digest
from schemas.receipt import SIGNED_RECEIPT, SignedReceipt
from schemas.relayapi import (
    ACKS,
    MAILBOX,
    MAX_FRAME,
    MAX_MAILBOX,
    PATH_ACKS,
    PATH_ANCHORS,
    PATH_BODIES,
    PATH_DIRECTORY,
    PATH_ENVELOPES,
    PATH_LOG,
    PATH_MAILBOX,
    PATH_NOTICES,
    PATH_REFUSALS,
    PATH_SESSION,
    REFUSALS_SEEN,
    SEEN,
    Acks,
    Mailbox,
    RefusalsSeen,
    Seen,
)

_Data = bytes | AsyncIterator[bytes] | None
_RETRY_STATUS: Final = frozenset({408, 425, 429})
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=10, sock_read=30)
# What one page of the directory may hold; the relay sends less.
_MAX_PAGE: Final = 8 * limits.MIB
# One proof with the note that it leads to.
_MAX_ORIGIN: Final = limits.MAX_ORIGIN_NOTE + 16 * limits.KIB
_SIGNATURE_AGE: Final = timedelta(seconds=60)


class RelayUnreachable(ExchangeError):
    """The relay could not be asked, or asks to try later."""

    status = 503
    title = "Relay not reachable"


class RelayRefused(ExchangeError):
    """The relay's final answer is no. `code` is its problem type's code."""

    status = 502
    title = "Refused by the relay"


class _Message:
    """What the signature library signs: method, URL and headers."""

    def __init__(self, method: str, url: str, headers: dict[str, str]) -> None:
        self.method = method
        self.url = url
        self.headers = headers


class RelayClient:
    """One relay. `tls_digests` are the SHA-256 of the certificates (DER) it may show; empty for plain loopback."""

    def __init__(self, url: str, tls_digests: tuple[Digest, ...], identity: SigningIdentity, clock: Clock) -> None:
        """Nothing is sent yet. Raises RelayRefused for TLS without a pinned certificate."""
        if url.startswith("https://") and not tls_digests:
            raise RelayRefused("relay-not-pinned", "the charter names no certificate of a relay: ask the Secretariat")
        self._url = url.rstrip("/")
        self._digests = tls_digests
        self._context = pinned_context()
        self._identity = identity
        self._clock = clock
        self._signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519)
        self._session: aiohttp.ClientSession | None = None

    @property
    def tls(self) -> bool:
        """Whether the connection is TLS."""
        return self._url.startswith("https://")

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def post_envelope(self, header: bytes, body: Iterator[bytes]) -> SignedReceipt:
        """Hand over an envelope; gives the relay's receipt, not yet verified."""
        patience = Patience()

        async def stream() -> AsyncIterator[bytes]:
            yield frame_prefix(header) + header
            while piece := await asyncio.to_thread(next, body, b""):
                yield piece
                # Asked for the next one: this one has left.
                patience.moved(len(piece))

        most = limits.MAX_SMALL_OBJECT * 2
        answer = await self._request("POST", PATH_ENVELOPES, data=stream(), most=most, patience=patience)
        return decode(SIGNED_RECEIPT, answer, limits.MAX_SMALL_OBJECT * 2)

    async def directory(self, start: int) -> tuple[bytes, ...]:
        """Directory entries from `start`, as many as the relay sends at once; not yet verified."""
        data = await self._request("GET", f"{PATH_DIRECTORY}?from={start}", most=_MAX_PAGE)
        entries = []
        position = 0
        while position < len(data):
            end = position + 4 + int.from_bytes(data[position : position + 4], "big")
            entries.append(data[position + 4 : end])
            position = end
        return tuple(entries)

    async def checkpoint(self, log: str) -> bytes | None:
        """The newest published checkpoint of a log (`directory`, `audit`), not verified; None when there is none."""
        path = f"{PATH_LOG}/{log}/checkpoint"
        try:
            return await self._request("GET", path, most=limits.MAX_NOTE, signed=log == AUDIT)
        except RelayRefused as refusal:
            if refusal.code == "no-checkpoint":
                return None
            raise

    async def origin(self, sender: str, envelope: bytes, recipient: str | None = None) -> bytes | None:
        """That an acceptance, or a recipient's answer, is in the relay's log, not verified; None when it is not yet."""
        query = f"sender={sender}&envelope={envelope.hex()}" + (f"&recipient={recipient}" if recipient else "")
        try:
            return await self._request("GET", f"{PATH_LOG}/{AUDIT}/proof?{query}", most=_MAX_ORIGIN, signed=True)
        except RelayRefused as refusal:
            if refusal.code == "not-logged-yet":
                return None
            raise

    async def publish(self, entry: bytes) -> None:
        """Offer one entry of the directory."""
        await self._request("POST", PATH_DIRECTORY, data=entry, most=limits.KIB)

    async def mailbox(self) -> Mailbox:
        """Pull what waits."""
        return decode(MAILBOX, await self._request("GET", PATH_MAILBOX, most=MAX_MAILBOX, signed=True), MAX_MAILBOX)

    async def acknowledge(self, acks: Acks) -> None:
        """Hand over acknowledgements without a session."""
        await self._request("POST", PATH_ACKS, data=encode(ACKS, acks), most=limits.KIB)

    async def seen(self, seen: Seen) -> None:
        """Say which notices are on file, without a session."""
        await self._request("POST", PATH_NOTICES, data=encode(SEEN, seen), most=limits.KIB, signed=True)

    async def refusals_seen(self, seen: RefusalsSeen) -> None:
        """Say which refused transfers were dealt with, without a session."""
        await self._request("POST", PATH_REFUSALS, data=encode(REFUSALS_SEEN, seen), most=limits.KIB, signed=True)

    async def anchor(self, anchor: bytes) -> bytes:
        """Hand over an `Anchor` of this node's audit log; gives the relay's `Anchored`."""
        return await self._request("POST", PATH_ANCHORS, data=anchor, most=limits.KIB, signed=True)

    async def anchored(self, path: str, most: int) -> bytes:
        """What the relay has of a member's log: `CODE`, `CODE/hashes?from=N` or `CODE/proof?size=N`; not verified."""
        return await self._request("GET", f"{PATH_ANCHORS}/{path}", most=most, signed=True)

    async def body(self, sender: str, envelope: bytes) -> AsyncGenerator[bytes, None]:
        """Stream an envelope's ciphertext; the caller has the Patience, because it has the pieces."""
        path = f"{PATH_BODIES}/{sender}/{envelope.hex()}"
        async with self._open("GET", path, self._signed("GET", path, None), None) as response:
            await _refuse_bad_status(response)
            async for piece in response.content.iter_chunked(limits.CHUNK):
                yield piece

    async def session(self) -> tuple[aiohttp.ClientWebSocketResponse, Digest | None]:
        """Connect the WebSocket; gives it and the digest of the certificate that this connection saw."""
        with network_faults(self._unreachable):
            async with Patience():
                socket = await self._http().ws_connect(
                    self._url + PATH_SESSION, ssl=self._context, max_msg_size=MAX_FRAME + 1, heartbeat=20, autoping=True
                )
        if not self.tls:
            return socket, None
        tunnel = socket.get_extra_info("ssl_object")
        certificate = tunnel.getpeercert(binary_form=True) if tunnel is not None else None
        if certificate is None:
            await socket.close()
            raise RelayUnreachable("relay-unreachable", f"the relay at {self._url} closed the connection at once")
        return socket, Digest(hashlib.sha256(certificate).digest())

    async def _request(
        self,
        method: str,
        path: str,
        *,
        most: int,
        data: _Data = None,
        signed: bool = False,
        patience: Patience | None = None,
    ) -> bytes:
        headers = self._signed(method, path, data if isinstance(data, bytes) else None) if signed else {}
        try:
            async with patience or Patience() as waiting, self._open(method, path, headers, data) as response:
                await _refuse_bad_status(response)
                answer = bytearray()
                async for piece in response.content.iter_chunked(limits.CHUNK):
                    answer += piece
                    waiting.moved(len(piece))
                    if len(answer) > most:
                        raise RelayUnreachable("relay-answer", "the relay's answer is larger than the protocol allows")
                return bytes(answer)
        except TimeoutError as fault:
            raise self._unreachable(fault) from None

    @asynccontextmanager
    async def _open(
        self, method: str, path: str, headers: Mapping[str, str], data: _Data
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request; network faults become RelayUnreachable."""
        with network_faults(self._unreachable):
            async with self._http().request(
                method, self._url + path, headers=headers, data=data, ssl=self._context, allow_redirects=False
            ) as response:
                yield response

    def _signed(self, method: str, path: str, body: bytes | None) -> dict[str, str]:
        """RFC 9421 headers: who asks, for what, when, once; with RFC 9530's digest when there is a body."""
        message = _Message(method, self._url + path, {})
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        prepared = self._signer.prepare(
            message,
            key_id=f"{self._identity.owner}:{self._identity.key_id.hex()}",
            created=now,
            expires=now + _SIGNATURE_AGE,
            nonce=random_bytes(16).hex(),
            label="cbm",
            covered_component_ids=("@method", "@authority", "@path", "@query"),
            body=body,
        )
        self._signer.apply(message, prepared, self._identity.sign_http(prepared.signature_base))
        return message.headers

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            pinned = PinnedCertificates(self._digests) if self._digests else False
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=pinned),
                timeout=_TIMEOUT,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                middlewares=(_no_redirects,),
            )
        return self._session

    def _unreachable(self, fault: BaseException) -> RelayUnreachable:
        if isinstance(fault, aiohttp.ServerFingerprintMismatch):
            why = f"shows a certificate that the charter does not name (SHA-256 {fault.got.hex()}): nothing was sent"
            return RelayUnreachable("relay-not-pinned", f"what answers at {self._url} {why}")
        return RelayUnreachable("relay-unreachable", f"the relay at {self._url} does not answer: {reason(fault)}")


async def _no_redirects(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A relay that sends a node elsewhere is not followed: it would choose the peer, and with it leave TLS."""
    response = await handler(request)
    if 300 <= response.status < 400:
        response.close()
        raise RelayUnreachable("relay-redirect", f"the relay answered {response.status}: redirects are not followed")
    return response


async def _refuse_bad_status(response: aiohttp.ClientResponse) -> None:
    if response.status < 300:
        return
    code, detail, extra = problem(await response.content.read(16 * limits.KIB))
    # Final is only what the relay says by a code of the protocol; anything may stand before it and say 404.
    if not code or response.status >= 500 or response.status in _RETRY_STATUS:
        raise RelayUnreachable(code or "relay-busy", detail or f"the relay answered {response.status}")
    raise RelayRefused(code, detail or f"the relay answered {response.status}", extra)
