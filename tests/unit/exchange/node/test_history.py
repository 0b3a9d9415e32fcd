"""Which size the directory had for sure at a time, by the cosigned checkpoints that a node has kept."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exchange.node.history import History
from exchange.storage.trust_port import KeptCheckpoint
from schemas.limits import MERGE_DELAY

NOW = 1_800_000_000


def kept(size: int, first: int, note: bytes | None = b"note") -> KeptCheckpoint:
    return KeptCheckpoint(size, bytes(32), first, first, note)


def test_nothing_is_sure_without_checkpoints() -> None:
    history = History(())
    assert (history.newest, history.least_size(NOW), history.proof(0, NOW)) == (None, 0, None)


def test_a_size_is_sure_when_the_merge_delay_has_passed() -> None:
    history = History([kept(7, NOW)])
    assert history.least_size(NOW + MERGE_DELAY) == 0
    assert history.least_size(NOW + MERGE_DELAY + 1) == 7
    assert history.proof(6, NOW + MERGE_DELAY) is None
    assert history.proof(6, NOW + MERGE_DELAY + 1) == b"note"
    assert history.proof(7, NOW + MERGE_DELAY + 1) is None


def test_what_is_cosigned_anew_makes_nothing_younger() -> None:
    history = History([kept(7, NOW, b"first")])
    history.keep(replace(kept(7, NOW + 3600), note=b"later"))
    newest = history.newest
    assert newest is not None
    assert (newest.first, newest.latest, newest.note) == (NOW, NOW + 3600, b"later")
    assert history.least_size(NOW + MERGE_DELAY + 1) == 7
    assert history.proof(6, NOW + MERGE_DELAY + 1) == b"first"
    history.keep(replace(kept(7, NOW + 60), note=b"earlier again"))
    assert history.newest == newest


def test_a_proof_needs_a_note_that_is_still_kept() -> None:
    history = History([kept(5, NOW), kept(9, NOW + 10, None)])
    assert history.least_size(NOW + MERGE_DELAY + 11) == 9
    assert history.proof(4, NOW + MERGE_DELAY + 11) == b"note"
    assert history.proof(6, NOW + MERGE_DELAY + 11) is None


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 500)), max_size=30), st.integers(0, 1000))
def test_the_least_size_is_that_of_the_largest_that_was_there(pairs: list[tuple[int, int]], time: int) -> None:
    known = dict(pairs)
    history = History(kept(size, first) for size, first in known.items())
    expected = max((size for size, first in known.items() if first + MERGE_DELAY < time), default=0)
    assert history.least_size(time) == expected


def test_that_entries_were_not_seen_yet_is_shown_by_the_largest_that_has_a_note() -> None:
    named = {size: replace(kept(size, NOW + size), note=str(size).encode()) for size in (5, 6, 9, 12)}
    history = History([*named.values(), kept(7, NOW, None)])
    assert history.notes_before([4]) == ()
    assert history.notes_before([13, 8, 7, 6]) == (b"6", b"12")


def test_before_an_entry_is_the_largest_that_does_not_have_it() -> None:
    history = History([kept(5, NOW), kept(6, NOW), kept(9, NOW)])
    assert history.before([2]) == frozenset()
    assert history.before([5, 6, 8, 9, 20]) == {5, 6, 9}
