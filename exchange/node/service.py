"""Envelopes that nodes send each other on their own account: heads, and requests to send again."""

from typing import Final

from exchange.node.outbound import Parcel, Terms, envelope_id, latest_expiry, make_manifest, sign_provision
from exchange.node.parts import Parts
from exchange.storage.node_values import SettledStream
from keys.primitives import random_bytes
from schemas.canon import encode
from schemas.content import HEAD, ContentKind, Head, Void, VoidReason
from schemas.ids import Digest, MemberId, ProvisionId, StreamId
from schemas.limits import DAY
from schemas.terms import Onward, Precedence, Purpose, Tlp

_EXPIRES: Final = 3 * DAY
_TERMS: Final = Terms(Onward.NONE, Purpose.CONFIDENCE_BUILDING, Tlp.RED, Precedence.ROUTINE)


def service_parcel(parts: Parts, recipient: MemberId, kind: ContentKind, body: bytes, now: int) -> tuple[Parcel, bytes]:
    """What goes to one partner and no further, and the exact bytes of its manifest.

    Raises Untrusted when the partner has no valid epoch.
    """
    identity, directory = parts.keyring.signing, parts.directory.current
    raw = make_manifest((identity.owner,), kind, body, (), random_bytes(32))
    expires = min(now + _EXPIRES, latest_expiry(directory, (recipient,), now))
    provision = sign_provision(
        identity, directory, ProvisionId(random_bytes(16)), (recipient,), _TERMS, raw, now, expires
    )
    parcel = Parcel(
        envelope=envelope_id(now * 1000, random_bytes(10)),
        provisions=(provision,),
        grants=(),
        purpose=_TERMS.purpose,
        precedence=_TERMS.max_precedence,
        created=now,
        expires=expires,
    )
    return parcel, raw


def head_body(settled: SettledStream) -> bytes:
    """A head's bytes: how far a stream is settled."""
    voids = tuple(Void(number, VoidReason(reason)) for number, reason in settled.voids)
    recent = tuple(Digest(digest) for digest in settled.recent) or None
    return encode(HEAD, Head(StreamId(settled.stream), settled.last, Digest(settled.digest), voids, recent))
