"""Asks a relay what can be asked without its protocol: does it answer, under which certificate, what is its time."""

import asyncio
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from exchange.node.tls import PinnedCertificates, pinned_context
from exchange.node.transport import RelayClient, RelayRefused, RelayUnreachable
from keys.primitives import certificate_end
from schemas.ids import Digest, EnvelopeId, MemberId

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15)
_NOT_THERE: Final = "body-not-here"


@dataclass(frozen=True, slots=True)
class Probe:
    """Times are Unix seconds; None where the relay does not say."""

    date: int | None
    certificate_end: int | None


class _Seen(PinnedCertificates):
    """Keeps the certificate (DER) that it let through."""

    certificate: bytes | None = None

    def check(self, transport: asyncio.Transport) -> None:
        super().check(transport)
        tunnel = transport.get_extra_info("ssl_object")
        self.certificate = tunnel.getpeercert(binary_form=True) if tunnel is not None else None


async def probe(url: str, digests: tuple[Digest, ...]) -> Probe:
    """Ask the relay's `/healthz`. Raises RelayUnreachable, also for a certificate that the charter does not name."""
    pinned = _Seen(digests) if digests else None
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=pinned or False), timeout=_TIMEOUT) as http,
            http.get(f"{url.rstrip('/')}/healthz", ssl=pinned_context(), allow_redirects=False) as response,
        ):
            date = _date(response.headers.get("Date", ""))
            if response.status != 200:
                raise RelayUnreachable("relay-unhealthy", f"the relay at {url} answers {response.status}")
    except aiohttp.ServerFingerprintMismatch:
        raise RelayUnreachable(
            "relay-not-pinned", f"what answers at {url} shows a certificate that the charter does not name"
        ) from None
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        why = f"the relay at {url} does not answer: {type(fault).__name__}"
        raise RelayUnreachable("relay-unreachable", why) from None
    return Probe(date, None if pinned is None or pinned.certificate is None else certificate_end(pinned.certificate))


async def signed_round_trip(relay: RelayClient, member: MemberId) -> str:
    """Send a signed request that changes nothing; gives why the relay refuses it, empty when it takes the signature.

    It asks for a ciphertext that cannot be there: the relay looks for it only after the signature has verified.
    """
    try:
        async with asyncio.timeout(_TIMEOUT.total):
            async for _ in relay.body(member, EnvelopeId(bytes(16))):
                break
    except RelayRefused as refusal:
        return "" if refusal.code == _NOT_THERE else f"{refusal.code}: {refusal.detail}"
    except (RelayUnreachable, TimeoutError) as fault:
        return str(fault) or "not in time"
    return "it answers what it cannot have"


def _date(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        return None
