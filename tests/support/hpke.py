"""RFC 9180's key schedule written out, for vectors that state the shared secret of a KEM and what is inside it.

The library shows no decapsulation on its own. So a test derives, from a shared secret, what RFC 9180 would encrypt,
puts the encapsulated key before it, and lets our own call open the whole.
"""

import hashlib
import hmac

from keys import primitives

# KEM X-Wing, KDF HKDF-SHA256, AEAD ChaCha20Poly1305 (RFC 9180 section 7; the KEM's number is of IANA's registry).
SUITE = b"HPKE" + bytes.fromhex("647a00010003")
# An X, a wing.
_XWING_LABEL = b"\\.//^\\"


def xwing_seed(seed: bytes) -> bytes:
    """Our 96 bytes (ML-KEM d and z, X25519 scalar) from the 32-byte seed of draft-connolly-cfrg-xwing-kem."""
    return hashlib.shake_256(seed).digest(96)


def xwing_secret(lattice: bytes, curve: bytes, ephemeral: bytes, public: bytes) -> bytes:
    """The combined secret of both halves, with the ephemeral and the recipient's X25519 public key."""
    return hashlib.sha3_256(lattice + curve + ephemeral + public + _XWING_LABEL).digest()


def seal(shared: bytes, info: bytes, text: bytes) -> bytes:
    """Base mode, first message: KeySchedule of RFC 9180 section 5.1 and one encryption."""
    context = b"\x00" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")
    key, nonce = _expand(secret, b"key", context, 32), _expand(secret, b"base_nonce", context, 12)
    return primitives.ChunkCipher(key).seal(nonce, text)


def _extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    """LabeledExtract of RFC 9180 section 4."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + secret, "sha256")


def _expand(key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand of RFC 9180 section 4, up to one block."""
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + info
    return hmac.digest(key, labelled + b"\x01", hashlib.sha256)[:size]
