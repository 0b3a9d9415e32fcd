"""The Ed25519 half of a signing key in a PKCS#11 token: it signs like another, and is nowhere else."""

from dataclasses import replace

import pkcs11
import pytest

from keys import primitives
from keys.errors import KeystoreFault
from keys.hybrid import verify_hybrid
from keys.identity import SIGNING_ENTROPY, SigningIdentity
from keys.token import make_token_key, open_token
from schemas.contexts import Context, framed
from schemas.ids import MemberId
from tests.support.token import PIN, SoftToken

KAZ = MemberId("KAZ")
ENTROPY = bytes(range(SIGNING_ENTROPY))


def test_a_key_signs_and_is_found_again(token: SoftToken) -> None:
    made = make_token_key(token.place, PIN)
    again = open_token(token.place, PIN)
    assert again.public == made.public
    for key in (made, again):
        signature = key.sign(b"message")
        assert primitives.ed25519_verify(made.public, b"message", signature)
        assert not primitives.ed25519_verify(made.public, b"another", signature)


def test_an_identity_signs_with_it_and_anyone_verifies(token: SoftToken) -> None:
    identity = SigningIdentity.from_entropy(KAZ, ENTROPY, make_token_key(token.place, PIN))
    software = SigningIdentity.from_entropy(KAZ, ENTROPY)
    assert identity.public.ed25519 != software.public.ed25519
    assert identity.public.mldsa65 == software.public.mldsa65
    assert identity.ed25519_seed == b""
    verify_hybrid(identity.public, identity.sign_hybrid(Context.EPOCH_KEY, b"body"), Context.EPOCH_KEY, b"body")
    for message, signature in (
        (framed(Context.HEADER, b"core"), identity.sign_bytes(Context.HEADER, b"core")),
        (b'"@method": GET', identity.sign_http(b'"@method": GET')),
        (b"a note\n", identity.sign_note(b"a note\n")),
    ):
        assert primitives.ed25519_verify(identity.public.ed25519, message, signature)


def test_nothing_but_a_note_is_signed_as_one(token: SoftToken) -> None:
    identity = SigningIdentity.from_entropy(KAZ, ENTROPY, make_token_key(token.place, PIN))
    with pytest.raises(ValueError, match="note"):
        identity.sign_note(framed(Context.HEADER, b"core"))


def test_a_key_is_never_made_over_another(token: SoftToken) -> None:
    made = make_token_key(token.place, PIN)
    with pytest.raises(KeystoreFault, match="already"):
        make_token_key(token.place, PIN)
    assert open_token(token.place, PIN).public == made.public


@pytest.mark.parametrize(
    ("change", "told"),
    [({"key": "another"}, "no key pair"), ({"label": "another"}, "NoSuchToken"), ({"module": "/nowhere.so"}, "driver")],
)
def test_what_is_not_there_is_told_without_the_pin(token: SoftToken, change: dict[str, str], told: str) -> None:
    make_token_key(token.place, PIN)
    with pytest.raises(KeystoreFault, match=told) as caught:
        open_token(replace(token.place, **change), PIN)
    assert PIN.decode() not in str(caught.value)


def test_it_prints_as_its_public_key(token: SoftToken) -> None:
    made = make_token_key(token.place, PIN)
    assert repr(made) == f"TokenKey({made.public.hex()[:16]})"


def test_the_private_half_cannot_be_read_out(token: SoftToken) -> None:
    made = make_token_key(token.place, PIN)
    with pytest.raises(pkcs11.AttributeSensitive):
        made._key[pkcs11.Attribute.VALUE]
    assert made._key[pkcs11.Attribute.EXTRACTABLE] is False
    assert any(token.folder.rglob("*.object"))
