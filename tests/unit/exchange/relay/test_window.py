"""Places of a session: which envelopes find one, and when it is free again."""

import pytest

from exchange.relay.limits import LARGE_PLACES, MAX_LATE, SEND_AGAIN, SMALL_PLACES, UNANSWERED
from exchange.relay.window import Window
from exchange.storage.port import EnvelopeKey, Lane, Waiting
from schemas.ids import EnvelopeId, MemberId
from schemas.relayapi import WINDOW
from schemas.terms import Precedence

NOW = 1_800_000_000
FLASH, IMMEDIATE, PRIORITY, ROUTINE = Precedence


def items(precedence: Precedence, large: bool, count: int, expires: int = NOW + 10**6) -> tuple[Waiting, ...]:
    """Envelopes of one kind; no two kinds share a place or an id."""
    first = 100_000 * (precedence * 2 + large)
    keys = [
        EnvelopeKey(MemberId("KAZ"), EnvelopeId(place.to_bytes(16, "big"))) for place in range(first, first + count)
    ]
    body = None if large else b"body"
    return tuple(
        Waiting(place, key, b"header", b"receipt", precedence, expires, body) for place, key in enumerate(keys, first)
    )


def taken(window: Window, precedence: Precedence, large: bool, count: int = 100, now: int = NOW) -> int:
    return len(list(window.take(items(precedence, large, count), now)))


def rooms(window: Window, large: bool) -> dict[int, int]:
    return {lane.precedence: lane.room for lane in window.lanes() if lane.large is large}


def test_the_places_are_the_protocol_s_window() -> None:
    assert SMALL_PLACES[FLASH] + LARGE_PLACES[FLASH] == WINDOW
    for places in (SMALL_PLACES, LARGE_PLACES):
        assert len(places) == len(Precedence)
        assert list(places) == sorted(set(places), reverse=True)


@pytest.mark.parametrize(("large", "places"), [(False, SMALL_PLACES), (True, LARGE_PLACES)])
def test_each_precedence_leaves_places_to_the_more_urgent_ones(large: bool, places: tuple[int, ...]) -> None:
    window = Window()
    for precedence in reversed(Precedence):
        assert rooms(window, large)[precedence] == places[precedence] - len(window.skip())
        taken(window, precedence, large)
        assert len(window.skip()) == places[precedence]
        assert taken(window, precedence, large) == 0
    assert rooms(window, large) == {}


def test_urgent_ones_may_take_the_places_of_the_less_urgent() -> None:
    window = Window()
    assert taken(window, FLASH, large=False) == SMALL_PLACES[FLASH]
    assert [taken(window, precedence, large=False) for precedence in Precedence] == [0, 0, 0, 0]


def test_large_bodies_and_small_ones_take_no_place_from_each_other() -> None:
    window = Window()
    taken(window, ROUTINE, large=True)
    assert taken(window, ROUTINE, large=False) == SMALL_PLACES[ROUTINE]
    assert Lane(ROUTINE, False, 1) not in window.lanes()


def test_an_answer_frees_a_place_once() -> None:
    window = Window()
    taken(window, ROUTINE, large=True)
    key = items(ROUTINE, large=True, count=1)[0].key
    assert window.answered(key)
    assert not window.answered(key)
    assert taken(window, ROUTINE, large=True) == 1


def test_what_has_expired_frees_its_place() -> None:
    window = Window()
    list(window.take(items(ROUTINE, large=False, count=100, expires=NOW + 5), NOW))
    window.pass_time(NOW + 4)
    assert ROUTINE not in rooms(window, large=False)
    window.pass_time(NOW + 5)
    assert (rooms(window, large=False)[ROUTINE], window.skip()) == (SMALL_PLACES[ROUTINE], frozenset())


def test_what_is_not_answered_gives_up_its_place_and_is_sent_again_much_later() -> None:
    window = Window()
    taken(window, FLASH, large=False)
    window.pass_time(NOW + UNANSWERED - 1)
    assert rooms(window, large=False) == {}
    window.pass_time(NOW + UNANSWERED)
    assert rooms(window, large=False)[FLASH] == SMALL_PLACES[FLASH]
    assert len(window.skip()) == SMALL_PLACES[FLASH]
    window.pass_time(NOW + SEND_AGAIN - 1)
    assert len(window.skip()) == SMALL_PLACES[FLASH]
    window.pass_time(NOW + SEND_AGAIN)
    assert window.skip() == frozenset()


def test_a_large_body_that_takes_long_keeps_its_place() -> None:
    window = Window()
    taken(window, ROUTINE, large=True)
    window.pass_time(NOW + UNANSWERED)
    assert ROUTINE not in rooms(window, large=True)


def test_an_answer_that_comes_late_is_the_last_of_it() -> None:
    window = Window()
    taken(window, FLASH, large=False, count=1)
    window.pass_time(NOW + UNANSWERED)
    assert not window.answered(items(FLASH, large=False, count=1)[0].key)
    assert window.skip() == frozenset()


def test_only_so_many_are_remembered() -> None:
    window, sent = Window(), items(FLASH, large=False, count=MAX_LATE + 2 * SMALL_PLACES[FLASH])
    for start in range(0, len(sent), SMALL_PLACES[FLASH]):
        list(window.take(sent[start : start + SMALL_PLACES[FLASH]], NOW))
        window.pass_time(NOW + UNANSWERED)
    assert MAX_LATE < len(window.skip()) <= MAX_LATE + SMALL_PLACES[FLASH]
