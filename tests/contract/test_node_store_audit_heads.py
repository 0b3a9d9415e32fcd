"""Checkpoints of audit logs in a node's store: which are kept, and what partners have shown."""

from dataclasses import replace

from exchange.storage.audit_port import AuditCheckpoint, HeardAnchor
from tests.support.node_rows import NOW, NodeStore

DAY = 86_400


def checkpoint(size: int) -> AuditCheckpoint:
    return AuditCheckpoint(size, b"r" * 32, b"note %d" % size, NOW + size)


def heard(size: int, time: int = NOW, root: bytes = b"r" * 32, member: str = "KAZ") -> HeardAnchor:
    return HeardAnchor(member, f"log of {member}", size, root, b"note %d" % size, time)


async def test_the_newest_and_what_the_relay_has_are_kept(store: NodeStore) -> None:
    heads = store.audit_heads
    assert await heads.newest() is None
    await heads.save(checkpoint(3))
    await heads.save_anchored(3, NOW + 50)
    for size in (5, 7, 9):
        await heads.save(checkpoint(size))
    await store.reopen()
    heads = store.audit_heads
    kept = replace(checkpoint(3), anchored=NOW + 50)
    assert await heads.newest() == checkpoint(9)
    assert await heads.newest(anchored=True) == kept
    assert await heads.anchors(0, 9) == (kept,)
    await heads.save_anchored(9, NOW + 60)
    await heads.save_anchored(9, NOW + 70)
    assert [(one.size, one.anchored) for one in await heads.anchors(0, 9)] == [(3, NOW + 50), (9, NOW + 60)]
    assert [one.size for one in await heads.anchors(3, 9)] == [9]


async def test_an_entry_is_covered_by_the_first_checkpoint_over_it_that_the_relay_has(store: NodeStore) -> None:
    heads = store.audit_heads
    for size in (3, 6, 9):
        await heads.save(checkpoint(size))
        if size != 9:
            await heads.save_anchored(size, NOW)
    covering = [await heads.covering(index) for index in (0, 2, 3, 5, 6)]
    assert [one.size if one else None for one in covering] == [3, 3, 6, 6, None]


async def test_what_a_partner_showed_is_not_replaced_by_what_it_shows_the_next_day(store: NodeStore) -> None:
    heads = store.audit_heads
    for said in (heard(3), heard(5), heard(4), heard(8, NOW + DAY), heard(1, member="UZB")):
        assert await heads.hear(said) is None
    assert await heads.heard() == (heard(5), heard(8, NOW + DAY), heard(1, member="UZB"))
    assert await heads.heard("UZB") == (heard(1, member="UZB"),)


async def test_two_logs_of_one_size_contradict_each_other_and_the_first_stays(store: NodeStore) -> None:
    heads = store.audit_heads
    await heads.hear(heard(5))
    before = await store.dump()
    assert await heads.hear(heard(5, NOW + DAY, b"x" * 32)) == heard(5)
    assert await heads.hear(heard(5, NOW + 2 * DAY, b"y" * 32)) == heard(5)
    after = await store.dump()
    assert after.pop("audit_splits") == [
        ("KAZ", "log of KAZ", 5, b"x" * 32, b"note 5", b"note 5", NOW + DAY),
    ]
    del before["audit_splits"]
    assert after == before
    assert await heads.hear(heard(5, NOW + 1)) is None
    assert await heads.hear(heard(5, root=b"x" * 32, member="UZB")) is None
