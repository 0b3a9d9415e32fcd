"""One suite for every engine behind the relay's notices of refused transfers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.storage.refusal_port import Kept, PendingRefusal, RefusalBounds, RefusedHeader
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, MIB
from tests.support.relay_store import ENGINES, KAZ, MNG, NOW, UZB, Bench, opened

BOUNDS = RefusalBounds(daily=3, pair_bytes=100)
RULE = "no-consent"


@pytest.fixture(params=sorted(ENGINES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


def refused(
    number: int, to: tuple[MemberId, ...] = (KAZ,), sender: MemberId = MNG, time: int = NOW, size: int = 10
) -> RefusedHeader:
    digest = Digest(number.to_bytes(32, "big"))
    return RefusedHeader(digest, sender, bytes([number]) * size, time, tuple((member, RULE) for member in to))


async def digests(bench: Bench, member: MemberId = KAZ, skip: tuple[Digest, ...] = (), limit: int = 9) -> list[int]:
    found = await bench.store.refusals(member, skip, limit)
    return [int.from_bytes(item.digest, "big") for item in found]


async def test_a_notice_stands_after_a_restart_until_its_provider_has_it(bench: Bench) -> None:
    item = refused(1, (KAZ, UZB))
    assert await bench.store.add_refusal(item, BOUNDS) == Kept((KAZ, UZB), 0)
    await bench.reopen()
    wanted = (PendingRefusal(item.digest, item.header, RULE, NOW),)
    assert await bench.store.refusals(KAZ, (), 9) == await bench.store.refusals(UZB, (), 9) == wanted
    await bench.store.refusals_seen(KAZ, [item.digest])
    await bench.reopen()
    assert await bench.store.refusals(KAZ, (), 9) == ()
    assert await bench.store.refusals(UZB, (), 9) == wanted


async def test_the_same_header_is_told_once_to_each_provider_also_after_it_was_seen(bench: Bench) -> None:
    item = refused(1)
    await bench.store.add_refusal(item, BOUNDS)
    assert await bench.store.add_refusal(item, BOUNDS) == Kept((), 0)
    await bench.store.refusals_seen(KAZ, [item.digest, item.digest])
    assert await bench.store.add_refusal(refused(1, (KAZ, UZB)), BOUNDS) == Kept((UZB,), 0)
    assert (await digests(bench), await digests(bench, UZB)) == ([], [1])


async def test_what_others_say_they_have_seen_changes_nothing(bench: Bench) -> None:
    item = refused(1)
    await bench.store.add_refusal(item, BOUNDS)
    await bench.store.refusals_seen(UZB, [item.digest])
    await bench.store.refusals_seen(KAZ, [Digest(b"x" * 32)])
    assert await digests(bench) == [1]


async def test_a_sender_has_so_many_for_a_provider_in_a_day(bench: Bench) -> None:
    for number in range(1, 4):
        await bench.store.add_refusal(refused(number), BOUNDS)
    await bench.store.refusals_seen(KAZ, [refused(1).digest])
    assert await bench.store.add_refusal(refused(4), BOUNDS) == Kept((), 1)
    assert await bench.store.add_refusal(refused(5, (KAZ, UZB)), BOUNDS) == Kept((UZB,), 1)
    assert await bench.store.add_refusal(refused(6, sender=UZB), BOUNDS) == Kept((KAZ,), 0)
    assert await bench.store.add_refusal(refused(7, time=NOW + DAY), BOUNDS) == Kept((KAZ,), 0)
    assert await digests(bench) == [2, 3, 6, 7]


async def test_a_senders_headers_for_a_provider_take_so_many_bytes(bench: Bench) -> None:
    assert await bench.store.add_refusal(refused(1, size=60), BOUNDS) == Kept((KAZ,), 0)
    assert await bench.store.add_refusal(refused(2, size=41), BOUNDS) == Kept((), 1)
    assert await bench.store.add_refusal(refused(3, size=40), BOUNDS) == Kept((KAZ,), 0)
    await bench.store.refusals_seen(KAZ, [refused(1).digest])
    assert await bench.store.add_refusal(refused(2, size=60), BOUNDS) == Kept((KAZ,), 0)


async def test_what_waits_for_one_provider_takes_no_room_from_another(bench: Bench) -> None:
    assert await bench.store.add_refusal(refused(1, size=100), BOUNDS) == Kept((KAZ,), 0)
    assert await bench.store.add_refusal(refused(2, (KAZ, UZB), size=100), BOUNDS) == Kept((UZB,), 1)
    assert await bench.store.add_refusal(refused(3, (UZB,), size=1), BOUNDS) == Kept((), 1)


async def test_an_answer_is_bounded_but_never_empty(bench: Bench) -> None:
    wide = RefusalBounds(daily=9, pair_bytes=9 * MIB)
    for number in range(1, 5):
        await bench.store.add_refusal(refused(number, size=MIB), wide)
    assert await digests(bench) == [1, 2]
    assert await digests(bench, limit=1) == [1]
    assert await digests(bench, skip=(refused(1).digest, refused(3).digest)) == [2, 4]
    await bench.store.add_refusal(refused(9, (UZB,), size=3 * MIB), wide)
    assert await digests(bench, UZB) == [9]


async def test_what_is_old_is_forgotten_with_its_header(bench: Bench) -> None:
    await bench.store.add_refusal(refused(1, time=NOW - 1), BOUNDS)
    await bench.store.add_refusal(refused(2, time=NOW), BOUNDS)
    await bench.store.add_refusal(refused(3, time=NOW - 1), BOUNDS)
    await bench.store.refusals_seen(KAZ, [refused(3).digest])
    assert await bench.store.expire_refusals(NOW) == 1
    assert await digests(bench) == [2]
    assert await bench.store.add_refusal(refused(4, size=90), BOUNDS) == Kept((KAZ,), 0)
