"""The libraries do what the standards say: published vectors, through our own calls."""

import hmac

import pytest

from keys import primitives
from keys.errors import KeystoreFault, Undecryptable

# RFC 8032 section 7.1, TEST 1 to 3: seed, public key, message, signature.
ED25519 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
            "55141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
            "00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
            "027beceea1ec40a"
        ),
    ),
]
# RFC 5869 appendix A, cases 1 to 3: secret, salt, info, the first 32 bytes of the output.
HKDF = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
    ),
    (b"\x0b" * 22, b"", b"", "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"),
]
GREETING = b"Ladies and Gentlemen of the class of '99: "
SUNSCREEN = GREETING + b"If I could offer you only one tip for the future, sunscreen would be it."
KEY = bytes(range(0x80, 0xA0))
# RFC 8439 section 2.8.2: nonce, ciphertext, and the one-time key of Poly1305.
AEAD_NONCE = bytes.fromhex("070000004041424344454647")
AEAD_CIPHERTEXT = bytes.fromhex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6"
    "a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116"
)
POLY_KEY = bytes.fromhex("7bac2b252db447af09b67a55a4e955840ae1d6731075d9eb2a9375783ed553ff")
# draft-irtf-cfrg-xchacha-03 appendix A.3.1: nonce, associated data, ciphertext and tag.
XCHACHA_NONCE = bytes(range(0x40, 0x58))
XCHACHA_CONTEXT = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
XCHACHA_SEALED = bytes.fromhex(
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96"
    "b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49"
)


@pytest.mark.parametrize(("seed", "public", "message", "signature"), ED25519)
def test_ed25519_is_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key, text, made = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert primitives.ed25519_public(bytes.fromhex(seed)) == key
    assert primitives.ed25519_sign(bytes.fromhex(seed), text) == made
    assert primitives.ed25519_verify(key, text, made)
    assert not primitives.ed25519_verify(key, text + b"x", made)


def test_ed25519_refuses_what_strict_verifiers_refuse() -> None:
    seed, public, _, signature = (bytes.fromhex(part) for part in ED25519[0])
    order = 2**252 + 27742317777372353535851937790883648493
    malleable = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not primitives.ed25519_verify(public, b"", malleable)
    small_order = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"]
    assert not any(primitives.ed25519_verify(key, b"", bytes(64)) for key in small_order)
    assert not any(primitives.ed25519_verify(public, b"", signature[:size]) for size in (0, 32, 63))
    assert not primitives.ed25519_verify(public, b"", signature + b"\x00")
    assert not any(primitives.ed25519_verify(public[:size], b"", signature) for size in (0, 31))
    assert primitives.ed25519_sign(seed, b"") == signature


@pytest.mark.parametrize(("secret", "salt", "info", "expected"), HKDF)
def test_hkdf_is_rfc_5869(secret: bytes, salt: bytes, info: bytes, expected: str) -> None:
    assert primitives.hkdf(secret, info, salt).hex() == expected


def poly1305(key: bytes, message: bytes) -> bytes:
    """RFC 8439 section 2.5.1, for one test: our chunks have no associated data, the RFC's example has."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for start in range(0, len(message), 16):
        total = (total + int.from_bytes(message[start : start + 16] + b"\x01", "little")) * r % (2**130 - 5)
    return ((total + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def test_a_chunk_is_rfc_8439() -> None:
    padded = AEAD_CIPHERTEXT + bytes(-len(AEAD_CIPHERTEXT) % 16)
    tag = poly1305(POLY_KEY, padded + bytes(8) + len(AEAD_CIPHERTEXT).to_bytes(8, "little"))
    cipher = primitives.ChunkCipher(KEY)
    assert cipher.seal(AEAD_NONCE, SUNSCREEN) == AEAD_CIPHERTEXT + tag
    assert cipher.open(AEAD_NONCE, AEAD_CIPHERTEXT + tag) == SUNSCREEN


@pytest.mark.parametrize("size", [0, 1, 15])
def test_a_chunk_shorter_than_its_tag_is_refused(size: int) -> None:
    with pytest.raises(Undecryptable):
        primitives.ChunkCipher(KEY).open(AEAD_NONCE, bytes(size))


def test_a_sealed_secret_is_xchacha20_poly1305() -> None:
    assert primitives.secret_open(KEY, XCHACHA_NONCE + XCHACHA_SEALED, XCHACHA_CONTEXT) == SUNSCREEN


def test_a_sealed_secret_is_bound_to_key_context_and_every_byte() -> None:
    sealed = primitives.secret_seal(KEY, b"secret", b"context")
    assert len(sealed) == len(b"secret") + primitives.SECRET_OVERHEAD
    assert primitives.secret_open(KEY, sealed, b"context") == b"secret"
    assert primitives.secret_seal(KEY, b"secret", b"context") != sealed
    damaged = [sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :] for i in range(len(sealed))]
    attempts = [(KEY, sealed, b"other"), (bytes(32), sealed, b"context")]
    attempts += [(KEY, data, b"context") for data in [*damaged, sealed[:-1], sealed + b"\x00", b"", bytes(39)]]
    for key, data, context in attempts:
        with pytest.raises(Undecryptable):
            primitives.secret_open(key, data, context)


def test_a_passphrase_key_depends_on_passphrase_and_salt() -> None:
    keys = {
        primitives.passphrase_key(passphrase, salt)
        for passphrase in (b"correct horse", b"correct horsf")
        for salt in (bytes(16), b"\x01" + bytes(15))
    }
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert primitives.passphrase_key(b"correct horse", bytes(16)) in keys


ML_DSA = {
    "44": (primitives.mldsa44_public, primitives.mldsa44_sign, primitives.mldsa44_verify, 1312, 2420),
    "65": (primitives.mldsa65_public, primitives.mldsa65_sign, primitives.mldsa65_verify, 1952, 3309),
}


@pytest.mark.parametrize("scheme", ML_DSA)
def test_ml_dsa_signs_and_verifies(scheme: str) -> None:
    public_of, sign, verify, key_size, size = ML_DSA[scheme]
    seed = bytes(range(32))
    public, signature = public_of(seed), sign(seed, b"message")
    assert (len(public), len(signature)) == (key_size, size)
    assert verify(public, b"message", signature)
    flipped = signature[:100] + bytes([signature[100] ^ 1]) + signature[101:]
    other = public_of(bytes(32))
    assert not verify(public, b"message", flipped)
    assert not verify(public, b"messagf", signature)
    assert not verify(other, b"message", signature)
    assert not any(verify(public, b"message", signature[:end]) for end in (0, size - 1))
    assert not any(verify(public[:end], b"message", signature) for end in (0, key_size - 1))


def test_an_epoch_seed_of_another_size_is_refused() -> None:
    for size in (0, 64, 95, 97):
        with pytest.raises(KeystoreFault):
            primitives.kem_public(bytes(size))


@pytest.mark.parametrize("size", [0, 1, 1119, 1120, 1135, 1136, 4096])
def test_a_sealed_text_of_any_size_is_refused_with_one_error(size: int) -> None:
    with pytest.raises(Undecryptable, match="does not open with this key"):
        primitives.hpke_open(bytes(96), b"", bytes(size))


@pytest.mark.parametrize("curve", [bytes(32), b"\x01" + bytes(31)])
def test_nothing_is_sealed_to_a_curve_point_of_small_order(curve: bytes) -> None:
    lattice, _ = primitives.kem_public(bytes(range(96)))
    with pytest.raises(Undecryptable, match="malformed"):
        primitives.hpke_seal(lattice, curve, b"", b"text")


def test_nothing_is_sealed_to_a_malformed_lattice_key() -> None:
    _, curve = primitives.kem_public(bytes(range(96)))
    with pytest.raises(Undecryptable, match="malformed"):
        primitives.hpke_seal(b"\xff" * 1184, curve, b"", b"text")


def test_comparison_of_secrets_is_the_library_s() -> None:
    assert primitives.equal(b"abc", b"abc")
    assert not primitives.equal(b"abc", b"abd")
    assert not primitives.equal(b"abc", b"ab")
    assert hmac.compare_digest(b"", b"") is primitives.equal(b"", b"")
