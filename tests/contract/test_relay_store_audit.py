"""One suite for every engine behind the relay's audit log: an act and its entries are there together or not at all."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exchange.errors import Unavailable
from exchange.storage.audit_port import AuditFact
from exchange.storage.log_port import AuditLeaf
from exchange.storage.port import Arrival, Handed
from exchange.storage.refusal_port import RefusalBounds, RefusedHeader
from schemas.audit import AuditEntry, AuditKind, read_entry
from schemas.ids import Digest, MemberId
from tests.support.relay_store import ENGINES, KAZ, MNG, NOW, UZB, Bench, accept, answer, arrival, lanes, opened

ACCEPTED = b"accepted"


@pytest.fixture(params=sorted(ENGINES))
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(request.param, tmp_path) as made:
        yield made


async def entries(bench: Bench) -> list[AuditEntry]:
    """All but the acceptances."""
    return [read_entry(leaf) for leaf in await bench.store.leaves(0, 10**9) if leaf != ACCEPTED]


async def kinds(bench: Bench) -> list[str]:
    leaves = await bench.store.leaves(0, 10**9)
    return ["accepted" if leaf == ACCEPTED else read_entry(leaf).kind.label for leaf in leaves]


async def accepted(bench: Bench, *numbers: int, to: tuple[MemberId, ...] = (MNG,)) -> list[Arrival]:
    items = [arrival(number, to=to) for number in numbers]
    for item in items:
        await accept(bench, item, leaf=ACCEPTED)
    return items


async def places(bench: Bench) -> list[int]:
    return [item.place for item in await bench.store.waiting(MNG, NOW, lanes(10), (), 10**6)]


async def test_entries_stand_among_acceptances_in_their_order(bench: Bench) -> None:
    (first,) = await accepted(bench, 1)
    (place,) = await places(bench)
    await bench.store.pushed([Handed(MNG, place, NOW + 1)])
    await bench.store.acknowledge([answer(first)])
    await accepted(bench, 2)
    await bench.reopen()
    assert await kinds(bench) == ["accepted", "pushed", "acknowledged", "deleted", "accepted"]
    assert await bench.store.leaf_count() == 5
    pushed, acknowledged, deleted = await entries(bench)
    assert (pushed.member, pushed.time) == (MNG, NOW + 1)
    assert acknowledged.evidence == hashlib.sha256(b"ack").digest()
    assert (acknowledged.member, acknowledged.directory_size) == (MNG, 7)
    assert {(e.envelope, e.header_digest) for e in (pushed, acknowledged, deleted)} == {
        (first.key.id, first.header_digest)
    }
    assert len({e.salt for e in (pushed, acknowledged, deleted)}) == 3


async def test_what_was_handed_over_stands_before_the_answer_that_came_with_it(bench: Bench) -> None:
    (item,) = await accepted(bench, 1)
    (place,) = await places(bench)
    await bench.store.acknowledge([answer(item)], [Handed(MNG, place, NOW)])
    assert await kinds(bench) == ["accepted", "pushed", "acknowledged", "deleted"]


async def test_an_envelope_is_handed_over_once_however_often_it_is_sent(bench: Bench) -> None:
    await accepted(bench, 1, to=(MNG, UZB))
    (place,) = await places(bench)
    assert await bench.store.pushed([Handed(MNG, place, NOW), Handed(MNG, place, NOW)]) == 1
    assert await bench.store.pushed([Handed(MNG, place, NOW + 9), Handed(UZB, place, NOW + 9)]) == 1
    assert await bench.store.pushed([Handed(KAZ, place, NOW), Handed(MNG, 99, NOW)]) == 0
    assert [(e.member, e.time) for e in await entries(bench)] == [(MNG, NOW), (UZB, NOW + 9)]


async def test_only_the_first_answer_is_an_entry(bench: Bench) -> None:
    (item,) = await accepted(bench, 1, to=(MNG, UZB))
    await bench.store.acknowledge([answer(item), answer(item, signed=b"second")])
    await bench.store.acknowledge([answer(item, signed=b"third"), answer(arrival(9))])
    (entry,) = await entries(bench)
    assert entry.evidence == hashlib.sha256(b"ack").digest()


async def test_who_did_not_answer_in_time_is_named_once(bench: Bench) -> None:
    (item, _) = await accepted(bench, 1, 2, to=(MNG, UZB))
    await bench.store.acknowledge([answer(item, UZB)])
    assert await bench.store.expire(NOW + 200) == 2
    assert await bench.store.expire(NOW + 300) == 0
    found = [(e.kind.label, e.envelope, e.member, e.time) for e in await entries(bench)]
    one, two = arrival(1).key.id, arrival(2).key.id
    assert found == [
        ("acknowledged", one, UZB, NOW),
        ("expired", one, MNG, NOW + 200),
        ("expired", two, MNG, NOW + 200),
        ("expired", two, UZB, NOW + 200),
        ("deleted", one, None, NOW + 200),
        ("deleted", two, None, NOW + 200),
    ]


async def test_a_late_answer_is_an_entry_after_the_end(bench: Bench) -> None:
    (item,) = await accepted(bench, 1)
    await bench.store.expire(NOW + 200)
    await bench.store.acknowledge([answer(item)])
    assert await kinds(bench) == ["accepted", "expired", "deleted", "acknowledged"]


async def test_an_entry_of_the_directory_that_came_too_late_leaves_none(bench: Bench) -> None:
    fact = AuditFact(AuditKind.DIRECTORY_ENTRY, NOW, member=KAZ, reason="epoch-key", evidence=b"entry", count=0)
    await bench.store.append(b"entry", 0, [fact])
    with pytest.raises(Unavailable):
        await bench.store.append(b"other", 0, [fact])
    (entry,) = await entries(bench)
    assert (entry.member, entry.reason, entry.evidence, entry.count) == (
        KAZ,
        "epoch-key",
        hashlib.sha256(b"entry").digest(),
        0,
    )


async def test_a_provider_that_is_told_is_an_entry(bench: Bench) -> None:
    refused = RefusedHeader(Digest(b"d" * 32), UZB, b"header", NOW, ((KAZ, "no-grant"), (MNG, "expired")))
    bounds = RefusalBounds(5, 10**6)
    await bench.store.add_refusal(refused, bounds)
    await bench.store.add_refusal(refused, bounds)
    found = [(e.kind.label, e.member, e.reason, e.header_digest) for e in await entries(bench)]
    assert found == [("notice", KAZ, "no-grant", b"d" * 32), ("notice", MNG, "expired", b"d" * 32)]


async def test_answers_to_two_envelopes_of_one_id_are_told_apart(bench: Bench) -> None:
    (item,) = await accepted(bench, 1)
    await bench.store.acknowledge([answer(item)])
    found = await bench.store.answer_leaf_of(MNG, item.key.id, item.header_digest)
    assert found is not None
    assert (found.position, read_entry(found.leaf).kind) == (1, AuditKind.ACKNOWLEDGED)
    assert await bench.store.answer_leaf_of(MNG, item.key.id, Digest(b"x" * 32)) is None
    assert await bench.store.answer_leaf_of(UZB, item.key.id, item.header_digest) is None
    assert await bench.store.leaf_of(KAZ, item.key.id) == AuditLeaf(0, ACCEPTED)
    assert await bench.store.leaf_of(MNG, item.key.id) is None


async def test_the_newest_of_a_kind(bench: Bench) -> None:
    assert await bench.store.newest_of(AuditKind.CONFIGURED) is None
    for settings in (b"one", b"two"):
        await bench.store.record([AuditFact(AuditKind.CONFIGURED, NOW, actor="operator", evidence=settings)])
    await bench.store.record([AuditFact(AuditKind.OPERATOR, NOW, actor="operator", reason="started")])
    leaf = await bench.store.newest_of(AuditKind.CONFIGURED)
    assert leaf is not None
    assert read_entry(leaf).evidence == hashlib.sha256(b"two").digest()
