"""An operator who prunes what it may not, or says that it has pruned what it has taken away: the entry is named.

1000 entries in 333 seconds; the relay holds the hashes of the first 900. Seventy days later the first 300 are pruned
as they may be.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.audit.fault import Broken, Wrong
from exchange.audit.pruned import KEPT, LOST, OPERATOR, PRUNED, subject_of
from exchange.errors import StoreFault
from exchange.storage import audit_pruning
from exchange.storage.audit_beside import write_beside
from exchange.storage.audit_port import AuditFact, AuditQuery
from exchange.storage.audit_pruning import planned, prune
from exchange.storage.audit_reading import audit_reading
from exchange.storage.audit_sqlite import prune_entries
from schemas.audit import AuditKind
from schemas.limits import DAY, MIN_KEPT_DAYS
from tests.support.audit_store import T0, AuditStore
from tests.support.world import World

SIZE, ANCHORED, OLD = 1000, 900, 300
BEFORE, NOW = T0 + OLD // 3, T0 + 70 * DAY
STATED = SIZE
GONE = "UPDATE audit SET leaf = NULL, hash = ? WHERE position = ?"


@pytest.fixture
async def log(tmp_path: Path, world: World) -> AuditStore:
    folder = tmp_path / "node"
    folder.mkdir()
    made = AuditStore(folder, world)
    await made.grow(0, SIZE)
    await made.sign(ANCHORED)
    made.anchor("relay.anchor", ANCHORED)
    return made


def relay_of(log: AuditStore) -> Path:
    return log.folder.parent / "relay.anchor"


def database(log: AuditStore) -> Path:
    return log.folder / "node.db"


async def pruned(log: AuditStore, before: int = BEFORE) -> int:
    """As `cbm audit prune` does it."""
    plan = planned(database(log), before, ANCHORED, KEPT)
    count = prune(database(log), plan, NOW, KEPT)
    await log.again()
    return count


def state(log: AuditStore, reason: str, number: int, count: int, time: int = NOW) -> None:
    """The operator writes by hand what the log is to say."""
    fact = AuditFact(AuditKind.OPERATOR, time, OPERATOR, subject=subject_of(number), reason=reason, count=count)
    write_beside(database(log), fact)


def take_away(log: AuditStore, first: int, end: int, columns: str = "") -> None:
    """The operator removes leaves by hand, and leaves their hashes."""
    hashes = log.hashes()
    for position in range(first, end):
        log.tamper(GONE, values=(hashes[position], position))
    if columns:
        log.tamper(f"UPDATE audit SET {columns} WHERE position >= {first} AND position < {end}")  # noqa: S608  own text


def named(log: AuditStore, days: int = MIN_KEPT_DAYS) -> tuple[int, Wrong]:
    with pytest.raises(Broken) as caught:
        log.verify(relay_of(log), days=days)
    return caught.value.fault.index, caught.value.fault.wrong


async def test_what_was_pruned_as_it_may_be_is_as_provable_as_before(log: AuditStore) -> None:
    roots = [log.verify(relay_of(log)).frontier.size, log.hashes()]
    assert await pruned(log) == OLD
    found = log.verify(relay_of(log))
    assert (found.pruned, found.lost, found.frontier.size) == (OLD, 0, SIZE + 1)
    assert log.verify().pruned == OLD
    assert [SIZE, log.hashes()[:SIZE]] == roots
    with audit_reading(database(log)) as reading:
        old = list(reading.search(AuditQuery(until=BEFORE), None))
        assert (len(old), {leaf.leaf for leaf in old}, {leaf.lost for leaf in old}) == (OLD, {None}, {False})
        # Nothing says what they were.
        kinds = tuple(kind for kind in AuditKind if kind is not AuditKind.OPERATOR)
        assert len(list(reading.search(AuditQuery(kinds=kinds), None))) == SIZE - OLD
        (one,) = reading.search(AuditQuery(kinds=(AuditKind.OPERATOR,)), None)
    assert one.index == STATED
    assert log.rows("SELECT count(*) FROM audit WHERE position < 300 AND coalesce(envelope, subject) NOT NULL") == [
        (0,)
    ]


async def test_pruning_goes_on_from_what_was_pruned(log: AuditStore) -> None:
    await pruned(log)
    assert await pruned(log, BEFORE + 100) == 300
    assert log.verify(relay_of(log)).pruned == 600
    assert await pruned(log, BEFORE) == 0


async def test_what_nobody_else_holds_is_kept(log: AuditStore) -> None:
    assert await pruned(log, T0 + DAY) == ANCHORED
    assert log.verify(relay_of(log)).pruned == ANCHORED


async def test_what_the_operator_did_is_kept(log: AuditStore) -> None:
    write_beside(database(log), AuditFact(AuditKind.OPERATOR, T0 + 400, OPERATOR, reason="started"))
    await log.sign(SIZE + 1)
    log.anchor("relay.anchor", SIZE + 1)
    plan = planned(database(log), T0 + DAY, SIZE + 1, KEPT)
    assert (plan.end, plan.count, plan.last) == (SIZE + 1, SIZE, SIZE - 1)
    prune(database(log), plan, NOW, KEPT)
    await log.again()
    assert log.verify(relay_of(log)).pruned == SIZE


async def test_a_crash_in_the_middle_is_gone_on_from(log: AuditStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_pruning, "_PAGE", 100)
    done: list[int] = []

    def dying(connection: sqlite3.Connection, hashes: Sequence[tuple[int, bytes]]) -> int:
        if len(done) == 2:
            raise StoreFault("store-failed", "the power is gone")
        done.append(len(hashes))
        return prune_entries(connection, hashes)

    with monkeypatch.context() as patched:
        patched.setattr(audit_pruning, "prune_entries", dying)
        with pytest.raises(StoreFault):
            await pruned(log)
    await log.again()
    assert log.verify(relay_of(log)).pruned == 200
    assert await pruned(log) == 100
    assert log.verify(relay_of(log)).pruned == OLD


async def test_an_entry_taken_away_without_a_word(log: AuditStore) -> None:
    take_away(log, 10, 11)
    assert named(log) == (10, Wrong.PRUNED)


async def test_one_more_than_was_pruned(log: AuditStore) -> None:
    await pruned(log)
    take_away(log, OLD, OLD + 1)
    assert named(log) == (OLD, Wrong.PRUNED)


async def test_the_hash_of_a_pruned_entry_forged_and_all_signed_anew(log: AuditStore) -> None:
    await pruned(log)
    log.tamper("UPDATE audit SET hash = zeroblob(32) WHERE position = 88")
    await log.again()
    assert named(log) == (88, Wrong.CHANGED)


async def test_an_entry_changed_and_then_pruned(log: AuditStore) -> None:
    log.tamper("UPDATE audit SET leaf = (SELECT leaf FROM audit WHERE position = 5) WHERE position = 40")
    await pruned(log)
    assert named(log) == (40, Wrong.CHANGED)


async def test_entries_pruned_that_nobody_else_holds(log: AuditStore) -> None:
    """The operator says in its own store that they are anchored."""
    take_away(log, 0, 910)
    state(log, PRUNED, T0 + DAY, SIZE)
    await log.sign(SIZE)
    await log.again()
    assert named(log) == (ANCHORED, Wrong.PRUNED)


async def test_entries_pruned_before_any_was_anchored(log: AuditStore) -> None:
    """Without an anchor at hand, the folder's own word is that nothing is anchored."""
    take_away(log, 0, 3)
    state(log, PRUNED, BEFORE, OLD)
    await log.again()
    log.tamper("UPDATE audit_checkpoints SET anchored = NULL")
    with pytest.raises(Broken) as caught:
        log.verify()
    assert (caught.value.fault.index, caught.value.fault.wrong) == (0, Wrong.PRUNED)


async def test_entries_younger_than_what_is_said_to_be_pruned(log: AuditStore) -> None:
    take_away(log, 0, 600)
    state(log, PRUNED, BEFORE, 600)
    await log.again()
    assert named(log) == (OLD, Wrong.PRUNED)


async def test_younger_entries_made_older_beside_their_hash(log: AuditStore) -> None:
    """What still has its leaf shows how old the entries behind it can be at most."""
    take_away(log, 0, 450, f"time = {T0}")
    take_away(log, 451, 600, f"time = {T0}")
    state(log, PRUNED, BEFORE, 600)
    await log.again()
    assert named(log) == (450, Wrong.PRUNED)


@pytest.mark.parametrize(("days", "given", "found"), [(29, MIN_KEPT_DAYS, STATED), (60, 90, STATED), (60, 60, None)])
async def test_pruned_sooner_than_entries_are_to_be_kept(
    log: AuditStore, days: int, given: int, found: int | None
) -> None:
    take_away(log, 0, OLD)
    state(log, PRUNED, BEFORE, OLD, BEFORE + days * DAY)
    await log.again()
    if found is None:
        assert log.verify(relay_of(log), days=given).pruned == OLD
    else:
        assert named(log, given) == (found, Wrong.PRUNED)


@pytest.mark.parametrize(("reason", "number", "count"), [(PRUNED, T0 + DAY, 1100), (LOST, 1010, 50)])
async def test_a_word_that_is_said_too_early_is_named_and_covers_nothing(
    log: AuditStore, reason: str, number: int, count: int
) -> None:
    """An entry cannot say that later ones are gone."""
    state(log, reason, number, count)
    await log.again()
    assert named(log) == (STATED, Wrong.PRUNED)
    take_away(log, 20, 30)
    assert named(log) == (20, Wrong.PRUNED)


async def test_one_entry_said_to_be_pruned_by_a_clock_that_was_set_ahead(log: AuditStore) -> None:
    """The statement is of thirty days later, and the log goes on with the times of today."""
    take_away(log, 0, OLD)
    state(log, PRUNED, T0 + 400, OLD, T0 + 400 + 30 * DAY)
    await log.again()
    with pytest.raises(Broken) as caught:
        log.verify(relay_of(log), now=T0 + 3600)
    assert (caught.value.fault.index, caught.value.fault.wrong) == (STATED, Wrong.PRUNED)
    await log.grow(SIZE + 1, 50)
    await log.again()
    assert named(log) == (STATED, Wrong.PRUNED)


@pytest.mark.parametrize("chosen", ["position = 500", "actor = 'defence/desk-1' AND position < 900"])
async def test_entries_chosen_out_of_those_that_are_old_enough(log: AuditStore, chosen: str) -> None:
    rows = log.rows(f"SELECT position FROM audit JOIN audit_classes c ON c.id = class WHERE {chosen}")  # noqa: S608  own text
    for (position,) in rows:
        take_away(log, position, position + 1)
    state(log, PRUNED, T0 + 400, ANCHORED)
    await log.again()
    assert named(log) == (0, Wrong.PRUNED)


async def test_hashes_of_other_lengths_that_make_up_for_each_other(log: AuditStore) -> None:
    hashes = log.hashes()
    take_away(log, 0, 600)
    log.tamper(GONE, values=(hashes[500] + hashes[501], 500))
    log.tamper(GONE, values=(b"", 501))
    state(log, PRUNED, T0 + 400, ANCHORED)
    assert named(log) == (500, Wrong.PRUNED)


async def test_an_entry_put_in_with_an_empty_hash(log: AuditStore) -> None:
    """Two are joined farther on, so that all hashes together are what the relay holds."""
    hashes = log.hashes()
    take_away(log, 0, 602)
    log.tamper("DELETE FROM audit WHERE position = 601")
    log.tamper("UPDATE audit SET position = -position - 1 WHERE position >= 300 AND position < 601")
    log.tamper("UPDATE audit SET position = -position WHERE position < 0")
    log.tamper(GONE, values=(hashes[600] + hashes[601], 601))
    log.tamper("INSERT INTO audit (position, time, class, hash) VALUES (300, ?, 1, x'')", values=(T0,))
    state(log, PRUNED, T0 + 400, ANCHORED)
    assert named(log) == (300, Wrong.PRUNED)


@pytest.mark.parametrize("time", [-1, 2**62, 253_402_300_800])
async def test_a_time_beside_a_hash_that_no_entry_has(log: AuditStore, time: int) -> None:
    await pruned(log)
    log.tamper("UPDATE audit SET time = ? WHERE position = 7", values=(time,))
    assert named(log) == (7, Wrong.PRUNED)


async def test_an_entry_stored_at_a_place_far_away(log: AuditStore) -> None:
    await log.again()
    log.tamper("INSERT INTO audit (position, time, class, leaf) VALUES (?, 1, 1, x'00')", values=(2**62,))
    assert named(log) == (SIZE, Wrong.REMOVED)


async def test_an_official_cannot_say_it_for_the_operator(log: AuditStore) -> None:
    fact = AuditFact(AuditKind.OPERATOR, NOW, OPERATOR, subject=subject_of(BEFORE), reason=PRUNED, count=OLD)
    write_beside(database(log), replace(fact, kind=AuditKind.CONSENT), replace(fact, actor="defence/desk-1"))
    take_away(log, 7, 8)
    await log.again()
    assert named(log) == (7, Wrong.PRUNED)
