"""A root in shares: any k of them, no fewer, nothing else."""

from itertools import combinations

import pytest

from keys.errors import KeystoreFault
from keys.identity import SigningIdentity
from keys.shares import combine_root, split_root
from schemas.ids import MemberId
from tests.support.entropy import derived

KAZ = MemberId("KAZ")
ROOT = SigningIdentity.from_entropy(KAZ, derived("shares", "root", size=96))
OTHER = SigningIdentity.from_entropy(KAZ, derived("shares", "other", size=96))
SHARES = split_root(ROOT, 3, 5)


def test_any_three_of_five_restore_the_root_in_any_order() -> None:
    assert {len(share.split()) for share in SHARES} == {84}
    for chosen in combinations(SHARES, 3):
        assert combine_root(KAZ, ROOT.public, chosen[::-1]).entropy == ROOT.entropy


def test_what_people_type_may_differ_in_case_and_space() -> None:
    typed = [f"  {share.upper().replace(' ', chr(10), 3)} " for share in SHARES[:3]]
    assert combine_root(KAZ, ROOT.public, typed).entropy == ROOT.entropy


def test_every_splitting_is_another_one() -> None:
    again = split_root(ROOT, 3, 5)
    assert not set(again) & set(SHARES)
    with pytest.raises(KeystoreFault, match="do not go together"):
        combine_root(KAZ, ROOT.public, [*SHARES[:2], again[2]])


@pytest.mark.parametrize("given", [0, 1, 2, 4, 5])
def test_fewer_or_more_than_three_are_refused(given: int) -> None:
    with pytest.raises(KeystoreFault):
        combine_root(KAZ, ROOT.public, SHARES[:given])


def test_one_share_given_twice_is_one_share() -> None:
    with pytest.raises(KeystoreFault, match="given once"):
        combine_root(KAZ, ROOT.public, [SHARES[0], SHARES[1], SHARES[1]])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda words: words[:-1],
        lambda words: [*words, words[0]],
        lambda words: [words[1], words[0], *words[2:]],
        lambda words: ["zzz", *words[1:]],
        lambda words: ["academic" if word != "academic" else "acid" for word in words[:9]] + words[9:],
        lambda words: [],
    ],
)
def test_a_share_with_a_wrong_word_is_named(spoil: object) -> None:
    assert callable(spoil)
    spoiled = " ".join(spoil(SHARES[1].split()))
    with pytest.raises(KeystoreFault, match="share 2 has a wrong or missing word") as refused:
        combine_root(KAZ, ROOT.public, [SHARES[0], spoiled, SHARES[2]])
    assert not set(SHARES[1].split()) & set(str(refused.value).replace(":", "").split()) - {"share", "original"}


def test_shares_of_another_root_are_refused() -> None:
    with pytest.raises(KeystoreFault, match="another root key than the one of KAZ"):
        combine_root(KAZ, OTHER.public, SHARES[:3])


@pytest.mark.parametrize(("needed", "total"), [(1, 1), (1, 3), (0, 3), (4, 3), (2, 17)])
def test_a_splitting_that_shares_nothing_is_refused(needed: int, total: int) -> None:
    with pytest.raises(KeystoreFault, match="cannot be"):
        split_root(ROOT, needed, total)


@pytest.mark.parametrize(("needed", "total"), [(2, 2), (16, 16)])
def test_the_bounds_of_a_splitting(needed: int, total: int) -> None:
    shares = split_root(ROOT, needed, total)
    assert combine_root(KAZ, ROOT.public, shares[:needed]).entropy == ROOT.entropy
