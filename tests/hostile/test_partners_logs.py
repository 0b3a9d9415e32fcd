"""Attacks through the checkpoint of its own audit log that a member shows inside an envelope."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.node.audit_log import AuditLog
from exchange.node.partners import Partners
from exchange.storage.audit_reading import audit_reading
from keys.checkpoint import parse_signed
from keys.identity import SigningIdentity
from keys.logsigner import sign_node_checkpoint
from keys.nodelog import node_log_keys
from schemas.ids import Digest, MemberId
from schemas.limits import MAX_GOSSIP
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, ministry, node, request_of, sealed_by
from tests.support.world import Sealed, World

DAY = 86_400


def note(identity: SigningIdentity, size: int = 7, root: bytes = b"r" * 32) -> bytes:
    """A checkpoint of this node's log with its Ed25519 line alone."""
    keys = node_log_keys(identity.owner, identity.public)
    return sign_node_checkpoint(identity, size, Digest(root)).only(keys.ed25519).encode()


def carrying(world: World, anchor: bytes | None, sender: str = "KAZ") -> Sealed:
    """An honest message to MNG with this inside."""
    manifest = manifest_of(world, sender)
    return sealed_by(world, sender, ("MNG",), manifest=manifest, payload=world.payload(manifest, anchor=anchor))


BAD: dict[str, Callable[[World], bytes]] = {
    "garbage": lambda w: b"\xff" * 40,
    "of-another-member": lambda w: note(w.nodes["UZB"]),
    "of-an-unknown-key": lambda w: note(World(seed="another").nodes["KAZ"]),
    "with-a-false-signature": lambda w: note(w.nodes["KAZ"]).replace(b"\n7\n", b"\n8\n"),
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
    assert mng.alarms() == ["bad-anchor"]
    assert (mng.rows("audit_heard"), mng.rows("audit_splits")) == ([], [])


async def test_two_logs_of_one_size_are_told_and_both_kept(world: World, relay: HostileRelay, mng: TestNode) -> None:
    one, other = note(world.nodes["KAZ"]), note(world.nodes["KAZ"], root=b"x" * 32)
    for shown in (one, other, other, one):
        relay.accept(carrying(world, shown))
        await mng.pull()
    assert len(mng.inbox()) == 4
    assert mng.alarms() == ["audit-split"]
    (heard,) = await mng.parts.stores.audit_heads.heard("KAZ")
    assert heard.note == one
    (split,) = mng.rows("audit_splits")
    assert (split["note"], split["other"]) == (other, one)
    with audit_reading(mng.folder / "node.db") as reading:
        assert reading.contradicting(of_relay=False) == [("KAZ", one, other)]


async def test_a_later_log_does_not_take_the_place_of_yesterdays(world: World, mng: TestNode) -> None:
    partners = Partners(mng.parts)
    for size, time in ((7, 0), (9, 0), (8, 0), (20, DAY)):
        mng.clock.time = world.now + time
        await partners.heard(MemberId("KAZ"), note(world.nodes["KAZ"], size))
    assert [heard.size for heard in await mng.parts.stores.audit_heads.heard()] == [9, 20]
    assert mng.alarms() == []


async def test_an_honest_envelope_shows_what_the_relay_has(world: World, relay: HostileRelay, tmp_path: Path) -> None:
    async with node(tmp_path, world, "KAZ", relay) as kaz, node(tmp_path, world, "MNG", relay) as mng:
        await kaz.composer.send(request_of(["MNG"]), (), ministry(), None)
        await AuditLog(kaz.parts, kaz.folder).turn()
        anchored = relay.anchors.of("KAZ").notes
        await kaz.send()
        await mng.pull()
        (heard,) = await mng.parts.stores.audit_heads.heard()
        assert [heard.size] == list(anchored)
        assert parse_signed(heard.note).checkpoint == parse_signed(anchored[heard.size]).checkpoint
        assert mng.alarms() == []
