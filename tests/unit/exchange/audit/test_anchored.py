"""What an anchor adds to a log that is held, for every cut of a small log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.audit.anchored import Forked, check_known, grown
from exchange.errors import Conflict, Invalid
from keys.checkpoint import Checkpoint
from keys.merkle import Frontier, MemoryTree, tree_root
from keys.tiles import entry_hash
from schemas.anchor import Anchor
from schemas.ids import Digest, MemberId

HASHES = [entry_hash(b"%d" % number) for number in range(40)]


def root(size: int, hashes: list[Digest] = HASHES) -> Digest:
    return tree_root(size, MemoryTree(hashes[:size]))


def checkpoint(size: int, hashes: list[Digest] = HASHES) -> Checkpoint:
    return Checkpoint("log", size, root(size, hashes))


def anchor(first: int, size: int, hashes: list[Digest] = HASHES) -> Anchor:
    return Anchor(MemberId("KAZ"), b"note", first, b"".join(hashes[first:size]))


def take(held: int, first: int, size: int, offered: list[Digest] = HASHES) -> Frontier:
    overlap = HASHES[first : min(held, size)]
    return grown(Frontier().extend(HASHES[:held]), anchor(first, size, offered), checkpoint(size, offered), overlap)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_an_honest_log_goes_on_from_wherever_it_is_offered(held: int, first: int, size: int) -> None:
    if first > size:
        return
    if first > held:
        with pytest.raises(Conflict, match="go on from there"):
            take(held, first, size)
    elif size < held:
        with pytest.raises(Conflict, match="lost some") as caught:
            take(held, first, size)
        assert (type(caught.value), caught.value.extra) == (Conflict, {"size": held})
    else:
        assert take(held, first, size) == Frontier().extend(HASHES[:size])


@given(st.integers(1, 39), st.data())
def test_a_log_that_was_rewritten_anywhere_is_a_fork(held: int, data: st.DataObject) -> None:
    changed = list(HASHES)
    changed[data.draw(st.integers(0, held - 1))] = entry_hash(b"else")
    first, size = data.draw(st.integers(0, held)), data.draw(st.integers(held, 40))
    with pytest.raises(Forked):
        take(held, first, size, changed)


def test_hashes_that_do_not_end_at_the_checkpoint() -> None:
    with pytest.raises(Invalid, match="do not end"):
        grown(Frontier(), anchor(0, 3), checkpoint(4), [])


def test_hashes_that_do_not_lead_to_the_root() -> None:
    changed = [*HASHES[:3], entry_hash(b"else")]
    with pytest.raises(Forked):
        grown(Frontier().extend(HASHES[:2]), anchor(2, 4, changed), checkpoint(4), [])


def test_an_anchor_of_a_size_that_is_known() -> None:
    check_known(None, checkpoint(4))
    check_known(root(4), checkpoint(4))
    with pytest.raises(Forked):
        check_known(root(5), checkpoint(4))
