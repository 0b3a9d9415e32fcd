"""Who signed a checkpoint of a node's own log."""

import pytest

from keys.checkpoint import SignedCheckpoint
from keys.errors import BadSignature, Untrusted
from keys.logsigner import sign_node_checkpoint
from keys.nodelog import node_origin, verify_node_checkpoint
from schemas.ids import Digest, MemberId
from schemas.limits import DAY
from tests.support.changes import ChangingWorld, identity, posing, revocation

KAZ, MNG = MemberId("KAZ"), MemberId("MNG")
ROOT = Digest(b"r" * 32)


@pytest.fixture
def world() -> ChangingWorld:
    return ChangingWorld()


def signed(world: ChangingWorld, member: str = "KAZ") -> SignedCheckpoint:
    return sign_node_checkpoint(world.nodes[member], 7, ROOT)


def test_a_checkpoint_by_the_members_key_holds(world: ChangingWorld) -> None:
    checkpoint = verify_node_checkpoint(signed(world), KAZ, world.directory, world.now)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (node_origin(KAZ), 7, ROOT)


def test_another_members_checkpoint_is_none_of_this_one(world: ChangingWorld) -> None:
    others = (signed(world, "MNG"), sign_node_checkpoint(posing(world.nodes["MNG"], "KAZ"), 7, ROOT))
    for other in others:
        with pytest.raises(Untrusted):
            verify_node_checkpoint(other, KAZ, world.directory, world.now)


@pytest.mark.parametrize("line", [0, 1])
def test_half_of_the_signature_is_none(world: ChangingWorld, line: int) -> None:
    whole = signed(world)
    half = SignedCheckpoint(whole.checkpoint, (whole.signatures[line],))
    # The line with the lattice key alone does not say which key is meant.
    with pytest.raises((BadSignature, Untrusted)):
        verify_node_checkpoint(half, KAZ, world.directory, world.now)


def test_a_key_that_ended_or_never_was_certified_signs_nothing(world: ChangingWorld) -> None:
    with pytest.raises(Untrusted):
        verify_node_checkpoint(sign_node_checkpoint(identity("node", "KAZ"), 7, ROOT), KAZ, world.directory, world.now)
    with pytest.raises(Untrusted):
        verify_node_checkpoint(signed(world), KAZ, world.directory, world.now + 5000 * DAY)
    made = signed(world)
    world.publish(revocation(world.roots["KAZ"], world.nodes["KAZ"].key_id, world.now))
    with pytest.raises(Untrusted):
        verify_node_checkpoint(made, KAZ, world.directory, world.now)
