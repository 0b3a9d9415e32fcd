"""The same suite: what a judge is told, and which envelopes a session is given."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.errors import Forbidden
from exchange.storage.port import SMALL_BODY, Facts, GrantSubject, GrantUse, Held, Lane, Verdict
from schemas.ids import GrantId, MemberId, ProvisionId
from tests.support.relay_store import (
    ENGINES,
    KAZ,
    MNG,
    NOW,
    UZB,
    Bench,
    accept,
    answer,
    arrival,
    lanes,
    opened,
    waiting,
)

GRANT = GrantId(b"g" * 16)
FIRST, SECOND = ProvisionId(b"1" * 16), ProvisionId(b"2" * 16)
NOTHING = Facts(0, frozenset(), frozenset(), 0, ((MNG, 0),))


@pytest.fixture(params=sorted(ENGINES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


async def facts(bench: Bench, *grants: GrantSubject, to: tuple[MemberId, ...] = (MNG,), number: int = 99) -> Facts:
    found = await bench.store.facts(replace(arrival(number, to), grants=grants))
    assert isinstance(found, Facts)
    return found


async def take(bench: Bench, number: int, *uses: GrantUse, time: int = NOW) -> Facts:
    """Accept an envelope that takes these uses; what its judge was told."""
    told: list[Facts] = []

    def judge(facts: Facts) -> Verdict:
        told.append(facts)
        return Verdict(b"r", max(time, facts.time), uses, b"leaf")

    staged = bench.store.stage(1)
    await staged.write(b"b")
    grants = tuple({(use.provider, use.grant, use.provision) for use in uses})
    await bench.store.accept(replace(arrival(number, size=1), grants=grants), staged, judge)
    return told[0]


def size(number: int, body: int = 1) -> int:
    return len(arrival(number).header) + body


async def test_the_judge_is_told_what_the_acceptance_before_left(bench: Bench) -> None:
    use = GrantUse(KAZ, GRANT, MNG, FIRST)
    assert await facts(bench, (KAZ, GRANT, FIRST)) == NOTHING
    assert await take(bench, 1, use, time=NOW + 5) == NOTHING
    await bench.reopen()
    one = Facts(NOW + 5, frozenset({use}), frozenset(), size(1), ((MNG, size(1)),))
    assert await facts(bench, (KAZ, GRANT, FIRST)) == one
    assert await take(bench, 2, use) == one
    # The same use again is no further one.
    assert (await take(bench, 3, use)).uses == frozenset({use})
    assert (await facts(bench, (KAZ, GRANT, FIRST))).time == NOW + 5


async def test_uses_for_other_provisions_are_a_number(bench: Bench) -> None:
    """However often a Grant was used: one envelope's judge looks at what is its own."""
    many = [GrantUse(KAZ, GRANT, UZB, ProvisionId(n.to_bytes(16, "big"))) for n in range(500)]
    mine = GrantUse(KAZ, GRANT, MNG, FIRST)
    foreign = GrantUse(UZB, GRANT, MNG, FIRST)
    await take(bench, 1, *many, mine, foreign)
    told = await facts(bench, (KAZ, GRANT, FIRST))
    assert (told.uses, told.others) == (frozenset({mine}), frozenset({(KAZ, GRANT, 500)}))
    told = await facts(bench, (KAZ, GRANT, SECOND), (UZB, GRANT, FIRST))
    assert (told.uses, told.others) == (frozenset({foreign}), frozenset({(KAZ, GRANT, 501)}))
    assert (await facts(bench)).others == frozenset()


async def test_what_stands_is_told_instead_of_facts(bench: Bench) -> None:
    held = await accept(bench, arrival(1))
    found = await bench.store.facts(arrival(1))
    assert isinstance(found, Held)
    assert found == held


@pytest.mark.parametrize("body", [4, SMALL_BODY + 1])
async def test_bytes_are_counted_until_they_are_gone(bench: Bench, body: int) -> None:
    both = (MNG, UZB)
    first, second = arrival(1, to=both), arrival(2)

    async def bytes_held() -> tuple[int, dict[str, int]]:
        told = await facts(bench, to=both)
        return told.sent, dict(told.waiting)

    await accept(bench, first, b"b" * body)
    await accept(bench, second, b"b")
    one, two = size(1, body), size(2)
    assert await bytes_held() == (one + two, {MNG: one + two, UZB: one})
    await bench.store.acknowledge([answer(first), answer(first), answer(second)])
    await bench.reopen()
    assert await bytes_held() == (one, {MNG: 0, UZB: one})
    await bench.store.expire(first.expires)
    assert await bytes_held() == (0, {MNG: 0, UZB: 0})
    # An answer that comes after the end takes nothing away a second time.
    await bench.store.acknowledge([answer(first, UZB)])
    assert await bytes_held() == (0, {MNG: 0, UZB: 0})


async def test_an_envelope_that_is_refused_counts_for_nothing(bench: Bench) -> None:
    def refuse(_: Facts) -> Verdict:
        raise Forbidden("no-consent", "no")

    staged = bench.store.stage(1)
    await staged.write(b"b")
    with pytest.raises(Forbidden):
        await bench.store.accept(arrival(1), staged, refuse)
    assert await facts(bench) == NOTHING


async def test_a_lane_gives_as_many_as_it_has_room_for(bench: Bench) -> None:
    for number, (precedence, large) in enumerate([(3, True), (3, False), (0, False), (3, False), (3, True), (0, True)]):
        await accept(bench, arrival(number, precedence=precedence), b"b" * (SMALL_BODY + 1 if large else 1))
    found = await bench.store.waiting(MNG, NOW, lanes(10), (), 10**6)
    assert [(item.header[-1:], item.precedence) for item in found] == [
        (b"2", 0), (b"5", 0), (b"0", 3), (b"1", 3), (b"3", 3), (b"4", 3)
    ]  # fmt: skip
    asked = (Lane(3, False, 2), Lane(3, True, 1), Lane(0, True, 1))
    found = await bench.store.waiting(MNG, NOW, asked, (), 10**6)
    assert [item.header[-1:] for item in found] == [b"5", b"0", b"1", b"3"]
    assert await bench.store.waiting(MNG, NOW, (), (), 10**6) == ()
    assert await waiting(bench, UZB) == []
