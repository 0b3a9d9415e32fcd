"""What one member can do to the others' part of the directory: take their keys' names, or their room."""

from dataclasses import replace

import pytest

from keys.directory import Directory, extend
from keys.errors import DirectoryFull, Untrusted
from keys.identity import EpochIdentity, SigningIdentity
from schemas.ids import MemberId
from schemas.limits import MAX_DIRECTORY_SIZE, MAX_MEMBER_ENTRIES
from schemas.statement import DirectoryEntry, read_entry
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.world import World

KAZ, MNG = MemberId("KAZ"), MemberId("MNG")
NEW = SigningIdentity.from_entropy(KAZ, derived("new node", size=64))
EPOCH = EpochIdentity(derived("new epoch", size=96))


def certified(member: str, world: World) -> DirectoryEntry:
    """The new key as this member's."""
    return read_entry(signing_entry(signing_statement(member, NEW, world.now), world.roots[member]))


def epoch(world: World, signer: SigningIdentity, member: str = "KAZ") -> DirectoryEntry:
    """A further epoch of the member, signed in its name by this key."""
    owner = SigningIdentity(MemberId(member), signer.ed25519_seed, signer.mldsa65_seed)
    return read_entry(epoch_entry(epoch_statement(member, 9, EPOCH, world.now), owner))


def test_a_member_that_certifies_another_s_key_takes_nothing_from_it(world: World) -> None:
    """Whichever of the two comes first; and an epoch is certified by a key of its own member only."""
    squatting = certified("MNG", world)
    own = certified("KAZ", world)
    for entries in ([squatting, own], [own, squatting]):
        directory = extend(world.directory, entries)
        for member in (KAZ, MNG):
            assert directory.signing_key(member, NEW.key_id, world.now).member == member
        assert extend(directory, [epoch(world, NEW)]).size == directory.size + 1
    directory = extend(world.directory, [squatting])
    assert not directory.knows(KAZ, NEW.key_id)
    with pytest.raises(Untrusted):
        extend(directory, [epoch(world, NEW)])


def with_epochs(directory: Directory, count: int) -> Directory:
    """As if KAZ had published so many epochs."""
    first_epoch = directory.epochs[KAZ][0]
    return replace(directory, epochs={**directory.epochs, KAZ: (first_epoch,) * count})


@pytest.mark.parametrize("together", [False, True])
def test_one_member_s_entries_are_bounded_and_leave_room_for_the_others(world: World, together: bool) -> None:
    # Its signing key is the first of its entries.
    almost = with_epochs(world.directory, MAX_MEMBER_ENTRIES - 2)
    one = epoch(world, world.nodes["KAZ"])
    key = certified("KAZ", world)
    full = extend(almost, [one])
    with pytest.raises(DirectoryFull, match="KAZ has 1562 entries") as refused:
        extend(almost if together else full, [one, key] if together else [key])
    assert refused.value.member == KAZ
    assert extend(full, [epoch(world, world.nodes["MNG"], "MNG")]).size == full.size + 1


def test_the_directory_is_bounded(world: World) -> None:
    almost = replace(world.directory, size=MAX_DIRECTORY_SIZE - 1)
    last = extend(almost, [epoch(world, world.nodes["KAZ"])])
    assert last.size == MAX_DIRECTORY_SIZE
    with pytest.raises(DirectoryFull) as refused:
        extend(last, [epoch(world, world.nodes["MNG"], "MNG")])
    assert refused.value.member is None
