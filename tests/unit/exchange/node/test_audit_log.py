"""A node's audit log: every entry becomes a leaf, is signed, and is anchored; what contradicts is never signed."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request

from exchange.errors import StoreFault, Unauthenticated
from exchange.node import audit_log
from exchange.node.audit_log import ANCHOR_EVERY, FOLDER, AuditLog, anchored
from exchange.node.partners import own_anchor
from exchange.storage.audit_port import AuditFact
from exchange.storage.node_backup import begin_again
from keys.checkpoint import parse_signed
from keys.nodelog import node_origin, verify_node_checkpoint
from schemas.audit import AuditKind, read_entry
from schemas.ids import Digest, MemberId
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, node
from tests.support.node_rows import token
from tests.support.waiting import until
from tests.support.world import World

KAZ = MemberId("KAZ")
FILLED = ("audit", "alarms")
FULL = [
    f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    for table in FILLED
]


async def grow(tested: TestNode, count: int) -> None:
    now = tested.parts.clock.now()
    await tested.parts.stores.audit.add((AuditFact(AuditKind.LOGIN, now, "defence/1"),) * count)


def log_of(tested: TestNode) -> AuditLog:
    return AuditLog(tested.parts, tested.folder)


async def running(log: AuditLog, holds: Callable[[], bool]) -> None:
    """Its loop until something holds; it ends when it is cancelled, as cancelled."""
    task = asyncio.create_task(log.run())
    try:
        await until(holds)
    finally:
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()


async def newest(tested: TestNode) -> tuple[int, bool]:
    """Size of the newest checkpoint, and whether the relay has it."""
    found = await tested.parts.stores.audit_heads.newest()
    return (0, False) if found is None else (found.size, found.anchored is not None)


async def test_an_empty_log_is_not_signed(kaz: TestNode) -> None:
    await log_of(kaz).turn()
    assert await newest(kaz) == (0, False)


async def test_entries_are_signed_and_anchored_by_their_hashes_alone(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    await grow(kaz, 5)
    await log_of(kaz).turn()
    assert await newest(kaz) == (5, True)
    held = relay.anchors.of("KAZ")
    checkpoint = verify_node_checkpoint(parse_signed(held.notes[5]), KAZ, world.directory, world.now)
    assert (checkpoint.origin, checkpoint.size, len(held.hashes)) == (node_origin(KAZ), 5, 5)


async def test_checkpoints_and_anchors_keep_their_pace(relay: HostileRelay, kaz: TestNode) -> None:
    log = log_of(kaz)
    await grow(kaz, 1)
    await log.turn()
    await grow(kaz, 1)
    await log.turn()
    assert await newest(kaz) == (1, True)
    kaz.clock.time += 10
    await log.turn()
    assert await newest(kaz) == (2, False)
    kaz.clock.time += ANCHOR_EVERY - 11
    await log.turn()
    assert (await newest(kaz), len(relay.anchors.of("KAZ").hashes)) == ((2, False), 1)
    kaz.clock.time += 1
    await log.turn()
    assert (await newest(kaz), len(relay.anchors.of("KAZ").hashes)) == ((2, True), 2)


async def test_who_asks_has_it_anchored_at_once(relay: HostileRelay, kaz: TestNode) -> None:
    log = log_of(kaz)
    await grow(kaz, 1)
    await log.turn()
    await grow(kaz, 3)
    assert await anchored(kaz.parts, 0) is None
    kaz.parts.wakes.to_anchor.set()
    await log.turn()
    found = await anchored(kaz.parts, 0)
    assert found is not None
    assert (found.size, len(relay.anchors.of("KAZ").hashes)) == (4, 4)


async def test_a_long_absence_is_anchored_in_steps(relay: HostileRelay, kaz: TestNode) -> None:
    await grow(kaz, 2500)
    relay.down = True
    log = log_of(kaz)
    await log.turn()
    assert await newest(kaz) == (2500, False)
    relay.down = False
    kaz.clock.time += 30
    await log.turn()
    held = relay.anchors.of("KAZ")
    assert (sorted(held.notes), len(held.hashes)) == ([1024, 2048, 2500], 2500)
    assert await newest(kaz) == (2500, True)


async def test_a_crash_between_the_anchor_and_its_record_is_made_good(
    world: World, relay: HostileRelay, tmp_path: Path
) -> None:
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        await grow(kaz, 1500)
        await log_of(kaz).turn()
        await kaz.database.write(lambda c: c.execute("UPDATE audit_checkpoints SET anchored = NULL"))
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        await grow(kaz, 1)
        await log_of(kaz).turn()
        assert (await newest(kaz), len(relay.anchors.of("KAZ").hashes)) == ((1501, True), 1501)


async def test_lost_tiles_are_written_anew(world: World, relay: HostileRelay, tmp_path: Path) -> None:
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        await grow(kaz, 300)
        await log_of(kaz).turn()
        tiles = {path: path.read_bytes() for path in (kaz.folder / FOLDER).rglob("*") if path.is_file()}
        assert tiles
        for path in tiles:
            path.unlink()
        await log_of(kaz).turn()
        assert {path: path.read_bytes() for path in tiles} == tiles


async def test_an_entry_that_was_rewritten_is_never_signed_over(relay: HostileRelay, kaz: TestNode) -> None:
    """The operator rewrites the store while the node is down; tiles and checkpoints are left as they are."""
    await grow(kaz, 3)
    await log_of(kaz).turn()
    with sqlite3.connect(kaz.folder / "node.db") as database:
        database.execute("UPDATE audit SET leaf = (SELECT leaf FROM audit WHERE position = 0) WHERE position = 1")
    database.close()
    await grow(kaz, 1)
    with pytest.raises(StoreFault, match="not what this node signed at 3 entries"):
        await log_of(kaz).turn()
    assert (await newest(kaz), len(relay.anchors.of("KAZ").hashes)) == ((3, True), 3)


async def test_an_old_copy_of_the_store_is_not_signed(relay: HostileRelay, kaz: TestNode) -> None:
    await grow(kaz, 3)
    await log_of(kaz).turn()
    await kaz.database.write(lambda c: c.execute("DELETE FROM audit WHERE position = 2"))
    with pytest.raises(StoreFault, match="old copy"):
        await log_of(kaz).turn()


async def test_a_log_without_its_checkpoints_is_held_against_the_relay(relay: HostileRelay, kaz: TestNode) -> None:
    """All of the node's own is rewritten: leaves, tiles, checkpoints. The relay still has the hashes."""
    await grow(kaz, 3)
    await log_of(kaz).turn()
    await kaz.database.write(lambda c: c.execute("DELETE FROM audit_checkpoints"))
    await kaz.database.write(
        lambda c: c.execute("UPDATE audit SET leaf = (SELECT leaf FROM audit WHERE position = 0) WHERE position = 1")
    )
    for path in sorted((kaz.folder / FOLDER).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    before = dict(relay.anchors.of("KAZ").notes)
    with pytest.raises(StoreFault, match="another entry 1"):
        await log_of(kaz).turn()
    assert relay.anchors.of("KAZ").notes == before


async def test_an_older_copy_of_the_whole_folder_is_told_what_to_do(relay: HostileRelay, kaz: TestNode) -> None:
    """As after the snapshot of a machine was put back: nothing says that the node was restored."""
    await grow(kaz, 3)
    log = log_of(kaz)
    await log.turn()
    await grow(kaz, 5)
    kaz.clock.time += ANCHOR_EVERY
    await log.turn()
    await kaz.database.write(lambda c: c.execute("DELETE FROM audit WHERE position >= 3"))
    await kaz.database.write(lambda c: c.execute("DELETE FROM audit_checkpoints WHERE size > 3"))
    for path in sorted((kaz.folder / FOLDER).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    await kaz.database.write(lambda c: c.execute("UPDATE audit_checkpoints SET anchored = NULL"))
    before = await kaz.parts.stores.audit.leaves(0, 99)
    with pytest.raises(StoreFault, match=r"ends at entry 3, and the relay holds 5 more.*cbm node restore"):
        await log_of(kaz).turn()
    assert await kaz.parts.stores.audit.leaves(0, 99) == before
    await begin_again(kaz.database, kaz.clock.now(), kaz.clock.now(), token(7))
    for _ in range(2):
        await log_of(kaz).turn()
    assert [leaf.lost for leaf in await kaz.parts.stores.audit.leaves(0, 99)] == [False] * 3 + [True] * 5 + [False] * 2


async def test_another_node_for_the_same_member_is_told_as_an_alarm(relay: HostileRelay, kaz: TestNode) -> None:
    await grow(kaz, 3)
    log = log_of(kaz)
    await log.turn()
    relay.anchors.of("KAZ").hashes += [Digest(b"o" * 32)] * 2
    await grow(kaz, 1)
    kaz.clock.time += ANCHOR_EVERY
    await log.turn()
    (alarm,) = kaz.rows("alarms")
    assert (alarm["kind"], "stop one of them" in alarm["detail"]) == ("anchor-refused", True)
    kaz.clock.time += ANCHOR_EVERY
    with pytest.raises(StoreFault, match="another entry 3"):
        await log.turn()


async def test_a_restored_node_goes_on_behind_what_it_lost(relay: HostileRelay, kaz: TestNode) -> None:
    await grow(kaz, 3)
    log = log_of(kaz)
    await log.turn()
    await grow(kaz, 900)
    kaz.clock.time += ANCHOR_EVERY
    await log.turn()
    lost = relay.anchors.of("KAZ").hashes[3:]
    # As after a restore of a backup that was made when there were three.
    await kaz.database.write(lambda c: c.execute("DELETE FROM audit WHERE position >= 3"))
    await kaz.database.write(lambda c: c.execute("DELETE FROM audit_checkpoints WHERE size > 3"))
    for path in sorted((kaz.folder / FOLDER).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    kaz.clock.time += 50
    await begin_again(kaz.database, kaz.clock.now(), kaz.clock.now(), token(7))
    log = log_of(kaz)
    await log.turn()
    await log.turn()
    leaves = await kaz.parts.stores.audit.leaves(0, 2000)
    assert [leaf.hash for leaf in leaves[3:903]] == lost
    restored, told = (read_entry(leaf.leaf or b"") for leaf in leaves[903:])
    assert (restored.reason, told.reason, told.count) == ("restored", "entries-lost", 900)
    assert (await newest(kaz), len(relay.anchors.of("KAZ").hashes)) == ((905, True), 905)


async def test_a_relay_cannot_make_a_restored_node_take_what_it_never_signed(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    await grow(kaz, 3)
    await log_of(kaz).turn()
    relay.anchors.of("KAZ").hashes.append(relay.anchors.of("KAZ").hashes[0])
    kaz.clock.time += 50
    await begin_again(kaz.database, kaz.clock.now(), kaz.clock.now(), token(7))
    before = await kaz.parts.stores.audit.leaves(0, 99)
    kaz.clock.time += ANCHOR_EVERY
    await log_of(kaz).turn()
    assert await kaz.parts.stores.audit.leaves(0, 99) == before
    assert await newest(kaz) == (len(before), False)


async def test_a_fault_that_nobody_foresaw_is_told_and_the_loop_goes_on(
    relay: HostileRelay, kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grow(kaz, 2)
    log, turn, turns = log_of(kaz), AuditLog.turn, list[AuditLog]()

    async def failing(one: AuditLog) -> None:
        turns.append(one)
        if len(turns) == 1:
            raise RuntimeError("words that may hold content")
        await turn(one)

    monkeypatch.setattr(AuditLog, "turn", failing)
    monkeypatch.setattr(audit_log, "_FAULT_PAUSE", 0.01)
    await running(log, lambda: len(turns) > 2)
    (row,) = kaz.rows("alarms")
    assert (row["kind"], "RuntimeError" in row["detail"], "content" in row["detail"]) == ("audit-log", True, False)
    assert (await newest(kaz))[1]


async def test_a_full_disk_neither_ends_the_loop_nor_keeps_the_node_from_stopping(
    kaz: TestNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is counted of denied requests cannot be written, nor an alarm of that, nor that the node stops."""
    log, turn, turns = log_of(kaz), AuditLog.turn, list[AuditLog]()

    async def counting(one: AuditLog) -> None:
        turns.append(one)
        if len(turns) == 1:
            await kaz.database.write(lambda c: [c.execute(text) for text in FULL])
            kaz.parts.doors.denied(make_mocked_request("GET", "/"), Unauthenticated("bad-token", "no"))
            kaz.clock.time += 120
        await turn(one)

    monkeypatch.setattr(AuditLog, "turn", counting)
    monkeypatch.setattr(audit_log, "_FAULT_PAUSE", 0.01)
    await running(log, lambda: len(turns) > 3)
    await kaz.database.write(lambda c: [c.execute(f"DROP TRIGGER no_{table}") for table in FILLED])
    await kaz.parts.doors.flush()
    leaves = await kaz.parts.stores.audit.leaves(0, 99)
    denied = [read_entry(leaf.leaf or b"") for leaf in leaves][-1]
    assert (denied.kind, denied.count) == (AuditKind.LOGIN_DENIED, 1)


async def test_partners_are_shown_what_the_relay_has_and_no_more(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    assert await own_anchor(kaz.parts) is None
    log = log_of(kaz)
    await grow(kaz, 2)
    await log.turn()
    await grow(kaz, 2)
    kaz.clock.time += 10
    await log.turn()
    note = await own_anchor(kaz.parts)
    assert note is not None
    signed = parse_signed(note)
    assert (signed.checkpoint.size, len(signed.signatures)) == (2, 1)


@pytest.mark.parametrize("restored", [False, True])
async def test_a_relay_that_sends_hashes_without_end(
    relay: HostileRelay, kaz: TestNode, monkeypatch: pytest.MonkeyPatch, restored: bool
) -> None:
    """It can neither keep the node's log waiting nor fill its memory."""
    await grow(kaz, 3)
    await log_of(kaz).turn()
    if restored:
        kaz.clock.time += 50
        await begin_again(kaz.database, kaz.clock.now(), kaz.clock.now(), token(7))
    held, pages = relay.anchors.read, []

    def endless(path: str) -> bytes:
        if "hashes" not in path:
            return held(path)
        pages.append(path)
        assert len(pages) < 5, "the node reads on"
        return bytes(32 * 700)

    monkeypatch.setattr(relay.anchors, "read", endless)
    before = await kaz.parts.stores.audit.leaves(0, 99)
    await grow(kaz, 0 if restored else 1)
    kaz.clock.time += ANCHOR_EVERY
    if restored:
        await log_of(kaz).turn()
        assert await kaz.parts.stores.audit.leaves(0, 99) == before
    else:
        with pytest.raises(StoreFault, match="another entry"):
            await log_of(kaz).turn()
    assert pages
