"""A hybrid signature holds only when both halves hold, under the named key, over the same labelled bytes."""

from dataclasses import replace

import pytest

from keys.errors import BadSignature
from keys.hybrid import verify_hybrid
from keys.identity import SigningIdentity
from schemas.charter import HybridPublic
from schemas.contexts import Context
from schemas.ids import KeyId, MemberId
from schemas.signed import HybridSignature
from tests.support.entropy import derived

ROOT = SigningIdentity.from_entropy(MemberId("KAZ"), derived("root", size=96))
THIEF = SigningIdentity.from_entropy(MemberId("KAZ"), derived("thief", size=96))
GOOD = ROOT.sign_hybrid(Context.EPOCH_KEY, b"body")
BAD = THIEF.sign_hybrid(Context.EPOCH_KEY, b"body")


def holds(
    signature: HybridSignature,
    *parts: bytes,
    keys: HybridPublic = ROOT.public,
    context: Context = Context.EPOCH_KEY,
) -> bool:
    try:
        verify_hybrid(keys, signature, context, *parts)
    except BadSignature:
        return False
    return True


def test_a_signature_by_both_halves_holds() -> None:
    assert holds(GOOD, b"body")


@pytest.mark.parametrize(
    "forged",
    [
        replace(GOOD, ed25519=BAD.ed25519),
        replace(GOOD, mldsa65=BAD.mldsa65),
        replace(GOOD, ed25519=bytes(64)),
        replace(GOOD, mldsa65=bytes(3309)),
        replace(GOOD, key_id=THIEF.key_id),
        replace(GOOD, key_id=KeyId(bytes(32))),
        replace(BAD, key_id=GOOD.key_id),
        BAD,
    ],
    ids=["curve half", "lattice half", "no curve", "no lattice", "key id", "no key id", "both halves", "another key"],
)
def test_a_signature_with_either_half_broken_does_not_hold(forged: HybridSignature) -> None:
    assert not holds(forged, b"body")


def test_halves_of_two_keys_do_not_mix() -> None:
    mixed = HybridPublic(ROOT.public.ed25519, THIEF.public.mldsa65)
    assert not holds(replace(GOOD, mldsa65=BAD.mldsa65), b"body", keys=mixed)


def test_a_signature_is_bound_to_label_and_parts() -> None:
    assert not holds(GOOD, b"body", context=Context.SIGNING_KEY)
    assert not holds(GOOD, b"bodz")
    assert not holds(GOOD, b"bo", b"dy")
    assert not holds(GOOD)


def test_a_refusal_names_the_signer_and_nothing_else() -> None:
    with pytest.raises(BadSignature, match=r"^the hybrid signature of KAZ for cbm/1/epoch-key does not verify$"):
        verify_hybrid(ROOT.public, BAD, Context.EPOCH_KEY, b"body")
