"""Seal and open an envelope's body and wraps (docs/protocol.md, "Wrap", "Body")."""

from keys import primitives
from keys.digests import sha256
from keys.errors import Undecryptable
from keys.identity import EpochIdentity
from schemas.contexts import Context, framed
from schemas.errors import DecodeError
from schemas.ids import Digest, KeyId, MemberId
from schemas.statement import KemPublic
from schemas.terms import Suite
from schemas.wrap import Wrap, WrapSecret, wrap_info


def body_key(content_key: bytes) -> bytes:
    """The key of the body's stream, from the content key (32 bytes)."""
    return primitives.hkdf(content_key, framed(Context.BODY_KEY))


def key_commitment(content_key: bytes) -> Digest:
    """Binds the one content key: two keys with one commitment would be a collision of SHA-256."""
    return Digest(primitives.hkdf(content_key, framed(Context.KEY_COMMITMENT)))


def seal_wrap(
    secret: WrapSecret, suite: Suite, core_bytes: bytes, recipient: MemberId, key_id: KeyId, key: KemPublic
) -> Wrap:
    """Seal the content key to one recipient's epoch key, bound to this core."""
    info = wrap_info(suite, sha256(core_bytes), recipient, key_id)
    return Wrap(recipient, key_id, primitives.hpke_seal(key.mlkem768, key.x25519, info, secret.encode()))


def open_wrap(wrap: Wrap, suite: Suite, core_bytes: bytes, commitment: Digest, epoch: EpochIdentity) -> WrapSecret:
    """Open a wrap and check that its key is the one the header commits to. Raises Undecryptable, not saying which."""
    info = wrap_info(suite, sha256(core_bytes), wrap.recipient, wrap.key_id)
    try:
        secret = WrapSecret.decode(primitives.hpke_open(epoch.seed, info, wrap.sealed))
    except DecodeError:
        raise Undecryptable("a wrap does not open with this key") from None
    if not primitives.equal(key_commitment(secret.content_key), commitment):
        raise Undecryptable("a wrap does not open with this key")
    return secret
