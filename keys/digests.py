"""Every digest that names or commits to something: SHA-256 (FIPS 180-4) over labelled, length-framed bytes."""

import hashlib

from schemas.canon import encode
from schemas.charter import HybridPublic
from schemas.content import commitment_input
from schemas.contexts import Context, framed
from schemas.envelope import Header
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import Digest, KeyId
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.statement import KemPublic


def sha256(data: bytes) -> Digest:
    """Plain SHA-256, where the format says so: core bytes inside a wrap's info, bodies, attachments."""
    return Digest(hashlib.sha256(data).digest())


def key_id(keys: HybridPublic) -> KeyId:
    """Names a root or signing key."""
    return KeyId(sha256(framed(Context.KEY_ID, keys.ed25519, keys.mldsa65)))


def epoch_key_id(keys: KemPublic) -> KeyId:
    """Names an epoch key."""
    return KeyId(sha256(framed(Context.KEY_ID, keys.mlkem768, keys.x25519)))


def header_digest(header: Header) -> Digest:
    """Names what the sender signed; the signature itself is not part of it."""
    return sha256(framed(Context.HEADER_DIGEST, header.core_bytes, header.wraps_bytes))


def content_commitment(manifest: bytes) -> Digest:
    """The Provision's commitment to a content."""
    return sha256(commitment_input(manifest))


def provision_digest(body: bytes) -> Digest:
    """Names one Provision, whatever id its maker chose: what is delivered once is this, not the id."""
    return sha256(framed(Context.PROVISION_DIGEST, body))


def logged_provision(signed: SignedProvision) -> Digest:
    """What a log states of a Provision, its signatures included.

    Without them, whoever gets a key later could sign what was logged before without a signature.
    """
    return sha256(framed(Context.LOGGED_PROVISION, encode(SIGNED_PROVISION, signed)))


def logged_grant(signed: SignedGrant) -> Digest:
    """What a log states of a Grant, its signature included."""
    return sha256(framed(Context.LOGGED_GRANT, encode(SIGNED_GRANT, signed)))


def message_id(provision_body: bytes) -> bytes:
    """16 bytes: the name of a message at its sender's node and at every receiver's, from its Provision's digest."""
    return provision_digest(provision_body)[:16]


def charter_digest(body: bytes) -> Digest:
    """Names one version of the charter; read aloud when a node is set up."""
    return sha256(framed(Context.CHARTER_DIGEST, body))


def fingerprint(digest: bytes) -> str:
    """A digest for reading aloud: 16 groups of 4 hexadecimal digits."""
    text = digest.hex()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))
