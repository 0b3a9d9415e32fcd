"""Revocation, removal and withdrawal: each counts from its index on, and what stands below stays as it was."""

from dataclasses import replace

import pytest

from keys.amendment import Changes
from keys.ceremony import root_public
from keys.directory import Directory, WithdrawalRecord, extend, obey
from keys.errors import KeyFault, Untrusted
from schemas.charter import Role
from schemas.endings import WithdrawalTarget
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY
from tests.support.changes import (
    ChangingWorld,
    certificate,
    epoch_of,
    identity,
    party,
    posing,
    revocation,
    term,
    withdrawal,
)
from tests.support.world import NOW

KAZ, MNG, UZB = MemberId("KAZ"), MemberId("MNG"), MemberId("UZB")
OTHERS = ("KAZ", "UZB", "XAA")
NAME = b"n" * 16


@pytest.fixture
def world() -> ChangingWorld:
    return ChangingWorld()


def key_of(world: ChangingWorld, code: str = "MNG") -> KeyId:
    return world.nodes[code].key_id


def is_valid(directory: Directory, member: MemberId, key: KeyId, at: int = NOW, size: int | None = None) -> bool:
    try:
        directory.signing_key(member, key, at, size)
    except Untrusted:
        return False
    return True


def has_epoch(directory: Directory, member: MemberId, at: int = NOW) -> bool:
    try:
        directory.epoch_at(member, at)
    except Untrusted:
        return False
    return True


# Revocation.


def test_a_revoked_key_and_the_epochs_that_it_certified_end_at_the_index_of_that(world: ChangingWorld) -> None:
    before, key = world.directory, key_of(world)
    after = world.publish(revocation(world.roots["MNG"], key, NOW))
    assert (is_valid(before, MNG, key), has_epoch(before, MNG)) == (True, True)
    assert (is_valid(after, MNG, key), has_epoch(after, MNG)) == (False, False)
    assert after.knows(MNG, key)
    assert after.epoch(MNG, world.epochs["MNG"][0].key_id).certifier == key
    assert after.revoked[MNG, key].index == before.size
    assert (is_valid(after, KAZ, key_of(world, "KAZ")), has_epoch(after, KAZ)) == (True, True)


def test_a_revocation_dated_back_undoes_nothing_below_its_index(world: ChangingWorld) -> None:
    key, size = key_of(world), world.directory.size
    after = world.publish(revocation(world.roots["MNG"], key, NOW - 20 * DAY, compromised_at=NOW - 300 * DAY))
    assert after.as_of(size).signing_key(MNG, key, NOW).index == 2
    assert after.signing_key(MNG, key, NOW, size).index == 2
    assert has_epoch(after.as_of(size), MNG)
    assert not is_valid(after, MNG, key, NOW - 20 * DAY)


def test_a_new_key_certifies_new_epochs_after_the_old_one_was_revoked(world: ChangingWorld) -> None:
    new = identity("node", "MNG")
    world.publish(
        revocation(world.roots["MNG"], key_of(world), NOW),
        certificate(term(new, NOW, NOW + DAY), world.roots["MNG"]),
        epoch_of(new, 9, NOW),
    )
    assert world.directory.epoch_at(MNG, NOW).number == 9


def test_a_key_may_be_revoked_before_it_is_published_and_never_is_then(world: ChangingWorld) -> None:
    new = identity("node", "MNG")
    world.publish(revocation(world.roots["MNG"], new.key_id, NOW))
    with pytest.raises(Untrusted, match="revoked before"):
        world.publish(certificate(term(new, NOW, NOW + DAY), world.roots["MNG"]))


def test_of_one_batch_what_stands_before_a_revocation_counts_and_what_follows_does_not(world: ChangingWorld) -> None:
    node, cut = world.nodes["MNG"], revocation(world.roots["MNG"], key_of(world), NOW)
    assert extend(world.directory, [epoch_of(node, 8, NOW), cut]).size == world.directory.size + 2
    with pytest.raises(Untrusted, match="in force"):
        extend(world.directory, [cut, epoch_of(node, 8, NOW)])


# What reaches a node on another way.


def test_a_revocation_on_another_way_is_obeyed_at_once_and_the_log_read_as_before(world: ChangingWorld) -> None:
    key, cut = key_of(world), revocation(world.roots["MNG"], key_of(world), NOW)
    obeying = obey(world.directory, cut)
    for view in (obeying, obeying.as_of(6)):
        assert (is_valid(view, MNG, key), has_epoch(view, MNG)) == (False, False)
    assert is_valid(world.directory, MNG, key)
    assert obeying.size == world.directory.size
    # The others have not heard of it yet: this party must still be able to follow the log.
    longer = extend(obeying, [epoch_of(world.nodes["MNG"], 8, NOW)])
    assert (longer.size, is_valid(longer, MNG, key)) == (obeying.size + 1, False)


def test_once_an_obeyed_revocation_stands_in_the_log_its_index_counts(world: ChangingWorld) -> None:
    key, cut = key_of(world), revocation(world.roots["MNG"], key_of(world), NOW)
    size = world.directory.size
    logged = extend(obey(world.directory, cut), [cut])
    assert logged == world.publish(cut)
    assert (is_valid(logged, MNG, key), is_valid(logged.as_of(size), MNG, key)) == (False, True)
    assert obey(logged, cut) == logged


@pytest.mark.parametrize("signer", ["node", "other root", "other root in its name", "old root"])
def test_only_the_member_s_root_is_obeyed(world: ChangingWorld, signer: str) -> None:
    old = world.roots["MNG"]
    if signer == "old root":
        new = identity("root", "MNG")
        world.amend(Changes(roots=(root_public(new),)), OTHERS, {"MNG": new})
    key = {
        "node": world.nodes["MNG"],
        "other root": world.roots["KAZ"],
        "other root in its name": posing(world.roots["KAZ"], "MNG"),
        "old root": old,
    }[signer]
    with pytest.raises(KeyFault):
        obey(world.directory, revocation(key, key_of(world), NOW, member="MNG"))


def test_nothing_but_a_revocation_is_obeyed(world: ChangingWorld) -> None:
    new = identity("node", "MNG")
    with pytest.raises(Untrusted, match="no revocation"):
        obey(world.directory, certificate(term(new, NOW, NOW + DAY), world.roots["MNG"]))


# Removal.


def test_a_removed_member_s_keys_end_at_the_index_of_that(world: ChangingWorld) -> None:
    key, size = key_of(world), world.directory.size
    after = world.amend(Changes(removed=(MNG,)), OTHERS)
    assert MNG not in after.members
    assert not after.may_send(MNG)
    assert (is_valid(after, MNG, key), has_epoch(after, MNG)) == (False, False)
    assert (is_valid(after, MNG, key, size=size), has_epoch(after.as_of(size), MNG)) == (True, True)
    assert after.as_of(size).may_send(MNG)


def test_a_member_that_is_admitted_again_needs_new_keys(world: ChangingWorld) -> None:
    key, root, new = key_of(world), identity("root", "MNG"), identity("node", "MNG")
    world.amend(Changes(removed=(MNG,)), OTHERS)
    world.amend(Changes(admitted=(party("MNG", root=root),)), OTHERS, {"MNG": root})
    assert not is_valid(world.directory, MNG, key)
    with pytest.raises(Untrusted, match="in force"):
        world.publish(epoch_of(world.nodes["MNG"], 8, NOW))
    world.publish(certificate(term(new, NOW, NOW + DAY), root), epoch_of(new, 8, NOW))
    assert is_valid(world.directory, MNG, new.key_id)
    assert world.directory.epoch_at(MNG, NOW).number == 8


def test_a_replaced_root_leaves_the_keys_that_it_certified_and_certifies_no_more(world: ChangingWorld) -> None:
    old, new, node = world.roots["MNG"], identity("root", "MNG"), identity("node", "MNG")
    world.amend(Changes(roots=(root_public(new),)), OTHERS, {"MNG": new})
    assert is_valid(world.directory, MNG, key_of(world))
    with pytest.raises(KeyFault):
        world.publish(certificate(term(node, NOW, NOW + DAY), old))
    with pytest.raises(KeyFault):
        world.publish(revocation(old, key_of(world), NOW))
    world.publish(revocation(new, key_of(world), NOW), certificate(term(node, NOW, NOW + DAY), new))
    assert not is_valid(world.directory, MNG, key_of(world))
    assert is_valid(world.directory, MNG, node.key_id)


# Withdrawal.


@pytest.mark.parametrize("target", WithdrawalTarget)
def test_a_withdrawal_stands_under_its_provider_with_its_index(world: ChangingWorld, target: WithdrawalTarget) -> None:
    before = world.directory
    after = world.publish(withdrawal(world.nodes["MNG"], target, NAME, NOW))
    assert after.withdrawn == {(MNG, NAME): WithdrawalRecord(MNG, NAME, before.size, key_of(world))}
    assert (before.withdrawn, after.as_of(before.size).withdrawn) == ({}, {})


def test_nothing_is_withdrawn_twice(world: ChangingWorld) -> None:
    entry = withdrawal(world.nodes["MNG"], WithdrawalTarget.GRANT, NAME, NOW)
    world.publish(entry, withdrawal(world.nodes["KAZ"], WithdrawalTarget.GRANT, NAME, NOW))
    with pytest.raises(Untrusted, match="already"):
        world.publish(entry)


def test_a_removed_member_may_still_withdraw_what_binds_the_others(world: ChangingWorld) -> None:
    world.amend(Changes(removed=(MNG,)), OTHERS)
    world.publish(withdrawal(world.nodes["MNG"], WithdrawalTarget.PROVISION, NAME, NOW))
    assert (MNG, NAME) in world.directory.withdrawn


# Views of the past.


def test_a_view_of_the_past_is_the_directory_that_was_there(world: ChangingWorld) -> None:
    steps = [world.directory]
    new = identity("node", "KAZ")
    root = identity("root", "TUR")
    steps.append(world.publish(certificate(term(new, NOW, NOW + DAY), world.roots["KAZ"])))
    steps.append(world.publish(epoch_of(new, 8, NOW)))
    steps.append(world.publish(revocation(world.roots["KAZ"], new.key_id, NOW)))
    steps.append(world.publish(withdrawal(world.nodes["UZB"], WithdrawalTarget.GRANT, NAME, NOW)))
    steps.append(world.amend(Changes(admitted=(party("TUR", Role.MEMBER, root),)), world.roots, {"TUR": root}))
    steps.append(world.publish(certificate(term(identity("node", "TUR"), NOW, NOW + DAY), root)))
    for step in steps:
        past = world.directory.as_of(step.size)
        assert past == step
        assert (dict(past.members), past.charter) == (dict(step.members), step.charter)
    assert world.directory.as_of(world.directory.size) is world.directory
    assert [record.index for record in world.directory.charters] == [0, steps[4].size]


def test_a_view_of_the_past_does_not_grow(world: ChangingWorld) -> None:
    past = world.directory.as_of(world.directory.size - 1)
    with pytest.raises(ValueError, match="does not grow"):
        extend(past, [epoch_of(world.nodes["KAZ"], 8, NOW)])


@pytest.mark.parametrize("size", [-1, 0])
def test_a_size_at_which_there_was_nothing_has_no_view(world: ChangingWorld, size: int) -> None:
    with pytest.raises(Untrusted):
        world.directory.as_of(size)
    with pytest.raises(Untrusted):
        world.directory.as_of(world.directory.size + 1)


def test_an_epoch_begins_in_the_term_of_the_key_that_certifies_it(world: ChangingWorld) -> None:
    """Its `created` is its maker's word: a key that has ended must not go on by dating statements back."""
    end = NOW + 400 * DAY
    assert extend(world.directory, [epoch_of(world.nodes["MNG"], 8, end, created=NOW)]).size == world.directory.size + 1
    with pytest.raises(Untrusted, match="in force when it begins"):
        extend(world.directory, [epoch_of(world.nodes["MNG"], 8, end + 1, created=NOW)])


def test_the_chairmanships_of_all_versions_are_at_hand(world: ChangingWorld) -> None:
    first = world.charter.chairmanship
    world.amend(Changes(chairmanship=replace(first, member=UZB, start=first.end, end=first.end + DAY)), OTHERS)
    assert [chair.member for chair in world.directory.chairs] == [KAZ, UZB]
