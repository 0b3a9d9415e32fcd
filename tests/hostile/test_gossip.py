"""Attacks through the checkpoint inside an envelope: what a member sends there must not hurt who receives it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from keys.amendment import Changes
from keys.checkpoint import LogKeys, parse_signed
from keys.directory import handover_of
from keys.quorum import origin_of
from schemas.limits import MAX_GOSSIP
from tests.support.changes import ChangingWorld, identity, new_relay
from tests.support.cosigners import signed_checkpoint
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, node, sealed_by
from tests.support.proofs import another_epoch, note_of, proof_files, shown
from tests.support.world import Sealed, World


def short(world: World, note: bytes) -> bytes:
    """A checkpoint with the relay's Ed25519 line alone."""
    keys = LogKeys.of(origin_of("directory", world.relay.key_id), world.relay.public)
    return parse_signed(note).only(keys.ed25519).encode()


def carrying(world: World, checkpoint: bytes | None, sender: str = "KAZ") -> Sealed:
    """An honest message to MNG with this checkpoint inside."""
    manifest = manifest_of(world, sender)
    return sealed_by(world, sender, ("MNG",), manifest=manifest, payload=world.payload(manifest, checkpoint=checkpoint))


BAD: dict[str, Callable[[World], bytes]] = {
    "garbage": lambda w: b"\xff" * 40,
    "of-another-relay": lambda w: short(World(seed="another"), note_of(World(seed="another"), w.entries)),
    "of-another-log": lambda w: signed_checkpoint(w, "audit", w.entries).encode()[:300] + b"\n",
    "with-a-false-signature": lambda w: short(w, note_of(w, w.entries)).replace(b"\n17\n", b"\n16\n"),
    "as-long-as-may-be": lambda w: b"a" * MAX_GOSSIP,
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_checkpoint_is_told_and_the_message_taken(
    world: World, relay: HostileRelay, mng: TestNode, name: str
) -> None:
    for _ in range(2):
        relay.accept(carrying(world, BAD[name](world)))
        await mng.pull()
    assert mng.inbox()
    assert mng.alarms() == ["bad-gossip"]
    assert (mng.rows("heard"), mng.rows("holds"), proof_files(mng)) == ([], [], [])


async def test_a_member_cannot_accuse_the_relay_of_what_is_lawful(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    """An older checkpoint, and one that is published later, are no contradiction."""
    older = short(world, note_of(world, relay.entries[:-3]))
    later = [*relay.entries, another_epoch(world)]
    for checkpoint in (older, short(world, note_of(world, later)), None):
        relay.accept(carrying(world, checkpoint))
        await mng.pull()
    assert [row["size"] for row in mng.rows("heard")] == [len(later)]
    relay.entries = later
    mng.clock.time += 5
    await mng.parts.directory.update(mng.parts.relay, mng.clock.now())
    assert (mng.rows("heard"), mng.alarms(), mng.rows("holds")) == ([], [], [])


async def test_one_member_fills_no_more_than_its_own_place(world: World, relay: HostileRelay, mng: TestNode) -> None:
    entries = list(relay.entries)
    for number in range(9, 14):
        entries.append(another_epoch(world, number=number))
        relay.accept(carrying(world, short(world, note_of(world, entries))))
    await mng.pull()
    assert [(row["member"], row["size"]) for row in mng.rows("heard")] == [("KAZ", len(relay.entries) + 1)]


async def test_two_members_that_were_shown_two_larger_directories(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    """MNG itself has neither, and has the proof."""
    for sender in ("KAZ", "UZB"):
        entries = [*relay.entries, another_epoch(world, seed=sender)]
        relay.accept(carrying(world, short(world, note_of(world, entries)), sender))
    await mng.pull()
    assert mng.alarms() == ["split-view"]
    assert [row["member"] for row in mng.rows("holds")] == ["UZB"]
    assert len(proof_files(mng)) == 1


async def test_every_envelope_carries_what_its_sender_was_shown(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    shown(relay, "KAZ", [*relay.entries, another_epoch(world)])
    await kaz.parts.directory.update(kaz.parts.relay, world.now)
    assert kaz.parts.directory.gossip == short(world, relay.notes["KAZ"] or b"")
    await kaz.write(["MNG"])
    await kaz.send()
    await mng.pull()
    (row,) = mng.rows("heard")
    assert (row["member"], row["note"]) == ("KAZ", kaz.parts.directory.gossip)


async def test_what_a_former_relay_showed_beyond_its_end_is_no_split(tmp_path: Path) -> None:
    """KAZ was shown an entry that the handover does not count: neither KAZ nor the new relay did anything wrong."""
    world = ChangingWorld()
    relay = HostileRelay(world)
    async with node(tmp_path, world, "MNG", relay) as mng:
        relay.accept(carrying(world, short(world, note_of(world, [*world.entries, another_epoch(world)]))))
        await mng.pull()
        assert [row["size"] for row in mng.rows("heard")] == [len(world.entries) + 1]
        changes = Changes(relays=(new_relay(),), handover=handover_of(world.directory))
        world.amend(changes, ("KAZ", "UZB", "XAA"))
        world.relay = identity("relay-2", "CICA")
        relay.entries = list(world.entries)
        mng.clock.time += 5
        await mng.parts.directory.update(mng.parts.relay, mng.clock.now())
        assert mng.parts.directory.current.size == len(world.entries)
        assert (mng.rows("heard"), mng.alarms(), mng.rows("holds"), proof_files(mng)) == ([], [], [], [])
