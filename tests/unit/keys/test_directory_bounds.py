"""What one member can do to the others' part of the directory: take their keys' names, or their room."""

from dataclasses import replace

import pytest

from keys.amendment import Changes
from keys.directory import Directory, WithdrawalRecord, extend
from keys.errors import DirectoryFull, Untrusted
from keys.identity import EpochIdentity, SigningIdentity
from schemas.endings import WithdrawalTarget
from schemas.ids import KeyId, MemberId
from schemas.limits import MAX_DIRECTORY_SIZE, MAX_KEY_ENTRIES, MAX_MEMBER_ENTRIES, MAX_ROOT_ENTRIES
from schemas.statement import DirectoryEntry, read_entry
from tests.support.changes import ChangingWorld, certificate, identity, party, revocation, withdrawal
from tests.support.entropy import derived
from tests.support.realm import epoch_entry, epoch_statement, signing_entry, signing_statement
from tests.support.world import World

KAZ, MNG = MemberId("KAZ"), MemberId("MNG")
NEW = SigningIdentity.from_entropy(KAZ, derived("new node", size=96))
EPOCH = EpochIdentity(derived("new epoch", size=96))


def certified(member: str, world: World) -> DirectoryEntry:
    """The new key as this member's."""
    return read_entry(signing_entry(signing_statement(member, NEW, world.now), world.roots[member]))


def epoch(world: World, signer: SigningIdentity, member: str = "KAZ", number: int = 9) -> DirectoryEntry:
    """A further epoch of the member, signed in its name by this key."""
    owner = SigningIdentity.from_entropy(MemberId(member), signer.entropy)
    return read_entry(epoch_entry(epoch_statement(member, number, EPOCH, world.now), owner))


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
    """As if KAZ had published so many epochs, each key of its as many as it may, and the present one none."""
    first_epoch = directory.epochs[KAZ][0]
    keys = [KeyId(bytes([n]) * 32) for n in range(count // MAX_KEY_ENTRIES + 1)]
    epochs = tuple(replace(first_epoch, certifier=keys[n // MAX_KEY_ENTRIES]) for n in range(count))
    return replace(directory, epochs={**directory.epochs, KAZ: epochs})


@pytest.mark.parametrize("together", [False, True])
def test_one_member_s_entries_are_bounded_and_leave_room_for_the_others(world: World, together: bool) -> None:
    # Its signing key is the first of its entries; the last ones are for its root.
    almost = with_epochs(world.directory, MAX_MEMBER_ENTRIES - MAX_ROOT_ENTRIES - 2)
    one, another = epoch(world, world.nodes["KAZ"]), epoch(world, world.nodes["KAZ"], number=10)
    full = extend(almost, [one])
    with pytest.raises(DirectoryFull, match="KAZ has 7556 entries") as refused:
        extend(almost if together else full, [one, another] if together else [another])
    assert refused.value.member == KAZ
    assert extend(full, [epoch(world, world.nodes["MNG"], "MNG")]).size == full.size + 1


def test_who_has_a_member_s_signing_key_cannot_use_up_what_its_root_needs(world: World) -> None:
    """Not by epochs, and not by withdrawals: the root can still revoke the key, and certify another."""
    full = with_epochs(world.directory, MAX_MEMBER_ENTRIES - MAX_ROOT_ENTRIES - 1)
    thief = world.nodes["KAZ"]
    for entry in (epoch(world, thief), withdrawal(thief, WithdrawalTarget.GRANT, bytes(16), world.now)):
        with pytest.raises(DirectoryFull):
            extend(full, [entry])
    saved = extend(full, [revocation(world.roots["KAZ"], thief.key_id, world.now), certified("KAZ", world)])
    assert saved.signing_key(KAZ, NEW.key_id, world.now).index == full.size + 1


@pytest.mark.parametrize("last", ["epoch", "withdrawal"])
def test_what_one_key_certifies_is_bounded_epochs_and_withdrawals_together(world: World, last: str) -> None:
    key, stranger = world.nodes["KAZ"].key_id, KeyId(bytes(32))
    first_epoch = world.directory.epochs[KAZ][0]
    withdrawn = [WithdrawalRecord(KAZ, n.to_bytes(16), 1, key) for n in range(MAX_KEY_ENTRIES - 2)]
    # What another key of the member's, or the same one of another member's, certified does not count.
    withdrawn += [WithdrawalRecord(KAZ, b"other key" + bytes(7), 1, stranger), WithdrawalRecord(MNG, bytes(16), 1, key)]
    almost = replace(
        world.directory,
        epochs={**world.directory.epochs, KAZ: (first_epoch, replace(first_epoch, certifier=stranger))},
        withdrawn={(record.member, record.id): record for record in withdrawn},
    )
    thief = world.nodes["KAZ"]
    entries = {
        "epoch": epoch(world, thief),
        "withdrawal": withdrawal(thief, WithdrawalTarget.GRANT, b"w" * 16, world.now),
    }
    full = extend(almost, [entries.pop(last)])
    for entry in entries.values():
        with pytest.raises(DirectoryFull, match=f"{key.hex()[:16]} of KAZ has certified 944 entries") as refused:
            extend(full, [entry])
        assert refused.value.member == KAZ
    by_the_next = withdrawal(NEW, WithdrawalTarget.GRANT, b"n" * 16, world.now)
    assert extend(full, [certified("KAZ", world), by_the_next]).size == full.size + 2


def test_a_root_s_entries_are_bounded_too(world: World) -> None:
    last = with_epochs(world.directory, MAX_MEMBER_ENTRIES - 2)
    full = extend(last, [certified("KAZ", world)])
    with pytest.raises(DirectoryFull):
        extend(full, [revocation(world.roots["KAZ"], NEW.key_id, world.now)])


def test_a_member_that_is_admitted_again_begins_anew() -> None:
    world = ChangingWorld()
    world.directory = with_epochs(world.directory, MAX_MEMBER_ENTRIES)
    world.amend(
        Changes(removed=(KAZ,), chairmanship=replace(world.charter.chairmanship, member=MNG)), ["MNG", "UZB", "XAA"]
    )
    root = identity("root", "KAZ")
    world.amend(Changes(admitted=(party("KAZ", root=root),)), ["MNG", "UZB", "XAA"], {"KAZ": root})
    entry = certificate(signing_statement("KAZ", NEW, world.now), root)
    assert world.publish(entry).signing_key(KAZ, NEW.key_id, world.now).member == KAZ


def test_the_directory_is_bounded(world: World) -> None:
    almost = replace(world.directory, size=MAX_DIRECTORY_SIZE - 1)
    last = extend(almost, [epoch(world, world.nodes["KAZ"])])
    assert last.size == MAX_DIRECTORY_SIZE
    with pytest.raises(DirectoryFull) as refused:
        extend(last, [epoch(world, world.nodes["MNG"], "MNG")])
    assert refused.value.member is None
