"""Attacks in a member's own name: somebody has its root, or its node's key, and publishes with it.

The entries are lawful for everybody else. The member's own node knows that it did not make them.
"""

from collections.abc import Callable

import pytest

from exchange.node.directory import DirectoryView
from keys.identity import EpochIdentity, SigningIdentity
from schemas.canon import encode
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY
from tests.support.changes import revocation, withdrawal
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.proofs import another_epoch, findings
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.world import World

THIEF = SigningIdentity.from_entropy(MemberId("KAZ"), b"t" * 96)
FOREIGN: dict[str, Callable[[World], bytes]] = {
    "a-signing-key-by-the-stolen-root": lambda w: signing_entry(signing_statement("KAZ", THIEF, w.now), w.roots["KAZ"]),
    "an-epoch-by-the-stolen-node-key": lambda w: epoch_entry(
        epoch_statement("KAZ", 9, EpochIdentity(b"e" * 96), w.now), w.nodes["KAZ"]
    ),
    "a-revocation": lambda w: encode(DIRECTORY_ENTRY, revocation(w.roots["KAZ"], w.nodes["KAZ"].key_id, w.now)),
    "a-withdrawal": lambda w: encode(
        DIRECTORY_ENTRY, withdrawal(w.nodes["KAZ"], WithdrawalTarget.PROVISION, bytes(16), w.now)
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
async def test_an_entry_in_the_own_name_that_the_node_did_not_make(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, name: str
) -> None:
    relay.entries += [another_epoch(world), FOREIGN[name](world), another_epoch(world, number=10)]
    for tested in (kaz, mng):
        await tested.parts.directory.update(tested.parts.relay, world.now)
        assert tested.parts.directory.current.size == len(relay.entries)
    assert kaz.alarms() == ["foreign-entry"]
    assert mng.alarms() == []
    (finding,) = findings(kaz)
    assert (finding.kind.label, finding.observer) == ("foreign-entry", "KAZ")
    assert f"entry {len(relay.entries) - 2} " in finding.proved[1]
    assert finding.stated == ("KAZ states: its node did not make this entry",)


async def test_what_the_node_publishes_itself_is_not_foreign(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """The control: eight epochs ahead, and its key."""
    kaz.clock.time += 30 * 86400
    await kaz.parts.directory.publish(kaz.parts.relay, kaz.parts.keyring, None, kaz.clock.now())
    assert kaz.parts.directory.current.size > world.directory.size
    assert kaz.alarms() == []


async def test_a_key_that_the_root_has_certified_for_the_next_term_is_not_foreign(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    relay.entries.append(FOREIGN["a-signing-key-by-the-stolen-root"](world))
    kaz.parts.guard._certified = lambda: frozenset({THIEF.key_id})
    await kaz.parts.directory.update(kaz.parts.relay, world.now)
    assert kaz.alarms() == []


async def test_an_alarm_about_a_foreign_entry_outlives_a_crash(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """It is stored with the entry, which is adopted once only."""
    relay.entries.append(FOREIGN["a-withdrawal"](world))
    taken = "CREATE TRIGGER crash BEFORE INSERT ON alarms BEGIN SELECT RAISE(ABORT, 'crash'); END"
    await kaz.database.write(lambda c: c.execute(taken))
    directory: DirectoryView = kaz.parts.directory
    with pytest.raises(Exception, match="crash"):
        await directory.update(kaz.parts.relay, world.now)
    assert len(kaz.rows("directory")) == world.directory.size
    assert directory.current is world.directory
    await kaz.database.write(lambda c: c.execute("DROP TRIGGER crash"))
    await directory.update(kaz.parts.relay, world.now)
    assert kaz.alarms() == ["foreign-entry"]


async def test_epochs_that_a_restore_made_the_node_forget_are_its_own(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """It made them between the backup and the restore. Later ones are not."""
    for number, restored in ((9, world.now), (10, world.now - 2 * DAY)):
        await restore(kaz, world.now - 9 * DAY, restored)
        statement = epoch_statement("KAZ", number, EpochIdentity(bytes([number]) * 96), world.now)
        relay.entries.append(epoch_entry(statement, world.nodes["KAZ"]))
        await kaz.parts.directory.update(kaz.parts.relay, world.now)
        assert kaz.alarms() == ([] if number == 9 else ["foreign-entry"])


async def restore(tested: TestNode, taken: int, restored: int) -> None:
    """Mark the node as restored, once."""
    await tested.database.write(lambda c: c.execute("DELETE FROM restores"))
    mark = "INSERT INTO restores (restored, taken) VALUES (?, ?)"
    await tested.database.write(lambda c: c.execute(mark, (restored, taken)))
