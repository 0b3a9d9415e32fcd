"""X-Wing and HPKE as published: the draft's vectors, and RFC 9180's key schedule written out."""

import json
from pathlib import Path

import pytest

from keys import primitives
from keys.errors import Undecryptable
from tests.support.hpke import seal, xwing_seed

FILE = Path(__file__).parents[2] / "vectors" / "published" / "xwing.json"
VECTORS: list[dict[str, str]] = json.loads(FILE.read_text("utf-8"))["vectors"]


def own_seed(vector: dict[str, str]) -> bytes:
    return xwing_seed(bytes.fromhex(vector["seed"]))


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
