"""TLS 1.3 to a relay whose certificate is pinned by its digest in the charter: no certificate authority is trusted."""

import hashlib
import ssl
from asyncio import Transport

import aiohttp

from keys.primitives import equal
from schemas.ids import Digest


class PinnedCertificates(aiohttp.Fingerprint):
    """Lets a connection stand only when the server's certificate (DER) has one of these SHA-256 digests."""

    def __init__(self, digests: tuple[Digest, ...]) -> None:
        """At least one digest."""
        super().__init__(digests[0])
        self._digests = digests

    def check(self, transport: Transport) -> None:
        """Raises aiohttp.ServerFingerprintMismatch, before a byte of a request was sent."""
        tunnel = transport.get_extra_info("ssl_object")
        # A connection that is closing may have neither tunnel nor peer any more.
        certificate = tunnel.getpeercert(binary_form=True) if tunnel is not None else None
        got = hashlib.sha256(certificate).digest() if certificate is not None else b""
        if not any(equal(got, digest) for digest in self._digests):
            host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
            raise aiohttp.ServerFingerprintMismatch(self.fingerprint, got, host, port)


def pinned_context() -> ssl.SSLContext:
    """TLS 1.3 without authorities and names: `PinnedCertificates` is what authenticates the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
