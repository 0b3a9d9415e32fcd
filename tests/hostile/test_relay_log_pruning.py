"""A relay that takes away what it must keep for its members, and says that it was lost or pruned."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from exchange.audit.fault import Broken
from exchange.audit.pruned import KEPT_BY_RELAY, LOST, OPERATOR, PRUNED, Terms, hash_of, subject_of
from exchange.audit.reconcile import Tally
from exchange.storage.audit_beside import write_beside
from exchange.storage.audit_port import AuditFact
from exchange.storage.audit_reading import audit_reading
from exchange.wiring.auditing import verify_relay_log
from exchange.wiring.keeping import Keeping
from schemas.audit import AuditKind
from schemas.limits import DAY
from tests.integration.test_log_crash import remembering
from tests.integration.test_relay_pruning import worked
from tests.support.world import World

LATER = 100 * DAY
TAKEN = (AuditKind.ACCEPTED, AuditKind.ACKNOWLEDGED, AuditKind.ANCHORED)


@pytest.fixture
async def database(tmp_path: Path, world: World) -> Path:
    """Of a relay that has done one of everything, and is stopped."""
    async with remembering(tmp_path, world, {}) as server:
        await server.witnessed()
        await worked(server, world)
        await server.logged()
    return tmp_path / "relay.db"


def reconciled(database: Path, now: int) -> Tally:
    tally = Tally()
    for _ in Keeping(database, None, KEPT_BY_RELAY, of_relay=True).reconcile(tally, now):
        pass
    return tally


def taken_away(database: Path, *kinds: AuditKind) -> Iterator[int]:
    """Leaves of these kinds; what is left says that it was pruned."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT OR IGNORE INTO audit_classes (kind, member, actor, reason) VALUES (0, '', '', ?)", (PRUNED,)
        )
        rows = connection.execute("SELECT position, leaf, kind FROM audit JOIN audit_classes ON id = class").fetchall()
        for position, leaf, kind in rows:
            if kind in kinds:
                connection.execute(
                    "UPDATE audit SET leaf = NULL, hash = ?, envelope = NULL, subject = NULL, class ="
                    " (SELECT id FROM audit_classes WHERE kind = 0) WHERE position = ?",
                    (hash_of(leaf), position),
                )
                yield position


def said(database: Path, reason: str, time: int, number: int, count: int) -> None:
    fact = AuditFact(AuditKind.OPERATOR, time, OPERATOR, subject=subject_of(number), reason=reason, count=count)
    write_beside(database, fact)


@pytest.mark.parametrize("kind", TAKEN)
async def test_what_members_need_said_to_be_lost_at_a_restore(database: Path, world: World, kind: AuditKind) -> None:
    first, *more = taken_away(database, kind)
    said(database, LOST, world.now, first, len(more) + 1)
    with pytest.raises(Broken) as caught:
        verify_relay_log(database.parent, world.directory, Terms(world.now))
    assert caught.value.fault.index == first


@pytest.mark.parametrize("kind", TAKEN)
async def test_what_members_need_said_to_be_pruned_is_missed_by_the_store(
    database: Path, world: World, kind: AuditKind
) -> None:
    with audit_reading(database) as reading:
        published = reading.relay_published()
    list(taken_away(database, kind))
    said(database, PRUNED, world.now + 71 * DAY, world.now + 40 * DAY, published)
    assert reconciled(database, world.now + LATER).differences > 0


async def test_a_statement_that_covers_nothing_does_not_blind_the_comparison(database: Path, world: World) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE deliveries SET state = 2")
    before = reconciled(database, world.now)
    assert before.differences > 0
    said(database, PRUNED, world.now, 2**62, 2**40)
    assert reconciled(database, world.now).differences == before.differences
    with audit_reading(database) as reading:
        last = reading.end - 1
    with pytest.raises(Broken) as caught:
        verify_relay_log(database.parent, world.directory, Terms(world.now))
    assert caught.value.fault.index == last
