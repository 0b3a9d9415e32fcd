"""Rows against entries: whatever either side lacks is found, once, and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.audit.reconcile import Difference, Item, Lack, Rule, Tally, compare, unproved

RULE = Rule("sealed", "the envelope with its numbers", "envelope")


def row(key: int, *said: object, time: int = 100, needed: bool = True) -> Item:
    return Item(bytes([key]), said, time, needed=needed)


def entry(key: int, index: int, *said: object, needed: bool = True) -> Item:
    return Item(bytes([key]), said, 100, index, needed)


def found(rows: Sequence[Item], entries: Sequence[Item], before: int = 0) -> list[tuple[int, str, int | None]]:
    differences = compare(RULE, rows, entries, Tally(), before)
    return [(one.key[0], one.lack.value, one.index) for one in differences]


@pytest.mark.parametrize(
    ("rows", "entries", "differences"),
    [
        ([row(1), row(2, "MNG")], [entry(1, 0), entry(2, 1, "MNG")], []),
        ([row(1), row(2)], [entry(1, 0)], [(2, "no-entry", None)]),
        ([row(2)], [entry(1, 7), entry(2, 8)], [(1, "no-row", 7)]),
        ([row(1, "MNG")], [entry(1, 7, "UZB")], [(1, "differs", 7)]),
        ([row(1, "MNG"), row(1, "UZB")], [entry(1, 7, "UZB"), entry(1, 9, "UZB")], [(1, "differs", 9)]),
        ([row(1), row(1)], [entry(1, 7)], [(1, "no-entry", None)]),
        # One side may have what the other needs not.
        ([row(1, needed=False), row(2)], [entry(2, 1), entry(3, 2, needed=False)], []),
        ([row(1)], [entry(1, 0, needed=False)], []),
        ([row(1, needed=False)], [entry(1, 0)], []),
        # What was destroyed.
        ([row(1, "MNG")], [Item(b"\x01", None, 9, 4), entry(1, 5, "UZB")], []),
    ],
)
def test_what_does_not_match_is_named(
    rows: list[Item], entries: list[Item], differences: list[tuple[int, str, int | None]]
) -> None:
    assert found(rows, entries) == differences


def test_what_only_pruned_entries_could_say_is_counted() -> None:
    tally = Tally()
    rows = [row(1, time=49), row(2, time=50), row(3, "MNG", time=49)]
    (young, other) = compare(RULE, rows, [entry(3, 8, "UZB")], tally, 50, 9)
    assert (young.key, young.lack, other.lack) == (b"\x02", Lack.ENTRY, Lack.DIFFERS)
    assert (tally.pruned, tally.differences, tally.compared) == (1, 2, 4)


def test_no_more_is_forgiven_than_was_pruned_and_nothing_of_what_never_is() -> None:
    rows = [row(1, time=1), row(2, time=1), row(3, time=1)]
    assert len(list(compare(RULE, rows, [], Tally(), 50, 2))) == 1
    assert len(list(compare(replace(RULE, kept=True), rows, [], Tally(), 50, 3))) == 3


def test_what_has_no_proof_is_named() -> None:
    tally = Tally()
    (one,) = unproved(RULE, [row(5)], tally)
    assert (one.lack, tally.differences) == (Lack.PROOF, 1)


@pytest.mark.parametrize("lack", Lack)
def test_a_finding_says_what_why_and_what_to_do(lack: Lack) -> None:
    line = str(Difference(RULE, lack, b"\xab", 0, 17))
    assert line.startswith("envelope ab: ")
    assert "\n" not in line
    assert ("audit verify" in line) or ("backup" in line)


def items(keys: Sequence[int], index: bool) -> list[Item]:
    return [entry(key, place) if index else row(key) for place, key in enumerate(sorted(keys))]


@given(st.lists(st.integers(0, 20)), st.lists(st.integers(0, 20)))
def test_both_sides_are_read_in_step_and_every_difference_is_found(ours: list[int], theirs: list[int]) -> None:
    ahead: list[int] = []

    def watched(side: list[Item]) -> Iterator[Item]:
        for item in side:
            ahead.append(item.key[0])
            yield item

    differences = []
    for one in compare(RULE, watched(items(ours, False)), watched(items(theirs, True)), Tally()):
        differences.append(one)
        # Of each side no more is read than the next key and one item behind it.
        assert sum(1 for key in {*ahead} if key > one.key[0]) <= 4
    for key in range(21):
        less = ours.count(key) - theirs.count(key)
        mine = [one.lack for one in differences if one.key[0] == key]
        assert mine == ([Lack.ENTRY] * less if less > 0 else [Lack.ROW] * -less)
