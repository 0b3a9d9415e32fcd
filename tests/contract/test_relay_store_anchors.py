"""One suite for every engine behind the logs that members anchor: they only grow, by what follows."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from exchange.errors import Unavailable
from exchange.storage.anchor_port import Fork, Growth, HeldLog
from exchange.storage.audit_port import AuditFact
from keys.merkle import Frontier
from keys.tiles import entry_hash
from schemas.audit import AuditKind, read_entry
from schemas.ids import Digest
from schemas.limits import DAY
from tests.support.relay_store import ENGINES, KAZ, MNG, NOW, Bench, opened

HASHES = [entry_hash(b"leaf %d" % number) for number in range(700)]


@pytest.fixture(params=sorted(ENGINES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


def growth(before: int, after: int, note: bytes = b"note", time: int = NOW) -> Growth:
    frontier = Frontier().extend(HASHES[:after])
    fact = AuditFact(AuditKind.ANCHORED, time, member=KAZ, subject=frontier.root, evidence=note, count=after)
    log = HeldLog(after, frontier.hashes)
    return Growth(KAZ, before, log, frontier.root, HASHES[before:after], note, time, fact)


async def grow(bench: Bench, *sizes: int) -> None:
    for before, after in zip((0, *sizes), sizes, strict=False):
        await bench.store.grow_log(growth(before, after))


def joined(hashes: Sequence[Digest]) -> bytes:
    return b"".join(hashes)


async def test_a_log_grows_over_tiles_and_is_read_from_anywhere(bench: Bench) -> None:
    assert await bench.store.member_log(KAZ) == HeldLog(0, ())
    await grow(bench, 1, 255, 256, 300, 700)
    await bench.reopen()
    assert await bench.store.member_log(KAZ) == HeldLog(700, Frontier().extend(HASHES).hashes)
    for start, limit in ((0, 1000), (0, 256), (1, 255), (255, 2), (256, 256), (511, 1), (699, 5), (700, 5)):
        found = await bench.store.member_hashes(KAZ, start, limit)
        assert found == joined(HASHES[start : start + limit]), (start, limit)
    assert await bench.store.member_hashes(MNG, 0, 10) == b""


async def test_growth_from_another_size_changes_nothing(bench: Bench) -> None:
    await grow(bench, 5)
    leaves = await bench.store.leaf_count()
    for before in (0, 4, 6):
        with pytest.raises(Unavailable, match="another anchor"):
            await bench.store.grow_log(growth(before, 9))
    assert (await bench.store.member_log(KAZ)).size == 5
    assert await bench.store.member_hashes(KAZ, 0, 10) == joined(HASHES[:5])
    assert await bench.store.leaf_count() == leaves


async def test_every_anchor_has_its_entry_and_its_root(bench: Bench) -> None:
    await grow(bench, 3, 8)
    for size, first in ((1, 3), (3, 3), (4, 8), (8, 8)):
        found = await bench.store.anchor_leaf(KAZ, size)
        assert found is not None
        entry = read_entry(found.leaf)
        assert (entry.count, entry.subject) == (first, Frontier().extend(HASHES[:first]).root)
    assert await bench.store.anchor_leaf(KAZ, 9) is None
    assert await bench.store.anchor_leaf(MNG, 1) is None
    assert await bench.store.anchored_root(KAZ, 3) == Frontier().extend(HASHES[:3]).root
    assert await bench.store.anchored_root(KAZ, 4) is None


async def test_of_the_signed_checkpoints_the_last_of_each_day_is_kept(bench: Bench) -> None:
    assert await bench.store.anchor_note(KAZ) is None
    for size, time in ((1, NOW), (2, NOW + 1), (3, NOW + DAY)):
        await bench.store.grow_log(growth(size - 1, size, b"note %d" % size, time))
    assert await bench.store.anchor_note(KAZ) == b"note 3"
    assert await bench.store.anchor_note(MNG) is None


async def test_contradictions_are_kept_once_and_not_without_end(bench: Bench) -> None:
    def fork(offered: bytes) -> Fork:
        fact = AuditFact(AuditKind.ALARM, NOW, member=KAZ, reason="anchor-fork", evidence=offered)
        return Fork(KAZ, b"held", offered, NOW, fact)

    kept = [await bench.store.keep_fork(fork(note), most=2) for note in (b"a", b"a", b"b", b"c")]
    assert kept == [True, False, True, False]
    assert await bench.store.forks(KAZ) == ((b"held", b"a"), (b"held", b"b"))
    assert await bench.store.forks(MNG) == ()
    assert await bench.store.leaf_count() == 2
