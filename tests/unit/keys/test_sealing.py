"""Wraps are bound to one core, one recipient and one key; one commitment stands for one content key."""

from dataclasses import replace

import pytest

from keys.digests import sha256
from keys.errors import Undecryptable
from keys.identity import EpochIdentity
from keys.primitives import hpke_seal
from keys.sealing import body_key, key_commitment, open_wrap, seal_wrap
from schemas.ids import Digest, KeyId, MemberId, StreamId
from schemas.terms import Suite
from schemas.wrap import Wrap, WrapSecret, wrap_info
from tests.support.entropy import derived

MNG, UZB = MemberId("MNG"), MemberId("UZB")
CORE = b"the bytes of a core"
SECRET = WrapSecret(b"k" * 32, StreamId(b"s" * 16), 7, Digest(b"p" * 32))
COMMITMENT = key_commitment(SECRET.content_key)
EPOCH = EpochIdentity(derived("epoch", "MNG", size=96))
OTHER = EpochIdentity(derived("epoch", "UZB", size=96))


def sealed(secret: WrapSecret = SECRET, core: bytes = CORE, recipient: MemberId = MNG) -> Wrap:
    return seal_wrap(secret, Suite.HYBRID_1, core, recipient, EPOCH.key_id, EPOCH.public)


def opened(wrap: Wrap, core: bytes = CORE, commitment: Digest = COMMITMENT, epoch: EpochIdentity = EPOCH) -> WrapSecret:
    return open_wrap(wrap, Suite.HYBRID_1, core, commitment, epoch)


def test_a_wrap_opens_for_its_recipient() -> None:
    wrap = sealed()
    assert opened(wrap) == SECRET
    assert len(wrap.sealed) == 1120 + 16 + 88


def test_two_wraps_of_one_secret_are_different() -> None:
    assert sealed().sealed != sealed().sealed


def test_a_wrap_does_not_open_under_another_core() -> None:
    with pytest.raises(Undecryptable):
        opened(sealed(), core=CORE + b"x")


def test_a_wrap_taken_over_for_another_recipient_does_not_open() -> None:
    with pytest.raises(Undecryptable):
        opened(replace(sealed(), recipient=UZB))


def test_a_wrap_that_names_another_key_does_not_open() -> None:
    with pytest.raises(Undecryptable):
        opened(replace(sealed(), key_id=KeyId(bytes(32))))


def test_a_wrap_does_not_open_with_another_epoch() -> None:
    with pytest.raises(Undecryptable):
        opened(sealed(), epoch=OTHER)


@pytest.mark.parametrize("place", [0, 1087, 1088, 1119, 1120, 1223])
def test_a_wrap_with_a_flipped_bit_does_not_open(place: int) -> None:
    wrap = sealed()
    flipped = wrap.sealed[:place] + bytes([wrap.sealed[place] ^ 1]) + wrap.sealed[place + 1 :]
    with pytest.raises(Undecryptable):
        opened(replace(wrap, sealed=flipped))


def test_a_second_content_key_under_one_header_is_refused() -> None:
    with pytest.raises(Undecryptable):
        opened(sealed(replace(SECRET, content_key=b"K" * 32)))


@pytest.mark.parametrize("size", [0, 87, 89])
def test_a_secret_of_another_size_is_refused(size: int) -> None:
    info = wrap_info(Suite.HYBRID_1, sha256(CORE), MNG, EPOCH.key_id)
    wrap = Wrap(MNG, EPOCH.key_id, hpke_seal(EPOCH.public.mlkem768, EPOCH.public.x25519, info, bytes(size)))
    with pytest.raises(Undecryptable):
        opened(wrap)


def test_a_secret_with_an_impossible_number_is_refused() -> None:
    info = wrap_info(Suite.HYBRID_1, sha256(CORE), MNG, EPOCH.key_id)
    encoded = SECRET.encode()
    zero = encoded[:48] + bytes(8) + encoded[56:]
    wrap = Wrap(MNG, EPOCH.key_id, hpke_seal(EPOCH.public.mlkem768, EPOCH.public.x25519, info, zero))
    with pytest.raises(Undecryptable):
        opened(wrap)


def test_every_failure_of_a_wrap_reads_the_same() -> None:
    wrap = sealed()
    failures = [
        (wrap, CORE + b"x", COMMITMENT),
        (replace(wrap, recipient=UZB), CORE, COMMITMENT),
        (sealed(replace(SECRET, content_key=b"K" * 32)), CORE, COMMITMENT),
        (wrap, CORE, Digest(bytes(32))),
    ]
    texts = set()
    for attempt, core, commitment in failures:
        with pytest.raises(Undecryptable) as caught:
            opened(attempt, core, commitment)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_derived_keys_differ_from_each_other_and_from_their_source() -> None:
    key = SECRET.content_key
    assert len({key, body_key(key), key_commitment(key)}) == 3
    assert key_commitment(key) != key_commitment(b"K" * 32)
    assert len(body_key(key)) == 32
