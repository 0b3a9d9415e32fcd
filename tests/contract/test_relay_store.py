"""One suite for every engine behind the relay's storage protocols: what is stored, given out and deleted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.errors import ExchangeError, Forbidden, Unavailable
from exchange.storage.port import SMALL_BODY, Facts, Held, Verdict
from schemas.ids import Digest
from schemas.relayapi import SeenItem
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
    body_of,
    lanes,
    opened,
    waiting,
)


@pytest.fixture(params=sorted(ENGINES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


async def test_the_directory_keeps_order_and_refuses_another_size(bench: Bench) -> None:
    await bench.store.append(b"one", 0)
    await bench.store.append(b"two", 1)
    for size in (0, 1, 3):
        with pytest.raises(Unavailable):
            await bench.store.append(b"three", size)
    await bench.reopen()
    assert await bench.store.entries(0, 100) == (b"one", b"two")
    assert await bench.store.entries(1, 1) == (b"two",)
    assert await bench.store.entries(2, 100) == ()


async def test_an_answer_of_the_directory_is_bounded_but_never_empty(bench: Bench) -> None:
    for index in range(4):
        await bench.store.append(bytes([index]) * 10, index)
    assert len(await bench.store.entries(0, 25)) == 2
    assert len(await bench.store.entries(0, 20)) == 2
    assert len(await bench.store.entries(0, 1)) == 1


async def test_what_was_accepted_stands_after_a_restart(bench: Bench) -> None:
    item = arrival(1, to=(MNG, UZB))
    held = await accept(bench, item, b"x" * (SMALL_BODY + 1))
    await bench.reopen()
    assert held == Held(item.header_digest, b"receipt", frozenset({MNG, UZB}))
    assert await bench.store.find([item.key, arrival(2).key]) == [held, None]
    assert await waiting(bench, UZB) == [item.header]
    assert await body_of(bench, item, UZB) == b"x" * (SMALL_BODY + 1)


@pytest.mark.parametrize("size", [SMALL_BODY, SMALL_BODY + 1])
async def test_a_body_travels_beside_its_header_up_to_the_bound(bench: Bench, size: int) -> None:
    await accept(bench, arrival(1), b"b" * size)
    (item,) = await bench.store.waiting(MNG, NOW, lanes(10), (), 10**6)
    assert item.body == (b"b" * size if size <= SMALL_BODY else None)
    assert await body_of(bench, arrival(1)) == b"b" * size


async def test_a_duplicate_is_not_judged_and_gets_what_stands(bench: Bench) -> None:
    first = await accept(bench, arrival(1), receipt=b"first")
    staged = bench.store.stage(4)
    await staged.write(b"evil")

    def never(facts: Facts) -> Verdict:
        raise AssertionError("judged again")

    other = replace(arrival(1), header_digest=Digest(b"o" * 32), header=b"other")
    assert await bench.store.accept(other, staged, never) == first
    assert await waiting(bench) == [b"header 1"]
    assert await body_of(bench, arrival(1)) == b"body"


async def test_of_many_at_once_under_one_id_one_stands(bench: Bench) -> None:
    many = [replace(arrival(1), header=b"header %d" % n, header_digest=Digest(bytes([n]) * 32)) for n in range(20)]
    held = await asyncio.gather(*(accept(bench, item, bytes([n]) * 70_000) for n, item in enumerate(many)))
    assert len({standing.header_digest for standing in held}) == 1
    winner = held[0].header_digest[0]
    assert await waiting(bench) == [b"header %d" % winner]
    assert await body_of(bench, arrival(1)) == bytes([winner]) * 70_000


@pytest.mark.parametrize("size", [4, SMALL_BODY + 1])
async def test_what_the_judge_refuses_leaves_nothing(bench: Bench, size: int) -> None:
    def refuse(facts: Facts) -> Verdict:
        raise Forbidden("no-consent", "no")

    staged = bench.store.stage(size)
    await staged.write(b"b" * size)
    with pytest.raises(ExchangeError):
        await bench.store.accept(arrival(1), staged, refuse)
    assert (await bench.store.holdings()).accepted == 0
    assert await waiting(bench) == []


async def test_a_mailbox_is_ordered_by_precedence_then_by_acceptance(bench: Bench) -> None:
    for number, precedence in ((1, 3), (2, 1), (3, 3), (4, 0), (5, 1)):
        await accept(bench, arrival(number, precedence=precedence))
    assert await waiting(bench) == [b"header %d" % n for n in (4, 2, 5, 1, 3)]
    assert await waiting(bench, room=1) == [b"header %d" % n for n in (4, 2, 1)]
    assert await waiting(bench, UZB) == []


async def test_skipped_places_do_not_hide_what_follows(bench: Bench) -> None:
    for number in range(1, 6):
        await accept(bench, arrival(number))
    first, second = await bench.store.waiting(MNG, NOW, lanes(2), (), 10**6)
    assert await waiting(bench, skip=(first.place, second.place), room=2) == [b"header 3", b"header 4"]


async def test_an_answer_of_a_mailbox_is_bounded_but_never_empty(bench: Bench) -> None:
    for number in range(1, 4):
        await accept(bench, arrival(number), b"b" * 1000)
    assert len(await bench.store.waiting(MNG, NOW, lanes(10), (), 2500)) == 2
    assert len(await bench.store.waiting(MNG, NOW, lanes(10), (), 1)) == 1


@pytest.mark.parametrize("size", [4, SMALL_BODY + 1])
async def test_the_ciphertext_goes_with_the_last_answer(bench: Bench, size: int) -> None:
    item = arrival(1, to=(MNG, UZB))
    await accept(bench, item, b"b" * size)
    await bench.store.acknowledge([answer(item)])
    assert (await waiting(bench), await body_of(bench, item)) == ([], None)
    assert await body_of(bench, item, UZB) == b"b" * size
    await bench.store.acknowledge([answer(item, UZB)])
    holdings = await bench.store.holdings()
    assert (holdings.accepted, holdings.held, holdings.mailboxes) == (1, 0, ())
    assert (await bench.store.find([item.key]))[0] == Held(item.header_digest, b"receipt", frozenset({MNG, UZB}))
    assert not list(bench.folder.glob("bodies/*"))


async def test_the_first_answer_stands_and_is_told_once(bench: Bench) -> None:
    item = arrival(1, to=(MNG, UZB))
    await accept(bench, item)
    await bench.store.acknowledge([answer(item, signed=b"first"), answer(item, signed=b"second")])
    await bench.store.acknowledge([answer(item, signed=b"third")])
    assert [notice.signed for notice in await bench.store.notices(KAZ, (), 10)] == [b"first"]
    assert await body_of(bench, item, UZB) == b"body"


async def test_notices_stay_until_they_are_seen(bench: Bench) -> None:
    items = [arrival(number) for number in (1, 2, 3)]
    for item in items:
        await accept(bench, item)
        await bench.store.acknowledge([answer(item, signed=item.header)])
    await bench.reopen()
    first, second, third = await bench.store.notices(KAZ, (), 10)
    assert [n.signed for n in (first, second, third)] == [item.header for item in items]
    assert await bench.store.notices(KAZ, {first.place}, 1) == (second,)
    seen = [SeenItem(first.envelope, first.recipient), SeenItem(items[1].key.id, UZB)]
    await bench.store.seen(MNG, seen)
    assert len(await bench.store.notices(KAZ, (), 10)) == 3
    await bench.store.seen(KAZ, seen)
    assert await bench.store.notices(KAZ, (), 10) == (second, third)


@pytest.mark.parametrize("size", [4, SMALL_BODY + 1])
async def test_at_its_end_a_ciphertext_goes_and_a_late_answer_is_still_told(bench: Bench, size: int) -> None:
    item = arrival(1)
    await accept(bench, item, b"b" * size)
    assert await bench.store.expire(item.expires - 1) == 0
    assert await bench.store.waiting(MNG, item.expires, lanes(10), (), 10**6) == ()
    assert await bench.store.expire(item.expires) == 1
    assert await bench.store.expire(item.expires) == 0
    assert (await waiting(bench), await body_of(bench, item)) == ([], None)
    assert not list(bench.folder.glob("bodies/*"))
    await bench.store.acknowledge([answer(item, signed=b"late")])
    assert [notice.signed for notice in await bench.store.notices(KAZ, (), 10)] == [b"late"]


async def test_more_than_one_transaction_of_expired_envelopes(bench: Bench) -> None:
    await asyncio.gather(*(accept(bench, arrival(number)) for number in range(450)))
    assert await bench.store.expire(NOW + 100) == 450
    assert (await bench.store.holdings()).held == 0


async def test_a_discarded_body_leaves_no_trace(bench: Bench) -> None:
    staged = bench.store.stage(10**6)
    await staged.write(b"b" * 700_000)
    await staged.discard()
    await staged.discard()
    assert not list(bench.folder.glob("bodies/*"))


async def test_bodies_that_no_row_names_go_at_the_next_start(bench: Bench) -> None:
    await accept(bench, arrival(1), b"b" * (SMALL_BODY + 1))
    staged = bench.store.stage(10**6)
    await staged.write(b"b" * 700_000)
    before = len(list(bench.folder.glob("bodies/*")))
    await bench.reopen()
    assert (before, len(list(bench.folder.glob("bodies/*")))) == (2, 1)
    assert await body_of(bench, arrival(1)) == b"b" * (SMALL_BODY + 1)
    await staged.discard()
