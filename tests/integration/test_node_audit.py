"""A node's audit log with a real relay: anchored while it runs, across a death, and across a restore."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exchange.demo.processes import Processes
from keys.checkpoint import parse_signed
from keys.merkle import Frontier
from keys.tiles import entry_hash
from schemas.audit import AuditKind, read_entry
from schemas.ids import Digest
from tests.integration.test_backup import back_up, restore, send
from tests.support.running import build, ready_to_receive
from tests.support.waiting import answered

MEMBERS = ("KAZ", "MNG")


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Processes]:
    """A relay and two nodes that run."""
    made = await build(tmp_path / "site", MEMBERS, delivery={"head_after": 1})
    with Processes(made) as processes:
        await processes.start("relay", *MEMBERS)
        await ready_to_receive(processes)
        yield processes


def rows(processes: Processes, member: str, query: str) -> list[Any]:
    """What stands in a node's store, read beside it."""
    with closing(sqlite3.connect(processes.site.node(member) / "node.db")) as connection:
        return connection.execute(query).fetchall()


def anchored_size(processes: Processes, member: str) -> int:
    """How many entries the newest anchored checkpoint is over, once its root is that of the entries."""
    found = rows(processes, member, "SELECT size, root, note FROM audit_checkpoints WHERE anchored IS NOT NULL")
    if not found:
        return 0
    size, root, note = max(found)
    leaves = rows(processes, member, f"SELECT leaf, hash FROM audit ORDER BY position LIMIT {size}")  # noqa: S608 - a number
    hashes = [entry_hash(leaf) if leaf is not None else Digest(digest) for leaf, digest in leaves]
    assert Frontier().extend(hashes).root == root == parse_signed(note).checkpoint.root
    return int(size)


async def anchored_after(processes: Processes, member: str, size: int) -> int:
    """Once more than so many entries are anchored: how many."""

    async def there() -> int | None:
        return ((now := anchored_size(processes, member)) > size and now) or None

    return await answered(there, "the log is anchored")


async def test_a_node_s_log_is_anchored_and_goes_on_after_it_was_killed(site: Processes) -> None:
    first = await anchored_after(site, "KAZ", 0)
    await send(site, "KAZ", "MNG", "a budget")
    site.kill("KAZ")
    stored = rows(site, "KAZ", "SELECT count(*) FROM audit")[0][0]
    assert stored > first
    await site.start("KAZ")
    assert await anchored_after(site, "KAZ", stored - 1) > stored
    kinds = [read_entry(leaf).kind for (leaf,) in rows(site, "KAZ", "SELECT leaf FROM audit ORDER BY position")]
    of_the_message = [AuditKind.SUBMITTED, AuditKind.SEALED, AuditKind.RELAYED, AuditKind.ANSWERED]
    assert [kind for kind in kinds[:stored] if kind in of_the_message] == of_the_message
    assert [kind for kind in kinds if kind is AuditKind.CONFIGURED] == [AuditKind.CONFIGURED]


async def test_a_restored_node_s_log_names_what_was_lost_and_goes_on(site: Processes, tmp_path: Path) -> None:
    await anchored_after(site, "KAZ", 0)
    backups = await back_up(site, "KAZ", tmp_path)
    kept = rows(site, "KAZ", "SELECT count(*) FROM audit")[0][0]
    await send(site, "KAZ", "MNG", "a budget")
    # Its next start anchors at once; what is done then is lost with the disk.
    site.stop("KAZ")
    await site.start("KAZ")
    lost = await anchored_after(site, "KAZ", kept)
    site.kill("KAZ")
    await restore(site, "KAZ", backups)
    await site.start("KAZ")
    assert await anchored_after(site, "KAZ", lost) > lost
    gone = rows(site, "KAZ", "SELECT position FROM audit WHERE leaf IS NULL ORDER BY position")
    assert [position for (position,) in gone] == list(range(gone[0][0], lost))
    assert gone[0][0] <= kept + 1
    told = [read_entry(leaf) for (leaf,) in rows(site, "KAZ", "SELECT leaf FROM audit WHERE leaf IS NOT NULL")]
    assert [entry.count for entry in told if entry.reason == "entries-lost"] == [len(gone)]
