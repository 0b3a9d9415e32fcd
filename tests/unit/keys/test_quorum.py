"""Whose cosignatures count: Member States' nodes, by keys that are in force and were valid when they cosigned."""

from collections.abc import Callable, Iterable

import pytest

from keys.checkpoint import SignedCheckpoint
from keys.cosign import Quorum
from keys.errors import KeyFault, Untrusted
from keys.identity import SigningIdentity
from keys.logsigner import cosign_checkpoint
from keys.quorum import member_keys, origin_of, verify_cosigned
from schemas.ids import MemberId
from schemas.limits import DAY
from tests.support.changes import ChangingWorld, certificate, identity, posing, revocation, term
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.world import NOW, World

MNG = MemberId("MNG")


@pytest.fixture
def world() -> ChangingWorld:
    """Four Member States, three of which have to cosign; an observer and the Secretariat do not count."""
    return ChangingWorld(observers=("TUR",), secretariat=True)


def head(world: World) -> SignedCheckpoint:
    return signed_checkpoint(world, "directory", world.entries)


def quorum(world: World, signed: SignedCheckpoint, log: str = "directory") -> Quorum:
    checkpoint, found = verify_cosigned(signed, log, world.directory)
    assert checkpoint == signed.checkpoint
    return found


def test_a_quorum_of_member_states_is_enough_and_one_less_is_not(world: ChangingWorld) -> None:
    found = quorum(world, cosigned(world, head(world), ["KAZ", "MNG", "UZB"], NOW + 5))
    assert (found.times, found.needed) == ({"KAZ": NOW + 5, "MNG": NOW + 5, "UZB": NOW + 5}, 3)
    with pytest.raises(Untrusted, match="2 members cosigned"):
        quorum(world, cosigned(world, head(world), ["KAZ", "MNG"]))


@pytest.mark.parametrize("others", [["TUR"], ["CICA"], ["CICA", "TUR"], ["KAZ"]])
def test_observers_the_secretariat_and_a_second_line_do_not_count(world: ChangingWorld, others: list[str]) -> None:
    signed = cosigned(world, cosigned(world, head(world), ["KAZ", "MNG"]), others, NOW + 1)
    with pytest.raises(Untrusted, match="2 members"):
        quorum(world, signed)


def by(world: World, *keys: SigningIdentity, time: int = NOW) -> SignedCheckpoint:
    """Two members by their keys of the world, and whoever else."""
    signed = cosigned(world, head(world), ["KAZ", "UZB"])
    for key in keys:
        signed = signed.add(cosign_checkpoint(key, signed.checkpoint, time))
    return signed


def new_key(world: ChangingWorld, start: int = NOW - DAY, end: int = NOW + DAY) -> SigningIdentity:
    key = identity("node", "MNG")
    world.publish(certificate(term(key, start, end), world.roots["MNG"]))
    return key


def test_each_member_counts_once_by_whichever_of_its_keys(world: ChangingWorld) -> None:
    new = new_key(world)
    assert quorum(world, by(world, new)).times[MNG] == NOW
    both = by(world, new).add(cosign_checkpoint(world.nodes["MNG"], head(world).checkpoint, NOW + 9))
    assert quorum(world, both).times == {"KAZ": NOW, "MNG": NOW + 9, "UZB": NOW}
    assert {record.key_id for record in member_keys(world.directory) if record.member == MNG} == {
        new.key_id,
        world.nodes["MNG"].key_id,
    }


@pytest.mark.parametrize("time", [NOW - DAY - 1, NOW + DAY + 1])
def test_a_key_counts_within_its_term(world: ChangingWorld, time: int) -> None:
    new = new_key(world)
    for edge in (NOW - DAY, NOW + DAY):
        assert quorum(world, by(world, new, time=edge)).times[MNG] == edge
    with pytest.raises(Untrusted):
        quorum(world, by(world, new, time=time))


STRANGERS: dict[str, Callable[[ChangingWorld], Iterable[SigningIdentity]]] = {
    "a-key-that-nobody-certified": lambda w: [identity("node", "MNG")],
    "the-root": lambda w: [w.roots["MNG"]],
    "another-member-in-its-name": lambda w: [posing(w.nodes["KAZ"], "MNG")],
    "a-state-in-no-charter": lambda w: [identity("node", "ZZZ")],
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_does_not_count(world: ChangingWorld, name: str) -> None:
    with pytest.raises(Untrusted, match="2 members"):
        quorum(world, by(world, *STRANGERS[name](world)))


def test_a_revoked_key_counts_no_more_and_counted_before(world: ChangingWorld) -> None:
    signed, size = cosigned(world, head(world), ["KAZ", "MNG", "UZB"]), world.directory.size
    world.publish(revocation(world.roots["MNG"], world.nodes["MNG"].key_id, NOW))
    with pytest.raises(Untrusted):
        quorum(world, signed)
    assert verify_cosigned(signed, "directory", world.directory.as_of(size))[1].needed == 3


def test_half_of_a_cosignature_is_none(world: ChangingWorld) -> None:
    ed25519, mldsa44 = cosign_checkpoint(world.nodes["MNG"], head(world).checkpoint, NOW)
    for line in (ed25519, mldsa44):
        with pytest.raises(Untrusted):
            quorum(world, by(world).add((line,)))


@pytest.mark.parametrize("log", ["audit", "other"])
def test_a_checkpoint_of_another_log_is_not_this_one(world: ChangingWorld, log: str) -> None:
    with pytest.raises(Untrusted, match="no log of a relay"):
        quorum(world, cosigned(world, head(world)), log)


def test_a_checkpoint_has_to_be_of_a_relay_of_the_charter(world: ChangingWorld) -> None:
    stranger = ChangingWorld(seed="another world")
    signed = cosigned(world, signed_checkpoint(stranger, "directory", world.entries))
    with pytest.raises(KeyFault):
        quorum(world, signed)
    unsigned = SignedCheckpoint(head(world).checkpoint, cosigned(world, head(world)).signatures[2:])
    with pytest.raises(KeyFault):
        quorum(world, unsigned)
    assert head(world).checkpoint.origin == origin_of("directory", world.relay.key_id)
