"""Places for uploads and newcomers, and nonces of signed requests: just under each bound, and just over."""

from contextlib import ExitStack

import pytest

from exchange.errors import TooMany, Unauthenticated, Unavailable
from exchange.relay.admission import Newcomers, NonceMemory, Rates, UploadBounds, UploadSlots
from schemas.ids import MemberId

KAZ, MNG = MemberId("KAZ"), MemberId("MNG")
HERE, THERE = "192.0.2.1", "192.0.2.2"


def slots(total: int = 8, address: int = 8, member: int = 8, large: int = 8) -> UploadSlots:
    return UploadSlots(UploadBounds(total, address, member, large))


def test_places_are_given_up_to_the_bound_and_given_back() -> None:
    places = slots(total=2)
    with places.upload(HERE):
        with places.upload(THERE), pytest.raises(Unavailable), places.upload(None):
            raise AssertionError
        with places.upload(None):
            pass


def test_a_place_is_given_back_after_a_fault() -> None:
    places = slots(total=1, address=1, member=1, large=1)
    for _ in range(2):
        with pytest.raises(KeyError), places.upload(HERE) as upload, upload.of(KAZ, large=True):
            raise KeyError


def test_one_address_s_places_are_its_own_and_free_again_when_the_sender_is_known() -> None:
    places = slots(address=1)
    with places.upload(HERE) as first:
        with places.upload(THERE), pytest.raises(Unavailable), places.upload(HERE):
            raise AssertionError
        with first.of(KAZ, large=False), places.upload(HERE):
            pass
        with places.upload(HERE):
            pass


def test_one_member_s_places_are_its_own_and_fewer_are_for_large_bodies() -> None:
    places = slots(member=2, large=1)

    def place(stack: ExitStack, member: MemberId, large: bool) -> None:
        stack.enter_context(stack.enter_context(places.upload(HERE)).of(member, large))

    with ExitStack() as stack:
        place(stack, KAZ, True)
        with pytest.raises(TooMany, match="KAZ has too many large uploads"):
            place(stack, KAZ, True)
        place(stack, KAZ, False)
        with pytest.raises(TooMany, match="KAZ has too many uploads"):
            place(stack, KAZ, False)
        place(stack, MNG, True)


def test_newcomers_are_bounded_in_all_and_by_address() -> None:
    newcomers = Newcomers(3, 2, "busy", "visits")
    with newcomers.place(HERE), newcomers.place(HERE):
        with pytest.raises(Unavailable, match="from one address"), newcomers.place(HERE):
            raise AssertionError
        with (
            newcomers.place(THERE),
            pytest.raises(Unavailable, match="too many visits at once:"),
            newcomers.place(None),
        ):
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


def test_an_address_may_ask_many_times_at_once_and_then_so_often() -> None:
    rates = Rates(per_second=2, at_once=3)
    for _ in range(3):
        rates.take("192.0.2.1", 10.0)
    with pytest.raises(TooMany):
        rates.take("192.0.2.1", 10.4)
    rates.take("192.0.2.2", 10.4)
    rates.take("192.0.2.1", 10.5)
    with pytest.raises(TooMany):
        rates.take("192.0.2.1", 10.6)


def test_a_refused_request_does_not_put_off_the_next() -> None:
    rates = Rates(per_second=1, at_once=1)
    rates.take("192.0.2.1", 0.0)
    for moment in (0.25, 0.5, 0.75):
        with pytest.raises(TooMany):
            rates.take("192.0.2.1", moment)
    rates.take("192.0.2.1", 1.0)


def test_addresses_without_end_fill_no_memory() -> None:
    rates = Rates(per_second=1, at_once=1, addresses=8)
    for number in range(100):
        rates.take(f"192.0.2.{number}", 0.0)
    assert len(rates._buckets._seen) == 8
