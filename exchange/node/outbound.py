"""From a ministry's message to the exact bytes of an envelope. Pure: time and randomness are passed in.

Sealing happens once. What can change afterwards (an epoch, a recipient, a Grant, a term) needs a new envelope.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from keys.digests import content_commitment
from keys.directory import Directory
from keys.identity import SigningIdentity
from keys.sealing import body_key, key_commitment, seal_wrap
from keys.stream import seal_stream
from schemas import limits
from schemas.canon import encode
from schemas.content import (
    MANIFEST,
    Attachment,
    ClassMeaning,
    ContentKind,
    Manifest,
    Transport,
    content_size,
    padded_size,
    payload_prefix,
)
from schemas.contexts import Context
from schemas.envelope import CORE, Core, Header
from schemas.grant import SignedGrant
from schemas.ids import ClassTag, Digest, EnvelopeId, MemberId, ProvisionId, StreamId
from schemas.origin import Origins
from schemas.provision import PROVISION, Provision, SignedProvision
from schemas.terms import Onward, Precedence, Purpose, Suite, Tlp
from schemas.wrap import WRAPS, Wraps, WrapSecret

SUITE: Final = Suite.HYBRID_1
_ZEROS: Final = bytes(limits.CHUNK)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a provider decides about its information; times are Unix seconds."""

    onward: Onward
    purpose: Purpose
    tlp: Tlp
    max_precedence: Precedence
    until: int | None = None
    not_before: int | None = None
    class_tags: tuple[ClassTag, ...] = ()


@dataclass(frozen=True, slots=True)
class NextPlace:
    """The number that an envelope takes in the stream to a recipient, and the digest of the header before."""

    recipient: MemberId
    stream: StreamId
    number: int
    previous: Digest


@dataclass(frozen=True, slots=True)
class Parcel:
    """What an envelope is made of besides its body; times are Unix seconds."""

    envelope: EnvelopeId
    provisions: tuple[SignedProvision, ...]
    grants: tuple[SignedGrant, ...]
    purpose: Purpose
    precedence: Precedence
    created: int
    expires: int
    replaces: EnvelopeId | None = None
    origins: Origins | None = None


def envelope_id(now_ms: int, entropy: bytes) -> EnvelopeId:
    """A UUIDv7 (RFC 9562, 5.7) from milliseconds and 10 random bytes: time-ordered, so that stores append."""
    tail = bytearray(entropy[:10])
    tail[0] = 0x70 | tail[0] & 0x0F
    tail[2] = 0x80 | tail[2] & 0x3F
    return EnvelopeId(now_ms.to_bytes(6, "big") + bytes(tail))


def record_uuid(now_ms: int, entropy: bytes) -> str:
    """A record's id, a UUIDv7 as records write it; arguments as for `envelope_id`."""
    return str(UUID(bytes=bytes(envelope_id(now_ms, entropy))))


def make_manifest(
    providers: tuple[MemberId, ...],
    kind: ContentKind,
    body: bytes,
    attachments: tuple[Attachment, ...],
    salt: bytes,
    classes: tuple[ClassMeaning, ...] = (),
) -> bytes:
    """The content part's manifest; `salt` is 32 fresh random bytes. Raises DecodeError beyond a bound.

    `classes`, in the order of their tags: what those of the Provision stand for.
    """
    return encode(MANIFEST, Manifest(salt, providers, kind, body, attachments, classes or None))


def sign_provision(
    identity: SigningIdentity,
    directory: Directory,
    provision: ProvisionId,
    audience: tuple[MemberId, ...],
    terms: Terms,
    manifest: bytes,
    created: int,
    send_by: int,
) -> SignedProvision:
    """The Provision of one provider over one content. Raises DecodeError for terms that contradict each other."""
    body = provision_body((identity.owner,), directory, provision, audience, terms, manifest, created, send_by)
    return SignedProvision(body, (identity.sign(Context.PROVISION, body),))


def provision_body(
    providers: tuple[MemberId, ...],
    directory: Directory,
    provision: ProvisionId,
    audience: tuple[MemberId, ...],
    terms: Terms,
    manifest: bytes,
    created: int,
    send_by: int,
) -> bytes:
    """What every provider signs. Raises DecodeError for terms that contradict each other."""
    return encode(
        PROVISION,
        Provision(
            id=provision,
            providers=providers,
            audience=audience,
            onward=terms.onward,
            charter=directory.charter.version,
            purpose=terms.purpose,
            until=terms.until,
            not_before=terms.not_before,
            tlp=terms.tlp,
            created=created,
            send_by=send_by,
            max_precedence=terms.max_precedence,
            class_tags=terms.class_tags,
            commitment=content_commitment(manifest),
        ),
    )


def latest_expiry(directory: Directory, recipients: Iterable[MemberId], now: int) -> int:
    """An hour before the first destroy-at of the recipients' epochs. Raises Untrusted when one has no valid epoch."""
    return min(directory.epoch_at(member, now).destroy_at for member in recipients) - limits.EXPIRY_MARGIN


def seal_payload(
    content_key: bytes,
    directory_size: int,
    manifest: bytes,
    attachments: tuple[Attachment, ...],
    attachment_pieces: Iterable[bytes],
    checkpoint: bytes | None = None,
    anchor: bytes | None = None,
) -> Iterator[bytes]:
    """The ciphertext of transport part, manifest, attachments and padding; one sealed chunk at a time.

    `attachment_pieces` are the attachments' bytes, one after another. The first yield follows one pass of nothing:
    sizes are known from the manifest. `checkpoint`: what the sender was shown of the directory, `anchor`: what it shows
    of its own audit log, for recipients to compare.
    """
    size = content_size(manifest, attachments)
    prefix = payload_prefix(Transport(directory_size, size, checkpoint, anchor), manifest)
    whole = len(prefix) - 4 - len(manifest) + size
    return seal_stream(body_key(content_key), _payload(prefix, attachment_pieces, padded_size(whole) - whole))


def seal_header(
    identity: SigningIdentity,
    directory: Directory,
    parcel: Parcel,
    places: tuple[NextPlace, ...],
    content_key: bytes,
    body_size: int,
    body_digest: Digest,
) -> Header:
    """Core, wraps and the sender's signature. Raises Untrusted when a recipient has no valid epoch."""
    core = encode(
        CORE,
        Core(
            suite=SUITE,
            id=parcel.envelope,
            sender=identity.owner,
            key_id=identity.key_id,
            provisions=parcel.provisions,
            grants=parcel.grants,
            purpose=parcel.purpose,
            precedence=parcel.precedence,
            created=parcel.created,
            expires=parcel.expires,
            key_commitment=key_commitment(content_key),
            body_size=body_size,
            body_digest=body_digest,
            replaces=parcel.replaces,
            origins=parcel.origins,
        ),
    )
    wraps = []
    for place in sorted(places, key=lambda place: place.recipient):
        epoch = directory.epoch_at(place.recipient, parcel.created)
        secret = WrapSecret(content_key, place.stream, place.number, place.previous)
        wraps.append(seal_wrap(secret, SUITE, core, place.recipient, epoch.key_id, epoch.keys))
    wraps_bytes = encode(WRAPS, Wraps(tuple(wraps)))
    return Header(core, wraps_bytes, identity.sign_bytes(Context.HEADER, core, wraps_bytes))


def _payload(prefix: bytes, pieces: Iterable[bytes], padding: int) -> Iterator[bytes]:
    yield prefix
    yield from pieces
    while padding > 0:
        step = min(padding, len(_ZEROS))
        yield _ZEROS[:step]
        padding -= step
