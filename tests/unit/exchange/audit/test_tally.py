"""A flood is a few entries a minute, and nothing of it is lost from the counts."""

from hypothesis import given
from hypothesis import strategies as st

from exchange.audit.tally import PERIOD, Act, Counted, Tally
from schemas.audit import AuditKind
from schemas.ids import MemberId

NOW = 1_800_000_000 // PERIOD * PERIOD
DENIED = Act(AuditKind.SESSION_DENIED, "session-proof", address=b"a" * 16)
KAZ = MemberId("KAZ")


def test_what_is_counted_is_given_when_its_minute_is_over() -> None:
    tally = Tally(2, 10)
    for second in (0, 1, PERIOD - 1):
        tally.count(DENIED, NOW + second)
    assert tally.take(NOW + PERIOD - 1) == ()
    assert tally.take(NOW + PERIOD) == (Counted(DENIED, NOW, 3),)
    assert tally.take(NOW + 2 * PERIOD) == ()


def test_at_the_end_what_is_counted_is_given_at_once() -> None:
    tally = Tally(2, 10)
    tally.count(DENIED, NOW)
    assert tally.take(NOW, whole=True) == (Counted(DENIED, NOW, 1),)
    assert tally.take(NOW, whole=True) == ()


def test_so_many_of_a_member_are_entries_of_their_own_each_minute() -> None:
    tally = Tally(2, 10)
    assert [tally.single(AuditKind.REFUSED, KAZ, NOW) for _ in range(3)] == [True, True, False]
    assert tally.single(AuditKind.SESSION_BEGUN, KAZ, NOW)
    assert tally.single(AuditKind.REFUSED, MemberId("MNG"), NOW)
    assert tally.single(AuditKind.REFUSED, KAZ, NOW + PERIOD)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 3 * PERIOD)), max_size=400))
def test_a_flood_from_many_addresses_is_bounded_and_counted(acts: list[tuple[int, int]]) -> None:
    tally, given_back = Tally(2, 16), list[Counted]()
    for address, second in sorted(acts, key=lambda act: act[1]):
        act = Act(AuditKind.SESSION_DENIED, "session-proof", address=address.to_bytes(16, "big"))
        tally.count(act, NOW + second)
        given_back += tally.take(NOW + second)
    given_back += tally.take(NOW + 3 * PERIOD, whole=True)
    assert sum(item.count for item in given_back) == len(acts)
    for minute in {item.time for item in given_back}:
        assert len([item for item in given_back if item.time == minute]) <= 17
