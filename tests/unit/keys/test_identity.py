"""Private identities never print themselves, and sign under labels."""

import traceback
from dataclasses import FrozenInstanceError

import pytest

from keys import primitives
from keys.digests import epoch_key_id, fingerprint, key_id
from keys.errors import KeyFault
from keys.identity import EpochIdentity, SigningIdentity
from schemas.contexts import Context, framed
from schemas.ids import MemberId
from tests.support.entropy import derived

ENTROPY = derived("identity", size=96)
IDENTITY = SigningIdentity.from_entropy(MemberId("KAZ"), ENTROPY)
SEED = derived("epoch", size=96)
EPOCH = EpochIdentity(SEED)


def forms(thing: object) -> list[str]:
    return [repr(thing), str(thing), f"{thing}", f"{thing!r}", f"{thing!s:>200}", f"{[thing]}", f"{ {1: thing} }"]


def shows(text: str, secret: bytes) -> bool:
    """Whether a text holds four bytes of the secret, in any of the forms in which Python prints bytes."""
    pieces = [secret[i : i + 4] for i in range(0, len(secret) - 3, 4)]
    return any(p.hex() in text or repr(p)[2:-1] in text or str(list(p))[1:-1] in text for p in pieces)


def test_the_check_would_see_a_secret() -> None:
    assert shows(repr(SEED), SEED)
    assert shows(SEED.hex(), SEED)
    assert shows(f"{list(SEED)}", SEED)


@pytest.mark.parametrize(("thing", "secret"), [(IDENTITY, ENTROPY), (EPOCH, SEED)], ids=["signing", "epoch"])
def test_an_identity_prints_its_key_id_only(thing: SigningIdentity | EpochIdentity, secret: bytes) -> None:
    for text in forms(thing):
        assert thing.key_id.hex()[:16] in text
        assert not shows(text, secret)


@pytest.mark.parametrize(("thing", "secret"), [(IDENTITY, ENTROPY), (EPOCH, SEED)], ids=["signing", "epoch"])
def test_a_traceback_shows_no_secret(thing: SigningIdentity | EpochIdentity, secret: bytes) -> None:
    with pytest.raises(FrozenInstanceError) as caught:
        thing.key_id = key_id(IDENTITY.public)  # type: ignore[misc]  # frozen, which is what is tested
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert not shows("".join(report.format()).replace(repr(secret), ""), secret)


def test_an_epoch_seed_of_the_wrong_size_is_refused_without_showing_it() -> None:
    with pytest.raises(KeyFault) as caught:
        EpochIdentity(SEED[:64])
    assert not shows(str(caught.value), SEED)


def test_every_half_comes_from_its_own_seed() -> None:
    assert IDENTITY.public.ed25519 == primitives.ed25519_public(ENTROPY[:32])
    assert IDENTITY.public.mldsa65 == primitives.mldsa65_public(ENTROPY[32:64])
    assert IDENTITY.cosigner == primitives.mldsa44_public(ENTROPY[64:])
    assert IDENTITY.entropy == ENTROPY
    assert IDENTITY.key_id == key_id(IDENTITY.public)
    assert EPOCH.key_id == epoch_key_id(EPOCH.public)


def test_a_signature_is_over_the_framed_label_and_names_its_key() -> None:
    signature = IDENTITY.sign(Context.GRANT, b"body")
    assert (signature.signer, signature.key_id) == ("KAZ", IDENTITY.key_id)
    message = framed(Context.GRANT, b"body")
    assert primitives.ed25519_verify(IDENTITY.public.ed25519, message, signature.value)
    for other in (framed(Context.PROVISION, b"body"), framed(Context.GRANT, b"bod", b"y"), b"body"):
        assert not primitives.ed25519_verify(IDENTITY.public.ed25519, other, signature.value)


def test_key_ids_of_different_keys_differ() -> None:
    others = [SigningIdentity.from_entropy(MemberId("KAZ"), derived("other", str(n), size=96)) for n in range(3)]
    assert len({IDENTITY.key_id, EPOCH.key_id, *(other.key_id for other in others)}) == 5


def test_a_fingerprint_is_sixteen_groups_of_four() -> None:
    text = fingerprint(bytes(range(32)))
    assert text.split()[:2] == ["0001", "0203"]
    assert [len(group) for group in text.split(" ")] == [4] * 16
