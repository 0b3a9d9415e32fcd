"""One suite for every engine behind the relay's logs: leaves come with acceptances, checkpoints only move forward."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.errors import Forbidden
from exchange.storage.log_port import AUDIT, DIRECTORY, AuditLeaf, StoredCheckpoint
from exchange.storage.port import Facts, Verdict
from schemas.limits import DAY, HOUR
from tests.support.relay_store import ENGINES, KAZ, MNG, NOW, Bench, accept, arrival, opened


@pytest.fixture(params=sorted(ENGINES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


def checkpoint(size: int, published: bool = False, note: bytes = b"note", time: int = NOW) -> StoredCheckpoint:
    return StoredCheckpoint(size, note, published, time)


async def test_leaves_are_numbered_from_zero_without_a_gap(bench: Bench) -> None:
    await asyncio.gather(*(accept(bench, arrival(n), leaf=b"leaf %d" % n) for n in range(1, 8)))
    await bench.reopen()
    leaves = await bench.store.leaves(0, 10**6)
    assert sorted(leaves) == [b"leaf %d" % n for n in range(1, 8)]
    for n in range(1, 8):
        found = await bench.store.leaf_of(KAZ, arrival(n).key.id)
        assert found == AuditLeaf(leaves.index(b"leaf %d" % n), b"leaf %d" % n)
    assert await bench.store.leaf_of(MNG, arrival(1).key.id) is None
    assert await bench.store.leaf_count() == 7


async def test_an_answer_of_leaves_is_bounded_but_never_empty(bench: Bench) -> None:
    for n in range(1, 5):
        await accept(bench, arrival(n), leaf=bytes([n]) * 10)
    assert [leaf[0] for leaf in await bench.store.leaves(1, 25)] == [2, 3]
    assert [leaf[0] for leaf in await bench.store.leaves(1, 1)] == [2]
    assert await bench.store.leaves(4, 100) == ()


async def test_what_is_refused_or_repeated_leaves_no_leaf(bench: Bench) -> None:
    def refuse(facts: Facts) -> Verdict:
        raise Forbidden("no-consent", "no")

    staged = bench.store.stage(1)
    await staged.write(b"b")
    with pytest.raises(Forbidden):
        await bench.store.accept(arrival(1), staged, refuse)
    await accept(bench, arrival(2), leaf=b"first")
    await accept(bench, arrival(2), leaf=b"second")
    assert await bench.store.leaves(0, 100) == (b"first",)


async def test_a_leaf_outlives_its_envelope(bench: Bench) -> None:
    await accept(bench, arrival(1), leaf=b"leaf")
    assert await bench.store.expire(NOW + DAY) == 1
    assert await bench.store.leaf_of(KAZ, arrival(1).key.id) == AuditLeaf(0, b"leaf")


async def test_a_checkpoint_is_signed_first_and_published_later(bench: Bench) -> None:
    store = bench.store
    assert await store.newest_checkpoint(AUDIT, published=False) is None
    await store.save_checkpoint(AUDIT, checkpoint(3))
    assert await store.newest_checkpoint(AUDIT, published=False) == checkpoint(3)
    assert await store.newest_checkpoint(AUDIT, published=True) is None
    await store.save_checkpoint(AUDIT, checkpoint(3, published=True, note=b"cosigned"))
    await bench.reopen()
    assert await bench.store.newest_checkpoint(AUDIT, published=True) == checkpoint(3, True, b"cosigned")
    assert await bench.store.newest_checkpoint(DIRECTORY, published=False) is None


async def test_a_published_checkpoint_stays_published(bench: Bench) -> None:
    await bench.store.save_checkpoint(AUDIT, checkpoint(3, published=True))
    await bench.store.save_checkpoint(AUDIT, checkpoint(3, published=False, note=b"more", time=NOW + 1))
    assert await bench.store.newest_checkpoint(AUDIT, published=True) == checkpoint(3, True, b"more", NOW + 1)


async def test_a_newer_signed_one_does_not_hide_what_is_published(bench: Bench) -> None:
    await bench.store.save_checkpoint(AUDIT, checkpoint(3, published=True))
    await bench.store.save_checkpoint(AUDIT, checkpoint(5))
    assert await bench.store.newest_checkpoint(AUDIT, published=True) == checkpoint(3, published=True)
    assert await bench.store.newest_checkpoint(AUDIT, published=False) == checkpoint(5)


async def test_the_covering_checkpoint_is_the_first_published_one_above_the_leaf(bench: Bench) -> None:
    for size, published in ((3, True), (4, False), (5, True), (9, False)):
        await bench.store.save_checkpoint(AUDIT, checkpoint(size, published))
    found = [await bench.store.covering_checkpoint(AUDIT, position) for position in (0, 2, 3, 4, 5)]
    assert [item and item.size for item in found] == [3, 3, 5, 5, None]
    assert await bench.store.covering_checkpoint(DIRECTORY, 0) is None


async def test_of_old_checkpoints_the_last_of_each_day_is_kept(bench: Bench) -> None:
    midnight = NOW // DAY * DAY
    times = [midnight + 10, midnight + 20, midnight + DAY + 10, midnight + DAY + HOUR, midnight + DAY + HOUR + 100]
    for size, time in enumerate(times, 1):
        await bench.store.save_checkpoint(DIRECTORY, checkpoint(size, published=True, time=time))
    last = checkpoint(6, published=True, time=midnight + DAY + HOUR + 200)
    await bench.store.save_checkpoint(DIRECTORY, last)
    found = [await bench.store.covering_checkpoint(DIRECTORY, position) for position in range(6)]
    assert [item and item.size for item in found] == [2, 2, 4, 4, 5, 6]


async def test_the_first_and_the_last_under_each_directory_are_kept(bench: Bench) -> None:
    """A leaf is never covered by a checkpoint of after the directory has grown, when there was one of before."""
    start = NOW // DAY * DAY
    for size, view in enumerate([5, 5, 5, 5, 6, 6, 6, 8], 1):
        made = replace(checkpoint(size, published=True, time=start + size), view=view)
        await bench.store.save_checkpoint(AUDIT, made)
        await bench.store.save_checkpoint(DIRECTORY, made)
    last = replace(checkpoint(9, published=True, time=start + 2 * HOUR), view=8)
    for log in (AUDIT, DIRECTORY):
        await bench.store.save_checkpoint(log, last)
    found = [await bench.store.covering_checkpoint(AUDIT, position) for position in range(9)]
    assert [item and (item.size, item.view) for item in found] == [
        *((1, 5), (4, 5), (4, 5), (4, 5)),
        *((5, 6), (7, 6), (7, 6)),
        *((8, 8), (9, 8)),
    ]
    assert await bench.store.covering_checkpoint(DIRECTORY, 0) == last


async def test_what_is_cosigned_again_makes_no_leaf_younger(bench: Bench) -> None:
    await bench.store.save_checkpoint(AUDIT, checkpoint(3, published=False, note=b"signed only"))
    await bench.store.save_checkpoint(AUDIT, checkpoint(3, published=True, note=b"first"))
    await bench.store.save_checkpoint(AUDIT, checkpoint(3, published=True, note=b"an hour later", time=NOW + HOUR))
    covering = await bench.store.covering_checkpoint(AUDIT, 0)
    newest = await bench.store.newest_checkpoint(AUDIT, published=True)
    assert covering is not None
    assert newest is not None
    assert (covering.note, newest.note) == (b"first", b"an hour later")


async def test_what_is_cosigned_again_while_the_log_rests_is_kept_as_of_its_own_day(bench: Bench) -> None:
    """The last acceptance of Friday keeps its checkpoint of Friday when Monday's come."""
    friday, view = NOW // DAY * DAY + 10 * HOUR, 5
    published = replace(checkpoint(3, published=True, note=b"friday", time=friday), view=view)
    await bench.store.save_checkpoint(AUDIT, replace(published, size=2))
    monday = friday + 3 * DAY
    for time in range(friday, monday, HOUR):
        await bench.store.save_checkpoint(AUDIT, replace(published, note=b"friday" * (1 + (time > friday)), time=time))
    for size, hours in ((4, 0), (5, 1), (6, 3)):
        await bench.store.save_checkpoint(AUDIT, replace(published, size=size, note=b"", time=monday + hours * HOUR))
    covering = await bench.store.covering_checkpoint(AUDIT, 2)
    assert covering is not None
    assert (covering.size, covering.note) == (3, b"friday")


async def test_holdings_tell_both_logs(bench: Bench) -> None:
    await bench.store.append(b"entry", 0)
    await accept(bench, arrival(1))
    await accept(bench, arrival(2))
    await bench.store.save_checkpoint(AUDIT, checkpoint(1, published=True))
    await bench.store.save_checkpoint(AUDIT, checkpoint(2))
    directory, audit = (await bench.store.holdings()).logs
    assert (directory.name, directory.size, directory.signed, directory.published) == (DIRECTORY, 1, None, None)
    assert (audit.name, audit.size) == (AUDIT, 2)
    assert (audit.signed, audit.published) == (checkpoint(2), checkpoint(1, published=True))
