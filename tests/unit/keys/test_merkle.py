"""Trees, proofs and frontiers against the text of RFC 6962, written out once more, and against published numbers."""

import hashlib
from collections.abc import Sequence
from itertools import pairwise

import pytest

from keys.errors import BadProof
from keys.merkle import (
    EMPTY_ROOT,
    Frontier,
    MemoryTree,
    consistency_proof,
    cover,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)
from schemas.ids import Digest

# The eight entries of the test data of the first Certificate Transparency log, and the root after each.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
MOST = 70
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]
TREE = MemoryTree(LEAVES)
PATH_OF = [(index, size) for size in (1, 2, 3, 7, 8, 33, MOST) for index in range(size)]
GROWTH = [(old, new) for new in (1, 2, 3, 7, 8, 33, MOST) for old in range(new + 1)]


def mth(leaves: Sequence[Digest]) -> Digest:
    """MTH of RFC 6962 section 2.1, over leaves that are hashed already."""
    if not leaves:
        return Digest(hashlib.sha256(b"").digest())
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return Digest(hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest())


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def path(m: int, leaves: Sequence[Digest]) -> list[Digest]:
    """PATH of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[Digest], whole: bool) -> list[Digest]:
    """SUBPROOF of section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def root(size: int) -> Digest:
    return tree_root(size, TREE)


def test_the_roots_of_the_first_log_are_the_published_ones() -> None:
    tree = MemoryTree(leaf_hash(entry) for entry in ENTRIES)
    assert [tree_root(size, tree).hex() for size in range(1, 9)] == list(ROOTS)
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree_root(0, tree) == EMPTY_ROOT


def test_the_example_of_seven_leaves_has_the_proofs_that_the_standard_draws() -> None:
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = node_hash(a, b), node_hash(c, d), node_hash(e, f)
    k, left = node_hash(i, j), node_hash(g, h)
    assert inclusion_proof(0, 7, TREE) == (b, h, k)
    assert inclusion_proof(3, 7, TREE) == (c, g, k)
    assert inclusion_proof(4, 7, TREE) == (f, j, left)
    assert inclusion_proof(6, 7, TREE) == (i, left)
    assert consistency_proof(3, 7, TREE) == (c, d, g, k)
    assert consistency_proof(4, 7, TREE) == (k,)
    assert consistency_proof(6, 7, TREE) == (i, j, left)


def test_every_root_is_that_of_the_standard_s_definition() -> None:
    assert [root(size) for size in range(MOST + 1)] == [mth(LEAVES[:size]) for size in range(MOST + 1)]


@pytest.mark.parametrize(("index", "size"), PATH_OF)
def test_an_inclusion_proof_is_the_standard_s_and_holds(index: int, size: int) -> None:
    proof = inclusion_proof(index, size, TREE)
    assert list(proof) == path(index, LEAVES[:size])
    verify_inclusion(LEAVES[index], index, size, proof, root(size))


@pytest.mark.parametrize(("old", "new"), GROWTH)
def test_a_consistency_proof_is_the_standard_s_and_holds(old: int, new: int) -> None:
    proof = consistency_proof(old, new, TREE)
    assert list(proof) == (subproof(old, LEAVES[:new], True) if old else [])
    verify_consistency(old, new, root(old), root(new), proof)


def test_an_inclusion_proof_holds_for_one_leaf_one_place_and_one_size() -> None:
    proof, size = inclusion_proof(5, 33, TREE), 33
    wrong = [
        (LEAVES[6], 5, size, proof, root(size)),
        (LEAVES[5], 4, size, proof, root(size)),
        (LEAVES[5], 5, size, proof, root(size - 1)),
        (LEAVES[5], 5, 16, proof, root(16)),
        (LEAVES[5], 5, 65, proof, root(size)),
        (LEAVES[5], 5, size, proof[:-1], root(size)),
        (LEAVES[5], 5, size, proof[1:], root(size)),
        (LEAVES[5], 5, size, (*proof, proof[-1]), root(size)),
        (LEAVES[5], 5, size, proof[::-1], root(size)),
        (LEAVES[5], 5, size, (), root(size)),
        (LEAVES[5], -1, size, proof, root(size)),
        (LEAVES[5], size, size, proof, root(size)),
        (LEAVES[5], 5, 0, proof, root(size)),
        (LEAVES[5], 5, -1, proof, root(size)),
    ]
    for attempt in wrong:
        with pytest.raises(BadProof):
            verify_inclusion(*attempt)


def test_an_inner_node_is_no_leaf() -> None:
    inner = node_hash(LEAVES[0], LEAVES[1])
    with pytest.raises(BadProof):
        verify_inclusion(leaf_hash(LEAVES[0] + LEAVES[1]), 0, 2, (LEAVES[2],), root(3))
    # The proof of a node of half the height, at half the place, in a tree said to be half as large.
    with pytest.raises(BadProof):
        verify_inclusion(inner, 0, 4, inclusion_proof(0, 4, TREE)[1:], root(4))


@pytest.mark.parametrize(("old", "new"), [(3, 7), (4, 7), (6, 7), (1, 2), (8, 33), (33, MOST)])
def test_a_consistency_proof_holds_for_its_two_trees_only(old: int, new: int) -> None:
    proof = consistency_proof(old, new, TREE)
    wrong = [
        (old, new, root(old - 1), root(new), proof),
        (old, new, root(old), root(new - 1), proof),
        (old, new, root(new), root(old), proof),
        (new, old, root(new), root(old), proof),
        (old - 1, new, root(old), root(new), proof),
        (old, new, root(old), root(new), proof[:-1]),
        (old, new, root(old), root(new), (*proof, proof[-1])),
        (old, new, root(old), root(new), ()),
        (-1, new, root(old), root(new), proof),
    ]
    for attempt in wrong:
        with pytest.raises(BadProof):
            verify_consistency(*attempt)


def test_trees_of_one_size_are_consistent_only_when_they_are_one() -> None:
    verify_consistency(7, 7, root(7), root(7), ())
    for roots, proof in [((root(7), root(8)), ()), ((root(7), root(7)), (LEAVES[0],))]:
        with pytest.raises(BadProof):
            verify_consistency(7, 7, *roots, proof)


def test_nothing_is_consistent_with_an_empty_tree_that_is_not_empty() -> None:
    verify_consistency(0, 7, EMPTY_ROOT, root(7), ())
    verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    for old, new, proof in [(root(1), root(7), ()), (EMPTY_ROOT, root(7), (LEAVES[0],))]:
        with pytest.raises(BadProof):
            verify_consistency(0, 7, old, new, proof)
    with pytest.raises(BadProof):
        verify_consistency(0, 0, EMPTY_ROOT, root(1), ())


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_there_is_no_proof_of_a_leaf_that_there_is_not(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, TREE)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_there_is_no_proof_from_a_larger_tree(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="does not begin"):
        consistency_proof(old, new, TREE)


def test_a_frontier_grows_as_the_tree_does() -> None:
    frontier = Frontier()
    for size, leaf in enumerate(LEAVES):
        assert (frontier.size, frontier.root) == (size, root(size))
        assert frontier == Frontier.of(size, TREE)
        frontier = frontier.append(leaf)
    assert Frontier().extend(LEAVES) == frontier


def test_a_frontier_has_no_more_hashes_than_its_size_has_bits() -> None:
    for size, hashes in [(1, ()), (0, (LEAVES[0],)), (2, (LEAVES[0], LEAVES[1])), (-1, (LEAVES[0],))]:
        with pytest.raises(ValueError, match="one hash for each bit"):
            Frontier(size, hashes)


def test_subtrees_cover_a_range_without_gap_or_overlap() -> None:
    for start in range(20):
        for end in range(start, 40):
            nodes = cover(start, end)
            spans = [(node.place << node.level, (node.place + 1) << node.level) for node in nodes]
            assert all(before[1] == after[0] for before, after in pairwise(spans))
            assert (spans[0][0], spans[-1][1]) == (start, end) if spans else start == end


def test_a_tree_in_memory_has_the_leaves_that_it_was_given() -> None:
    tree = MemoryTree()
    for size, leaf in enumerate(LEAVES, 1):
        tree.append(leaf)
        assert (tree.size, tree_root(size, tree)) == (size, root(size))
