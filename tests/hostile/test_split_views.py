"""Attacks by a relay that shows the directory as it likes: a swapped key, a false charter, forks, rollback, freeze.

It has its real keys and signs all of it; how many members' nodes help it, each test says. Every attack is seen, nothing
of it is used, and a file is left that proves it to whoever has the charter. Nothing more is sent to whom it concerns.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.errors import ExchangeError
from exchange.node.directory import PATIENCE
from keys.amendment import Changes, amend_charter
from keys.errors import KeyFault
from keys.identity import SigningIdentity
from schemas.canon import encode
from schemas.ids import MemberId
from schemas.limits import DAY, MERGE_DELAY
from schemas.statement import DIRECTORY_ENTRY
from tests.support.changes import revocation, version
from tests.support.cosigners import signed_checkpoint
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, node, sealed_by
from tests.support.proofs import another_epoch, findings, note_of, proof_files, shown
from tests.support.realm import signing_entry, signing_statement
from tests.support.world import World

THIEF = SigningIdentity.from_entropy(MemberId("MNG"), b"t" * 96)


async def refused(tested: TestNode, kind: str) -> None:
    """The node looks at the directory, uses nothing of it, and raises this alarm with a proof that holds."""
    before, rows = tested.facts(), tested.rows("directory")
    with pytest.raises(ExchangeError) as caught:
        await tested.update()
    assert caught.value.code == kind
    assert tested.facts() == before
    assert tested.rows("directory") == rows
    assert tested.alarms() == [kind]
    (finding,) = findings(tested)
    assert (finding.kind.label, finding.observer) == (kind, tested.parts.member)
    assert finding.proved


async def held(tested: TestNode, member: str) -> None:
    """A message to this member waits and says why, until an operator releases it; one to another goes."""
    others = {"KAZ", "MNG", "UZB", "XAA"} - {member, tested.parts.member}
    await tested.write([member])
    await tested.write([min(others)])
    await tested.send()
    assert tested.recipients() == {member: "pending", min(others): "accepted"}
    (waits,) = [row["waits"] for row in tested.rows("messages") if row["waits"] is not None]
    assert f"`cbm node release-hold {member}`" in waits
    assert await tested.parts.stores.hand.release(member, tested.parts.clock.now())
    await tested.send()
    assert tested.recipients()[member] == "accepted"


async def told(relay: HostileRelay, sender: TestNode, receiver: TestNode) -> None:
    """A message that arrives, with what its sender was shown of the directory inside."""
    await sender.write([receiver.parts.member])
    await sender.send()
    await receiver.pull()
    assert len(receiver.inbox()) == 1
    relay.waiting.clear()


# A swapped key, a false charter.


async def test_a_key_swapped_in_a_log_that_all_have_cosigned(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """Witnesses do not see entries; whoever uses the directory does."""
    relay.entries += [another_epoch(world), signing_entry(signing_statement("MNG", THIEF, world.now), world.relay)]
    await refused(kaz, "invalid-entry")
    await held(kaz, "MNG")


async def test_a_key_swapped_in_the_middle_of_a_longer_log(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """What follows the false entry is not read; its hashes show that the relay has signed it."""
    relay.entries += [signing_entry(signing_statement("MNG", THIEF, world.now), world.relay)]
    relay.entries += [another_epoch(world, number=number) for number in range(9, 14)]
    await refused(kaz, "invalid-entry")


async def test_a_charter_of_the_relay_s_own(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    draft = amend_charter(world.charter, Changes(removed=(MemberId("MNG"),)), world.now)
    relay.entries.append(encode(DIRECTORY_ENTRY, version(draft, [world.roots["KAZ"], world.roots["UZB"]])))
    await refused(kaz, "invalid-entry")


async def test_garbage_in_a_signed_log(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    relay.entries.append(b"\xc1" * 40)
    await refused(kaz, "invalid-entry")


# Forks.


@pytest.mark.parametrize("more", [0, 1, 5])
async def test_two_groups_that_are_shown_two_directories(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, more: int
) -> None:
    """Enough members' nodes help the relay to cosign both. The first message from one group to the other shows it."""
    ours = [*relay.entries, another_epoch(world, seed="of one group")]
    theirs = [*relay.entries, *(another_epoch(world, number=9 + n, seed="of the other") for n in range(1 + more))]
    shown(relay, "KAZ", ours)
    shown(relay, "MNG", theirs)
    await kaz.update()
    await mng.update()
    await told(relay, kaz, mng)
    assert mng.alarms() == ["split-view"]
    (finding,) = findings(mng)
    assert finding.kind.label == "split-view"
    assert finding.stated == ()
    await held(mng, "KAZ")


async def test_the_group_with_the_smaller_directory_sees_it_when_it_is_shown_as_much(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    shown(relay, "KAZ", [*relay.entries, another_epoch(world, seed="of one group")])
    shown(relay, "MNG", [*relay.entries, *(another_epoch(world, number=n, seed="of the other") for n in (9, 10))])
    await kaz.update()
    await mng.update()
    await told(relay, mng, kaz)
    assert kaz.alarms() == []
    shown(relay, "KAZ", [*relay.views["KAZ"], another_epoch(world, number=10), another_epoch(world, number=11)])
    await kaz.update()
    assert kaz.alarms() == ["split-view"]
    (finding,) = findings(kaz)
    assert finding.stated == ()
    await held(kaz, "MNG")


async def test_a_fork_that_no_quorum_helps_with(world: World, relay: HostileRelay, mng: TestNode) -> None:
    shown(relay, "MNG", [*relay.entries, another_epoch(world)], by=["KAZ", "XAA"])
    await refused(mng, "unwitnessed")


@pytest.mark.parametrize("more", [0, 1, 3])
async def test_a_log_that_is_rewritten(world: World, relay: HostileRelay, kaz: TestNode, more: int) -> None:
    """The last entries that the node has are others now, with the quorum's help."""
    relay.entries.append(another_epoch(world, seed="as it was"))
    await kaz.update()
    relay.entries[-1:] = [another_epoch(world, number=9 + n, seed="as it is") for n in range(1 + more)]
    await refused(kaz, "split-view")


async def test_a_rewritten_log_whose_entries_are_not_served(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """Nothing is used; the two notes are kept, and the relay owes the proof that they agree."""
    before = kaz.facts()
    relay.notes["KAZ"] = note_of(world, [*relay.entries[:-1], another_epoch(world), another_epoch(world, number=10)])
    with pytest.raises((ExchangeError, KeyFault)):
        await kaz.update()
    assert kaz.facts() == before
    assert kaz.parts.directory.current is world.directory


# Rollback and freeze.


async def test_a_directory_that_is_rolled_back(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    shown(relay, "KAZ", [*relay.entries, another_epoch(world)])
    await kaz.update()
    shown(relay, "KAZ", relay.entries)
    await refused(kaz, "rollback")


async def test_a_rollback_is_seen_after_a_restart(tmp_path: Path, world: World, relay: HostileRelay) -> None:
    shown(relay, "KAZ", [*relay.entries, another_epoch(world)])
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        await kaz.update()
        grown = kaz.parts.directory.current
    shown(relay, "KAZ", relay.entries)
    async with node(tmp_path, world, "KAZ", relay) as kaz:
        stores, guard = kaz.parts.stores, kaz.parts.guard
        loaded = await type(kaz.parts.directory).load(kaz.parts.directory._books, world.charter_digest, guard)
        assert loaded.current.size == grown.size
        with pytest.raises(ExchangeError) as caught:
            await loaded.update(kaz.parts.relay, world.now)
        assert caught.value.code == "rollback"
        assert len(await stores.access.directory()) == grown.size


async def test_a_directory_that_is_frozen(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """Within its age limit the node goes on with it; beyond that messages wait, and the alarm has its proof."""
    old = note_of(world, relay.entries)
    relay.notes["KAZ"] = old
    kaz.clock.time += 6 * DAY
    await kaz.update()
    await kaz.write(["MNG"])
    await kaz.send()
    assert (kaz.alarms(), kaz.recipients()) == ([], {"MNG": "accepted"})
    kaz.clock.time += DAY + 1
    await kaz.update()
    assert kaz.alarms() == ["freeze"]
    (finding,) = findings(kaz)
    assert finding.stated
    await kaz.write(["UZB"])
    await kaz.send()
    assert kaz.recipients()["UZB"] == "pending"
    assert any("too old to send by" in (row["waits"] or "") for row in kaz.rows("messages"))
    del relay.notes["KAZ"]
    await kaz.update()
    await kaz.send()
    assert kaz.recipients()["UZB"] == "accepted"


async def test_an_old_checkpoint_in_place_of_a_newer_one_of_the_same_size(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """The newest time that a quorum has stated counts, whatever is shown later."""
    kaz.clock.time += 5 * DAY
    await kaz.update()
    assert kaz.parts.directory.updated == world.now + 5 * DAY
    relay.notes["KAZ"] = note_of(world, relay.entries)
    await kaz.update()
    assert kaz.parts.directory.updated == world.now + 5 * DAY
    kaz.clock.time += 7 * DAY + 1
    await kaz.update()
    assert kaz.alarms() == ["freeze"]
    assert len(findings(kaz)) == 1


async def test_a_relay_that_shows_no_checkpoint_at_all_does_not_hide_a_freeze(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    relay.notes["KAZ"] = None
    kaz.clock.time += 7 * DAY + 1
    await kaz.housekeeper.tick()
    assert kaz.alarms() == []
    await kaz.housekeeper.look()
    await kaz.housekeeper.tick()
    assert kaz.alarms() == ["directory-stale"]
    await kaz.write(["MNG"])
    await kaz.send()
    assert kaz.recipients() == {"MNG": "pending"}


# A hidden revocation.


def cut(world: World) -> bytes:
    """MNG's root ends the key of its node."""
    return encode(DIRECTORY_ENTRY, revocation(world.roots["MNG"], world.nodes["MNG"].key_id, world.now))


async def test_a_revocation_that_one_group_is_not_shown(
    world: World, relay: HostileRelay, kaz: TestNode, uzb: TestNode
) -> None:
    """KAZ knows of it. UZB is shown a directory that ends before it, cosigned anew all the time."""
    shown(relay, "KAZ", [*relay.entries, cut(world)])
    await kaz.update()
    await told(relay, kaz, uzb)
    uzb.clock.time += PATIENCE
    await uzb.update()
    assert uzb.alarms() == []
    uzb.clock.time += 1
    await uzb.update()
    assert uzb.alarms() == ["freeze"]
    (finding,) = findings(uzb)
    assert finding.kind.label == "freeze"
    await held(uzb, "KAZ")


async def test_a_revocation_that_is_left_out_of_the_log(
    world: World, relay: HostileRelay, kaz: TestNode, uzb: TestNode
) -> None:
    shown(relay, "KAZ", [*relay.entries, cut(world), another_epoch(world)])
    shown(relay, "UZB", [*relay.entries, another_epoch(world)])
    await kaz.update()
    await uzb.update()
    await told(relay, uzb, kaz)
    assert kaz.alarms() == ["split-view"]
    assert findings(kaz)[0].stated == ()


async def test_a_decision_under_a_directory_without_the_revocation(
    world: World, relay: HostileRelay, uzb: TestNode
) -> None:
    """The relay accepts what a thief of MNG's key sends, as if it did not know: its receipt says so."""
    size = len(relay.entries)
    relay.entries.append(cut(world))
    await uzb.update()
    uzb.clock.time += MERGE_DELAY + 60
    before = uzb.facts()
    stolen = sealed_by(world, "MNG", ("UZB",))
    relay.accept(stolen, directory_size=size, time=world.now + MERGE_DELAY + 1)
    await uzb.pull()
    assert uzb.facts() == before
    assert (uzb.rows("received"), relay.acknowledged) == ([], [])
    assert "receipt-size" in uzb.alarms()
    (finding,) = findings(uzb)
    assert (finding.kind.label, finding.stated) == ("receipt-size", ())


async def test_a_decision_within_the_merge_delay_stands(world: World, relay: HostileRelay, uzb: TestNode) -> None:
    """The control: clocks differ, and publishing takes its time."""
    size = len(relay.entries)
    relay.entries.append(cut(world))
    await uzb.update()
    uzb.clock.time += MERGE_DELAY
    relay.accept(sealed_by(world, "MNG", ("UZB",)), directory_size=size, time=world.now + MERGE_DELAY)
    await uzb.pull()
    assert len(uzb.inbox()) == 1


# The quorum minus one.


def halved(world: World, entries: list[bytes], number: int) -> bytes:
    """Three members, of which the last cosigned with one half of its key only."""
    signed = signed_checkpoint(world, "directory", entries)
    text = note_of(world, entries, ["KAZ", "MNG", "UZB"]).decode()
    lines = text.split("\n")
    del lines[-2 - number]
    assert len(signed.signatures) == 2
    return "\n".join(lines).encode()


UNWITNESSED: dict[str, Callable[[World, list[bytes]], bytes]] = {
    "one-less-than-the-quorum": lambda w, e: note_of(w, e, ["KAZ", "MNG"]),
    "nobody": lambda w, e: note_of(w, e, []),
    "half-a-cosignature": lambda w, e: halved(w, e, 0),
    "the-other-half": lambda w, e: halved(w, e, 1),
    "before-the-keys-were-valid": lambda w, e: note_of(w, e, time=w.now - 60 * DAY),
    "lines-for-another-checkpoint": lambda w, e: (
        signed_checkpoint(w, "directory", e).encode() + b"".join(note_of(w, e[:-1]).splitlines(keepends=True)[6:])
    ),
}


@pytest.mark.parametrize("name", UNWITNESSED)
async def test_a_checkpoint_without_its_quorum(world: World, relay: HostileRelay, kaz: TestNode, name: str) -> None:
    relay.entries.append(another_epoch(world))
    relay.notes["KAZ"] = UNWITNESSED[name](world, relay.entries)
    await refused(kaz, "unwitnessed")


async def test_members_that_the_same_entries_remove_do_not_count(
    world: World, relay: HostileRelay, kaz: TestNode
) -> None:
    """The thief of MNG's key cosigns the very directory that ends it."""
    relay.entries.append(cut(world))
    relay.notes["KAZ"] = note_of(world, relay.entries, ["KAZ", "UZB", "MNG"])
    await refused(kaz, "unwitnessed")


async def test_a_checkpoint_that_the_relay_did_not_sign(world: World, relay: HostileRelay, kaz: TestNode) -> None:
    """Whoever stands between can take it away, and can prove nothing by it: it is no alarm, and nothing is used."""
    before = kaz.facts()
    relay.entries.append(another_epoch(world))
    lines = note_of(world, relay.entries).decode().split("\n")
    for number in (4, 5):
        relay.notes["KAZ"] = "\n".join([*lines[:number], *lines[number + 1 :]]).encode()
        with pytest.raises(KeyFault):
            await kaz.update()
    relay.notes["KAZ"] = note_of(World(seed="another relay"), relay.entries)
    with pytest.raises(KeyFault):
        await kaz.update()
    assert (kaz.facts(), kaz.alarms(), proof_files(kaz)) == (before, [], [])
