"""Time-stamps of an authority (RFC 3161): that some bytes existed at a time, by the word of who has no part in them.

The only module that touches rfc3161-client, an optional dependency, whose nonces come from its own generator.
"""

from dataclasses import dataclass
from typing import Final

from keys.errors import BadSignature, KeystoreFault
from keys.primitives import Certificates

try:
    from rfc3161_client import (
        HashAlgorithm,
        TimestampRequestBuilder,
        VerificationError,
        VerifierBuilder,
        decode_timestamp_response,
    )
except ImportError:  # pragma: no cover
    _MISSING = True
else:
    _MISSING = False

MAX_STAMP: Final = 32 * 1024
"""Octets. With the certificate of who signed it a stamp has some 2 KB; RSA keys and a chain make it 10 KB."""


@dataclass(frozen=True, slots=True)
class StampRequest:
    """What is sent to an authority (application/timestamp-query), and the nonce that its answer has to repeat."""

    encoded: bytes
    nonce: int | None


def stamp_request(data: bytes) -> StampRequest:
    """Ask for a stamp of the SHA-256 of `data`. Raises KeystoreFault without the library."""
    _require()
    asked = TimestampRequestBuilder(data, HashAlgorithm.SHA256).build()
    return StampRequest(asked.as_bytes(), asked.nonce)


def verify_stamp(stamp: bytes, data: bytes, trusted: Certificates, nonce: int | None = None) -> int:
    """The time (Unix seconds) that an authority states for `data`; its certificates are judged as of then.

    `nonce`: of the request, when it has just been made. Raises BadSignature, or KeystoreFault without the library.
    """
    _require()
    if len(stamp) > MAX_STAMP:
        raise BadSignature("a time-stamp is larger than any is")
    try:
        answer = decode_timestamp_response(stamp)
        verifier = VerifierBuilder(roots=list(trusted.roots), intermediates=list(trusted.others), nonce=nonce).build()
        verifier.verify_message(answer, data)
    except VerificationError as fault:
        raise BadSignature(f"the time-stamp does not hold: {' '.join(str(fault).split())[:200]}") from None
    except ValueError:
        raise BadSignature("the answer is no time-stamp of RFC 3161 in DER") from None
    return int(answer.tst_info.gen_time.timestamp())


def _require() -> None:
    if _MISSING:
        raise KeystoreFault("time-stamps need rfc3161-client: pip install 'cbm-exchange[timestamps]'")
