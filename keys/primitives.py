"""Every call into PyNaCl and `cryptography`: the only module that imports them.

Keys are raw bytes outside this module; the objects that the libraries want are made here and, where parsing costs
more than the operation (HPKE public keys), kept. Nothing here parses a wire format, and no wire module encrypts.
"""

import hmac
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import nacl.bindings
import nacl.exceptions
from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import KeystoreFault, Undecryptable, Untrusted

# HPKE (RFC 9180) with X-Wing: secure while either X25519 or ML-KEM-768 is.
_HPKE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)

_MALFORMED_KEY: Final = "an epoch key of the directory is malformed: nothing can be sealed to it"

SEED: Final = 32
KEM_SEED: Final = 64 + 32
SECRET_OVERHEAD: Final = 24 + 16
CHUNK_OVERHEAD: Final = 16
# RFC 9106 section 4, second recommended option (64 MiB, 3 passes): a node has to start on a machine of 512 MiB.
ARGON2_OPS: Final = 3
ARGON2_MEMORY: Final = 64 * 1024 * 1024
ARGON2_SALT: Final = 16


def random_bytes(size: int) -> bytes:
    """Bytes from the operating system's generator."""
    return os.urandom(size)


def equal(left: bytes, right: bytes) -> bool:
    """Compare in a time that does not depend on where the two differ."""
    return hmac.compare_digest(left, right)


def hkdf(secret: bytes, info: bytes, salt: bytes = b"") -> bytes:
    """HKDF-SHA256 (RFC 5869) to 32 bytes."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=salt or None, info=info).derive(secret)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104), 32 bytes."""
    return hmac.digest(key, message, "sha256")


# Ed25519 (RFC 8032) from libsodium: it verifies twice as fast as OpenSSL's, refuses non-canonical S and small-order
# keys, and releases the interpreter lock.


@lru_cache(maxsize=64)
def _ed25519_secret(seed: bytes) -> bytes:
    return nacl.bindings.crypto_sign_seed_keypair(seed)[1]


def ed25519_public(seed: bytes) -> bytes:
    """The public key (32 bytes) of a 32-byte seed."""
    return nacl.bindings.crypto_sign_seed_keypair(seed)[0]


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """A 64-byte signature."""
    return nacl.bindings.crypto_sign(message, _ed25519_secret(seed))[:64]


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True only for a valid signature of 64 bytes under a valid key of 32 bytes."""
    if len(signature) != 64 or len(public) != 32:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, public)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


# ML-DSA-65 (FIPS 204), pure, with an empty context string: our labels are inside the message, for both halves alike.


def mldsa65_public(seed: bytes) -> bytes:
    """The public key (1,952 bytes) of a 32-byte seed."""
    return mldsa.MLDSA65PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def mldsa65_sign(seed: bytes, message: bytes) -> bytes:
    """A 3,309-byte signature."""
    return mldsa.MLDSA65PrivateKey.from_seed_bytes(seed).sign(message)


def mldsa65_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True only for a valid signature under a well-formed key."""
    try:
        mldsa.MLDSA65PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# ML-DSA-44 in the same way: the one lattice scheme that C2SP's tlog-cosignature defines, and used for nothing else.


def mldsa44_public(seed: bytes) -> bytes:
    """The public key (1,312 bytes) of a 32-byte seed."""
    return mldsa.MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def mldsa44_sign(seed: bytes, message: bytes) -> bytes:
    """A 2,420-byte signature."""
    return mldsa.MLDSA44PrivateKey.from_seed_bytes(seed).sign(message)


def mldsa44_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """True only for a valid signature under a well-formed key."""
    try:
        mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# Hybrid KEM. The private half is kept as both seeds: the library has no serialiser for the combined key.


def kem_public(seed: bytes | bytearray) -> tuple[bytes, bytes]:
    """ML-KEM-768 public key (1,184 bytes) and X25519 public key (32 bytes) of a 96-byte seed."""
    lattice, curve = _kem_private_halves(seed)
    return lattice.public_key().public_bytes_raw(), curve.public_key().public_bytes_raw()


def hpke_seal(mlkem_public: bytes, x25519_public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Single-shot base mode: encapsulated key (1,120 bytes), then ciphertext. Raises Undecryptable on a bad key."""
    key = _kem_public_key(mlkem_public, x25519_public)
    try:
        return _HPKE.encrypt(plaintext, key, info=info)
    except ValueError:
        # A point of small order: RFC 7748 section 6.1 has the sender refuse the shared secret that it makes.
        raise Undecryptable(_MALFORMED_KEY) from None


def hpke_open(seed: bytes | bytearray, info: bytes, sealed: bytes) -> bytes:
    """Open what `hpke_seal` made for this key and `info`; raises Undecryptable."""
    try:
        return _HPKE.decrypt(sealed, _kem_private_key(seed), info=info)
    except (InvalidTag, ValueError):
        raise Undecryptable("a wrap does not open with this key") from None


def _kem_private_halves(seed: bytes | bytearray) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
    if len(seed) != KEM_SEED:
        raise KeystoreFault("an epoch key has the wrong size: restore it, or publish a new epoch")
    # Views, not copies: a seed that is overwritten later leaves none behind.
    view = memoryview(seed)
    return (
        mlkem.MLKEM768PrivateKey.from_seed_bytes(view[:64]),
        x25519.X25519PrivateKey.from_private_bytes(view[64:]),
    )


def _kem_private_key(seed: bytes | bytearray) -> MLKEM768X25519PrivateKey:
    # Not cached: a cache would outlive the destruction of the epoch.
    return MLKEM768X25519PrivateKey(*_kem_private_halves(seed))


@lru_cache(maxsize=1024)
def _kem_public_key(mlkem_public: bytes, x25519_public: bytes) -> MLKEM768X25519PublicKey:
    try:
        return MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(mlkem_public),
            x25519.X25519PublicKey.from_public_bytes(x25519_public),
        )
    except ValueError:
        raise Undecryptable(_MALFORMED_KEY) from None


def certificate_end(der: bytes) -> int:
    """When an X.509 certificate (DER) ends, Unix seconds. Raises Untrusted for what is none.

    For telling people; what is trusted is a certificate's digest.
    """
    try:
        return int(x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp())
    except ValueError:
        raise Untrusted("this is no certificate") from None


@dataclass(frozen=True, slots=True)
class Certificates:
    """X.509 certificates that somebody has chosen to trust: roots, which vouch for themselves, and those under them."""

    roots: tuple[x509.Certificate, ...]
    others: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, pem: bytes) -> Self:
        """A PEM file. Raises Untrusted when it holds none, or no root."""
        try:
            found = x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise Untrusted("these are no certificates in PEM") from None
        roots = tuple(one for one in found if one.issuer == one.subject)
        if not roots:
            raise Untrusted("there is no root among the certificates: add that of the authority")
        return cls(roots, tuple(one for one in found if one not in roots))


class ChunkCipher:
    """ChaCha20-Poly1305 (RFC 8439) under a key that encrypts one stream only; the nonces are the chunks' numbers."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes, never used for another stream."""
        self._aead = ChaCha20Poly1305(key)

    def seal(self, nonce: bytes, chunk: bytes) -> bytes:
        """Ciphertext and tag."""
        return self._aead.encrypt(nonce, chunk, None)

    def open(self, nonce: bytes, chunk: bytes) -> bytes:
        """Plaintext; raises Undecryptable."""
        try:
            return self._aead.decrypt(nonce, chunk, None)
        except InvalidTag:
            raise Undecryptable("a chunk does not open") from None


# XChaCha20-Poly1305 at rest: its 24-byte nonces may be random for as long as a local key lives.


def secret_seal(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    """Nonce (24 bytes), ciphertext, tag; `context` is authenticated."""
    nonce = random_bytes(24)
    return nonce + nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, context, nonce, key)


def secret_open(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """Open what `secret_seal` made under the same key and context; raises Undecryptable."""
    if len(sealed) < SECRET_OVERHEAD:
        raise Undecryptable("a sealed value is too short")
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[24:], context, sealed[:24], key)
    except nacl.exceptions.CryptoError:
        raise Undecryptable("a sealed value does not open with this key") from None


def passphrase_key(passphrase: bytes, salt: bytes) -> bytes:
    """Argon2id (RFC 9106) to 32 bytes, with the parameters above; `salt` 16 bytes."""
    return nacl.bindings.crypto_pwhash_alg(
        32,
        passphrase,
        salt,
        ARGON2_OPS,
        ARGON2_MEMORY,
        nacl.bindings.crypto_pwhash_ALG_ARGON2ID13,
    )
