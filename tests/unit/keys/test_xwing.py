"""X-Wing and HPKE as published: the draft's vectors, and RFC 9180's key schedule written out.

The library shows no decapsulation on its own. So the test derives, from a vector's shared secret, what RFC 9180 would
encrypt, puts the vector's ciphertext before it, and lets the library open the whole.
"""

import hashlib
import hmac
import json
from pathlib import Path

import pytest

from keys import primitives
from keys.errors import Undecryptable

FILE = Path(__file__).parents[2] / "vectors" / "published" / "xwing.json"
VECTORS: list[dict[str, str]] = json.loads(FILE.read_text("utf-8"))["vectors"]
# KEM X-Wing, KDF HKDF-SHA256, AEAD ChaCha20Poly1305 (RFC 9180 section 7; the KEM's number is of IANA's registry).
SUITE = b"HPKE" + bytes.fromhex("647a00010003")


def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
    """LabeledExtract of RFC 9180 section 4."""
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + secret, "sha256")


def expand(key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    """LabeledExpand of RFC 9180 section 4, up to one block."""
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + SUITE + label + info
    return hmac.digest(key, labelled + b"\x01", hashlib.sha256)[:size]


def seal(shared: bytes, info: bytes, text: bytes) -> bytes:
    """Base mode, first message: KeySchedule of RFC 9180 section 5.1 and one encryption."""
    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return primitives.ChunkCipher(key).seal(nonce, text)


def own_seed(vector: dict[str, str]) -> bytes:
    """Our 96 bytes (ML-KEM d and z, X25519 scalar) from the draft's 32-byte seed."""
    return hashlib.shake_256(bytes.fromhex(vector["seed"])).digest(96)


def test_there_are_vectors() -> None:
    assert len(VECTORS) == 3


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["seed"][:8])
def test_the_public_key_is_the_published_one(vector: dict[str, str]) -> None:
    lattice, curve = primitives.kem_public(own_seed(vector))
    assert (lattice + curve).hex() == vector["pk"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["seed"][:8])
def test_the_shared_secret_is_the_published_one(vector: dict[str, str]) -> None:
    sealed = bytes.fromhex(vector["ct"]) + seal(bytes.fromhex(vector["ss"]), b"info", b"known text")
    assert primitives.hpke_open(own_seed(vector), b"info", sealed) == b"known text"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["seed"][:8])
def test_another_secret_ciphertext_or_info_does_not_open(vector: dict[str, str]) -> None:
    encapsulated, shared = bytes.fromhex(vector["ct"]), bytes.fromhex(vector["ss"])
    text = seal(shared, b"info", b"known text")
    attempts = [
        (b"info", encapsulated + seal(bytes(32), b"info", b"known text")),
        (b"inf0", encapsulated + text),
        (b"info", bytes([encapsulated[0] ^ 1]) + encapsulated[1:] + text),  # the lattice half
        (b"info", encapsulated[:-1] + bytes([encapsulated[-1] ^ 1]) + text),  # the curve half
    ]
    for info, sealed in attempts:
        with pytest.raises(Undecryptable):
            primitives.hpke_open(own_seed(vector), info, sealed)
