"""Who signs a version of the charter: quorum, admission, those who are not asked, and the roots that are new."""

from dataclasses import replace
from functools import cache

import pytest

from keys.amendment import Changes, amend_charter
from keys.ceremony import root_public
from keys.charter import Vote, verify_amendment, vote
from keys.directory import handover_of
from keys.errors import Untrusted
from schemas.charter import Charter, Handover, Role
from schemas.ids import Digest, MemberId
from schemas.limits import DAY
from tests.support.changes import ChangingWorld, identity, new_relay, party, version
from tests.support.world import World

KAZ, MNG, UZB, XAA = (MemberId(code) for code in ("KAZ", "MNG", "UZB", "XAA"))
CODES = ("KAZ", "MNG", "UZB", "XAA", "XAB", "XAC", "XAD")


@cache
def seven() -> Charter:
    """Seven Member States and an observer; five amend."""
    return World(codes=CODES, observers=("TUR",), secretariat=True).charter


def asked(before: Charter, changes: Changes) -> Vote:
    return vote(before, amend_charter(before, changes, before.created + DAY))


def moved(before: Charter, to: str) -> Changes:
    return Changes(chairmanship=replace(before.chairmanship, member=MemberId(to)))


CASES: dict[str, tuple[Changes, int, int, set[str]]] = {
    # Changes, how many are asked, how many have to sign, whose roots are new.
    "nothing about members": (moved(seven(), "MNG"), 7, 5, set()),
    "a removal": (Changes(removed=(MNG,)), 6, 5, set()),
    "two removals": (Changes(removed=(MNG, UZB)), 5, 5, set()),
    "a root replaced": (Changes(roots=(root_public(identity("root", "MNG")),)), 6, 5, {"MNG"}),
    "an admission": (Changes(admitted=(party("ZZZ"),)), 7, 7, {"ZZZ"}),
    "an observer admitted": (Changes(admitted=(party("ZZZ", Role.OBSERVER),)), 7, 7, set()),
    "an admission and a removal": (Changes(admitted=(party("ZZZ"),), removed=(MNG,)), 6, 6, {"ZZZ"}),
    "an observer removed": (Changes(removed=(MemberId("TUR"),)), 7, 5, set()),
    "the Secretariat's root replaced": (Changes(roots=(root_public(identity("root", "CICA")),)), 7, 5, set()),
}


@pytest.mark.parametrize("name", CASES)
def test_so_many_are_asked_and_so_many_have_to_sign(name: str) -> None:
    changes, eligible, needed, introduced = CASES[name]
    rule = asked(seven(), changes)
    assert (len(rule.eligible), rule.needed, set(rule.introduced)) == (eligible, needed, introduced)


def promoted(before: Charter, code: str, role: Role) -> Charter:
    rows = tuple(replace(row, role=role) if row.code == code else row for row in before.members)
    return replace(moved_draft(before), members=rows, chairmanship=before.chairmanship)


def moved_draft(before: Charter) -> Charter:
    return amend_charter(before, moved(before, "MNG"), before.created + DAY)


def test_an_observer_that_becomes_a_member_state_is_admitted_by_all_and_signs() -> None:
    rule = vote(seven(), promoted(seven(), "TUR", Role.MEMBER))
    assert (len(rule.eligible), rule.needed, set(rule.introduced)) == (7, 7, {"TUR"})


def test_a_member_state_does_not_decide_whether_it_becomes_an_observer() -> None:
    rule = vote(seven(), promoted(seven(), "XAD", Role.OBSERVER))
    assert ("XAD" in rule.eligible, len(rule.eligible), rule.needed, rule.introduced) == (False, 6, 5, {})


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_the_few_who_are_left_do_not_decide_about_the_many(count: int) -> None:
    gone = tuple(MemberId(code) for code in CODES[-count:])
    with pytest.raises(Untrusted, match="change fewer at once"):
        asked(seven(), Changes(removed=gone))
    with pytest.raises(Untrusted, match="change fewer at once"):
        asked(seven(), Changes(roots=tuple(root_public(identity("root", code)) for code in gone)))


def test_of_two_member_states_neither_excludes_the_other() -> None:
    two = World(codes=("KAZ", "MNG")).charter
    for changes in (Changes(removed=(MNG,)), Changes(roots=(root_public(identity("root", "MNG")),))):
        with pytest.raises(Untrusted, match="1 of 2"):
            asked(two, changes)


def test_a_version_is_in_force_from_its_index_on() -> None:
    world = ChangingWorld()
    size = world.directory.size
    after = world.amend(moved(world.charter, "UZB"), ["KAZ", "UZB", "XAA"])
    assert (after.charter.version, after.charter.chairmanship.member) == (2, UZB)
    assert [(record.charter.version, record.index) for record in after.charters] == [(1, 0), (2, size)]
    third = world.amend(moved(world.charter, "XAA"), ["KAZ", "MNG", "UZB"])
    assert third.charter.previous == after.charter_digest
    assert third.as_of(size + 1) == after


def test_more_than_the_quorum_may_sign() -> None:
    world = ChangingWorld()
    assert world.amend(moved(world.charter, "UZB"), world.roots).charter.version == 2


def test_the_quorum_is_the_one_of_the_version_before() -> None:
    world = ChangingWorld()
    world.amend(Changes(amend=4), ["KAZ", "MNG", "UZB"])
    draft = world.draft(Changes(amend=3))
    with pytest.raises(Untrusted, match="signed by 3 of the 4"):
        world.publish(version(draft, [world.roots[code] for code in ("KAZ", "MNG", "UZB")]))
    assert world.amend(Changes(amend=3), world.roots).charter.quorums.amend == 3


def test_a_new_relay_takes_over_exactly_this_directory() -> None:
    world = ChangingWorld()
    relay = new_relay()
    here = handover_of(world.directory)
    assert here == Handover(world.directory.size, here.root_hash)
    relays = (*world.charter.relays, relay)
    after = world.amend(Changes(relays=relays, handover=here), ["KAZ", "MNG", "UZB"])
    assert after.charters[-1].index == here.size
    assert {found.name for found in after.relays.values()} == {"relay", "relay-2"}
    # From version to version, the old relay alone.
    last = world.amend(Changes(relays=(relay,)), ["KAZ", "MNG", "UZB"])
    assert [found.name for found in last.relays.values()] == ["relay-2"]
    assert last.relay(world.relay.key_id, here.size).name == "relay"
    with pytest.raises(Untrusted, match="no relay"):
        last.relay(world.relay.key_id)


@pytest.mark.parametrize("wrong", [{"size": 12}, {"size": 14}, {"root_hash": Digest(bytes(32))}])
def test_a_takeover_of_another_directory_is_refused(wrong: dict[str, object]) -> None:
    world = ChangingWorld()
    here = handover_of(world.directory)
    false = replace(here, **wrong)  # type: ignore[arg-type]  # any attribute
    assert false != here
    draft = world.draft(Changes(relays=(new_relay(),), handover=false))
    with pytest.raises(Untrusted, match="another directory"):
        world.publish(version(draft, [world.roots[code] for code in ("KAZ", "MNG", "UZB")]))


def test_a_version_without_a_new_relay_takes_nothing_over() -> None:
    world = ChangingWorld()
    draft = replace(world.draft(moved(world.charter, "UZB")), handover=handover_of(world.directory))
    with pytest.raises(Untrusted, match="only then"):
        verify_amendment(version(draft, world.roots.values()), world.charter)


def test_a_signing_key_that_becomes_the_root_signs_for_the_node_no_more() -> None:
    world = ChangingWorld()
    node = world.nodes["MNG"]
    before = world.directory.epoch_at(MNG, world.now)
    directory = world.amend(Changes(roots=(root_public(node),)), ["KAZ", "UZB", "XAA"], {"MNG": node})
    assert not directory.in_force(before)
    with pytest.raises(Untrusted, match="ended"):
        directory.signing_key(MNG, node.key_id, world.now)
    assert directory.signing_key(MNG, node.key_id, world.now, directory.size - 1).member == MNG
