"""Signed requests: HTTP Message Signatures (RFC 9421) with Ed25519 by a member's node signing key.

`keyid` is the member's code, a colon, the key id in hexadecimal. Covered are at least @method, @authority, @path and
@query, and Content-Digest (RFC 9530) of a request that has a body; `created`, `expires` and `nonce` are required.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, NamedTuple

from aiohttp import web
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from exchange.errors import Unauthenticated
from exchange.relay.admission import NonceMemory
from exchange.relay.core import ClockOff
from exchange.relay.limits import MAX_NONCE, REQUEST_AGE, SESSION_SKEW
from keys.directory import Directory
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.ids import KeyId, MemberId, member_id

COMPONENTS: Final = ("@method", "@authority", "@path", "@query")
# SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) up to its 32 bytes.
_SPKI: Final = bytes.fromhex("302a300506032b6570032100")


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A request as its signature sees it: the target as it was sent, not as a library rewrites it."""

    method: str
    url: str
    headers: Mapping[str, str]


class Signer(NamedTuple):
    """Who signs, by a `keyid`."""

    member: MemberId
    key: KeyId


def parse_keyid(text: str) -> Signer:
    """Read a `keyid`; raises Unauthenticated."""
    code, _, key = text.partition(":")
    try:
        member = member_id(code)
        raw = bytes.fromhex(key)
    except (DecodeError, ValueError):
        raw, member = b"", MemberId("")
    if len(raw) != 32 or raw.hex() != key:
        raise Unauthenticated("request-key", "keyid has to be the member's code, a colon and 64 hexadecimal digits")
    return Signer(member, KeyId(raw))


class _Keys(HTTPSignatureKeyResolver):
    """Public keys from the directory, valid now."""

    def __init__(self, directory: Directory, now: int) -> None:
        self._directory = directory
        self._now = now

    def resolve_public_key(self, key_id: str) -> bytes:
        signer = parse_keyid(key_id)
        record = self._directory.signing_key(signer.member, signer.key, self._now)
        return (
            b"-----BEGIN PUBLIC KEY-----\n"
            + base64.b64encode(_SPKI + record.keys.ed25519)
            + b"\n-----END PUBLIC KEY-----\n"
        )


class _Verifier(HTTPMessageVerifier):
    """The library's verifier; times are judged by `_check_times`, on the relay's clock instead of the machine's."""

    def validate_created_and_expires(self, sig_input: object, max_age: timedelta | None = None) -> None:
        """Nothing: see above."""


class RequestVerifier:
    """Verifies signed requests and remembers their nonces."""

    def __init__(self, authority: str | None) -> None:
        """`authority`: the only one that requests may be signed for; None for any."""
        self._authority = authority
        self._nonces = NonceMemory()

    def verify(self, request: web.Request, body: bytes, directory: Directory, now: int) -> MemberId:
        """The member that signed this request. Raises Unauthenticated, or TooMany."""
        if self._authority is not None and request.host != self._authority:
            raise Unauthenticated("request-authority", "the request is for another host than this relay's")
        url = f"{request.scheme}://{request.host}{request.raw_path}"
        message = SignedMessage(request.method, url, request.headers)
        verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=_Keys(directory, now))
        required = (*COMPONENTS, "content-digest") if body else COMPONENTS
        try:
            results = verifier.verify(message, max_age=None, require_components=required, body=body)
        except (HTTPMessageSignaturesException, KeyFault) as fault:
            raise Unauthenticated("request-signature", _reason(fault)) from None
        if len(results) != 1:
            raise Unauthenticated("request-signature", "exactly one signature is expected")
        parameters = results[0].parameters
        member = parse_keyid(str(parameters["keyid"])).member
        expires = _check_times(parameters, member, now)
        nonce = parameters.get("nonce")
        if not isinstance(nonce, str) or not 16 <= len(nonce) <= MAX_NONCE:
            raise Unauthenticated("request-nonce", f"a nonce of 16 to {MAX_NONCE} characters is required")
        self._nonces.remember(member, nonce, expires, now)
        return member


def _check_times(parameters: Mapping[str, int | str], member: MemberId, now: int) -> int:
    """The signature's end, after which its nonce need not be remembered."""
    created, expires = parameters.get("created"), parameters.get("expires")
    if not isinstance(created, int) or not isinstance(expires, int):
        raise Unauthenticated("request-time", "created and expires are required")
    if created > now + SESSION_SKEW or expires < now:
        if abs(created - now) > SESSION_SKEW:
            raise ClockOff("request-time", member, "the request was not signed at this time")
        raise Unauthenticated("request-time", "the signature is not valid any more: sign anew")
    if expires - created > REQUEST_AGE:
        raise Unauthenticated("request-time", f"a signature may be good for {REQUEST_AGE} s at most")
    return expires


def _reason(fault: Exception) -> str:
    """The library's or the directory's sentence, without line breaks."""
    text = " ".join(str(fault).split())[:200]
    return text or "the signature does not verify"
