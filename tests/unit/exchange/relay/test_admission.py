"""Places for uploads, and nonces of signed requests: just under each bound, and just over."""

import pytest

from exchange.errors import TooMany, Unauthenticated, Unavailable
from exchange.relay.admission import NonceMemory, UploadSlots
from schemas.ids import MemberId

KAZ, MNG = MemberId("KAZ"), MemberId("MNG")


def test_places_are_given_up_to_the_bound_and_given_back() -> None:
    slots = UploadSlots(total=2)
    with slots.upload():
        with slots.upload(), pytest.raises(Unavailable), slots.upload():
            raise AssertionError
        with slots.upload():
            pass


def test_a_place_is_given_back_after_a_fault() -> None:
    slots = UploadSlots(total=1, per_member=1)
    for _ in range(2):
        with pytest.raises(KeyError), slots.upload(), slots.member(KAZ):
            raise KeyError


def test_one_member_s_places_are_its_own() -> None:
    slots = UploadSlots(per_member=1)
    with slots.member(KAZ), slots.member(MNG), pytest.raises(TooMany), slots.member(KAZ):
        raise AssertionError


def test_a_nonce_is_taken_once_until_its_end() -> None:
    memory = NonceMemory()
    memory.remember(KAZ, "n", until=100, now=50)
    memory.remember(MNG, "n", until=100, now=50)
    for now in (50, 100):
        with pytest.raises(Unauthenticated):
            memory.remember(KAZ, "n", until=now + 50, now=now)
    memory.remember(KAZ, "n", until=150, now=101)


def test_one_member_cannot_fill_the_memory_for_others() -> None:
    memory = NonceMemory(per_member=2)
    for nonce in ("a", "b"):
        memory.remember(KAZ, nonce, until=100, now=50)
    with pytest.raises(TooMany):
        memory.remember(KAZ, "c", until=100, now=50)
    memory.remember(MNG, "c", until=100, now=50)
    memory.remember(KAZ, "c", until=200, now=101)
