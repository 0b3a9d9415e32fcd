"""An operator who says that what it took away was lost at a restore: the entry is named.

What a node really loses is taken back by `take_lost`: hashes of the relay, in front of the entry `restored`.
"""

from pathlib import Path

import pytest

from exchange.audit.fault import Broken, Wrong
from exchange.audit.pruned import LOST, OPERATOR, PRUNED, Gone, Loss, Pruning, Terms, subject_of
from exchange.storage.audit_beside import write_beside
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_sqlite import SqliteAudit
from exchange.storage.engine import Database
from schemas.audit import AuditKind
from schemas.limits import DAY
from tests.support.audit_store import T0, AuditStore
from tests.support.world import World

SIZE, LOSSES = 600, 100
RESTORED = T0 + DAY
GONE = "UPDATE audit SET leaf = NULL, hash = ? WHERE position = ?"


@pytest.fixture
async def log(tmp_path: Path, world: World) -> AuditStore:
    folder = tmp_path / "node"
    folder.mkdir()
    made = AuditStore(folder, world)
    await made.grow(0, SIZE)
    return made


def said(log: AuditStore, reason: str, time: int, subject: int | None = None, count: int | None = None) -> None:
    told = None if subject is None else subject_of(subject)
    write_beside(
        log.folder / "node.db", AuditFact(AuditKind.OPERATOR, time, OPERATOR, subject=told, reason=reason, count=count)
    )


async def taken(log: AuditStore, first: int, hashes: tuple[bytes, ...], now: int) -> None:
    database = Database.open(log.folder / "node.db", "node")
    try:
        await SqliteAudit(database).take_lost(first, hashes, now)
    finally:
        await database.close()


async def restored(log: AuditStore, parts: int = 1) -> Path:
    """A backup lacked the last hundred; the node has written some more since, and agrees with the relay days later.

    With two `parts` the relay shows first the half of what it holds.
    """
    hashes = log.hashes()
    log.tamper("DELETE FROM audit WHERE position >= 500")
    said(log, "restored", RESTORED)
    await log.grow(SIZE, 20)
    step = LOSSES // parts
    for first in range(SIZE - LOSSES, SIZE, step):
        await taken(log, first, tuple(hashes[first : first + step]), RESTORED + 3600)
    await log.again()
    return log.anchor("relay.anchor")


def named(log: AuditStore, *anchors: Path) -> tuple[int, Wrong]:
    with pytest.raises(Broken) as caught:
        log.verify(*anchors)
    return caught.value.fault.index, caught.value.fault.wrong


@pytest.mark.parametrize("parts", [1, 2])
async def test_what_was_lost_at_a_restore_is_told_apart(log: AuditStore, parts: int) -> None:
    anchor = await restored(log, parts)
    found = log.verify(anchor)
    assert (found.pruned, found.lost, len(found.losses)) == (0, LOSSES, parts)
    assert (found.losses[0].first, found.losses[-1].end) == (SIZE - LOSSES, SIZE)
    assert log.verify().lost == LOSSES


async def test_one_more_than_was_lost(log: AuditStore) -> None:
    anchor = await restored(log)
    hashes = log.hashes()
    log.tamper(GONE, values=(hashes[499], 499))
    assert named(log, anchor) == (499, Wrong.PRUNED)


async def test_the_entry_of_the_restore_taken_away(log: AuditStore) -> None:
    anchor = await restored(log)
    log.tamper(GONE, values=(log.hashes()[SIZE], SIZE))
    assert named(log, anchor) == (500, Wrong.PRUNED)


async def test_what_was_lost_and_nobody_holds(log: AuditStore) -> None:
    await restored(log)
    assert named(log, log.anchor("old.anchor", 550)) == (550, Wrong.PRUNED)


async def test_what_was_lost_given_another_time(log: AuditStore) -> None:
    anchor = await restored(log)
    log.tamper("UPDATE audit SET time = time - 1 WHERE position = 520")
    assert named(log, anchor) == (520, Wrong.PRUNED)


@pytest.mark.parametrize("anchored", [SIZE, 400])
async def test_any_entry_said_to_be_lost_at_a_restore_that_never_was(log: AuditStore, anchored: int) -> None:
    anchor = log.anchor("relay.anchor", anchored)
    log.tamper(GONE, values=(log.hashes()[500], 500))
    said(log, LOST, T0 + 3600, 500, 1)
    await log.again()
    assert named(log, anchor) == (500, Wrong.PRUNED)


async def test_an_entry_said_to_be_lost_with_a_restore_written_at_the_end(log: AuditStore) -> None:
    """The entry behind what was lost is anchored, and is no restore."""
    anchor = log.anchor("relay.anchor", SIZE)
    log.tamper(GONE, values=(log.hashes()[500], 500))
    said(log, "restored", T0 + 3600)
    said(log, LOST, T0 + 3600, 500, 1)
    await log.again()
    assert named(log, anchor) == (500, Wrong.PRUNED)


async def test_a_loss_that_is_made_up_is_named_though_nothing_is_gone(log: AuditStore) -> None:
    said(log, LOST, T0 + 3600, 500, 1)
    await log.again()
    assert named(log) == (SIZE, Wrong.PRUNED)


def test_a_relay_loses_nothing() -> None:
    gone = Gone([Loss(9, 5, 3, 4)], Terms(known=10, of_relay=True))
    found = gone.fault(3, 5, leafless=True)
    assert found is not None
    assert found[0] == 3


def test_statements_without_end_of_losses_that_nothing_bears_out_are_believed_in_none() -> None:
    losses = [Loss(10**6 + number, 1, 0, 0) for number in range(50_000)]
    gone = Gone([*losses, Pruning(2 * 10**6, 10**9, 10**6, 5)], Terms(known=10**7))
    assert gone.losses == []
    assert [gone.fault(index, 1, leafless=True) for index in range(20_000)] == [None] * 20_000


async def test_a_statement_of_pruning_does_not_stand_for_a_loss(log: AuditStore) -> None:
    """What was lost is young, and cannot be said to be pruned instead."""
    await restored(log)
    said(log, PRUNED, RESTORED + 40 * DAY, RESTORED + DAY, SIZE)
    await log.again()
    log.tamper(GONE, values=(log.hashes()[30], 30))
    assert named(log, log.anchor("relay.anchor")) == (0, Wrong.PRUNED)
