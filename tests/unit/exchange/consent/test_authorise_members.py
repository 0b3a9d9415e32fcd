"""Members come and go: who was removed neither sends nor receives, and what it provided stays bound by its terms."""

from exchange.consent.authorise import authorise
from exchange.consent.decision import Ground, Ledger, Rule
from keys.amendment import Changes
from keys.digests import logged_provision
from keys.origin import Origin
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.terms import Onward
from tests.support.changes import ChangingWorld, certificate, epoch_of, identity, party, term
from tests.support.judge import grounds, rules
from tests.support.world import NOW, Sealed, World


def to_members(world: World, to: list[str], **terms: object) -> Sealed:
    """From KAZ, under a Provision for MNG that is open to the members of charter version 1, or with other terms."""
    manifest = world.manifest()
    provision = world.signed_provision(manifest, ["KAZ"], ["MNG"], **{"onward": Onward.MEMBERS, **terms})
    return world.envelope(to, manifest=manifest, provisions=[provision])


MNG_GONE = Changes(removed=(MemberId("MNG"),))
REST = ("KAZ", "UZB", "XAA")


def after_removal() -> ChangingWorld:
    """The same world after MNG was removed."""
    world = ChangingWorld()
    world.amend(MNG_GONE, REST)
    return world


def test_a_removed_member_neither_sends_nor_receives(world: World) -> None:
    later = after_removal()
    assert rules(later, world.envelope(["MNG"])) == {Rule.RECIPIENT}
    sent = world.envelope(["KAZ"], "MNG")
    decision = authorise(world.verified(sent), later.directory, Ledger(), NOW)
    assert {refusal.rule for refusal in decision.refusals} == {Rule.SENDER, Rule.PROVISION_SIGNATURE}
    # As of the size before it was lawful, and so it stays.
    assert authorise(world.verified(sent), later.directory.as_of(world.directory.size), Ledger(), NOW).allowed


def test_what_a_removed_member_provided_stays_bound_by_its_terms(world: World) -> None:
    """With the proof that it stood in the log before."""
    later = after_removal()
    manifest = world.manifest(["MNG"])
    for onward, expected in ((Onward.NONE, {Rule.NO_CONSENT}), (Onward.MEMBERS, set())):
        provision = world.signed_provision(manifest, ["MNG"], ["KAZ"], onward=onward)
        sealed = world.envelope(["UZB"], "KAZ", manifest=manifest, provisions=[provision])
        stood = Ledger(origins=frozenset({Origin(logged_provision(provision), NOW, world.directory.size)}))
        assert rules(later, sealed, stood) == expected
        assert rules(later, sealed) == {Rule.PROVISION_SIGNATURE}


def test_members_are_those_of_the_named_version_less_those_removed_since() -> None:
    world = ChangingWorld()
    root, node = identity("root", "ZZZ"), identity("node", "ZZZ")
    early = to_members(world, ["XAA"])
    world.amend(Changes(admitted=(party("ZZZ", root=root),)), world.roots, {"ZZZ": root})
    world.publish(certificate(term(node, NOW, NOW + DAY), root), epoch_of(node, 1, NOW))
    assert grounds(world, to_members(world, ["ZZZ"], charter=2)) == {"ZZZ": Ground.TERMS}
    assert rules(world, to_members(world, ["ZZZ"], charter=1)) == {Rule.NO_CONSENT}
    assert rules(world, to_members(world, ["ZZZ"], onward=Onward.PUBLIC)) == set()
    # Out and in again: it is no member "since" any more.
    again = identity("root again", "XAA")
    world.amend(Changes(removed=(MemberId("XAA"),)), ["KAZ", "MNG", "UZB", "ZZZ"])
    assert rules(world, early) == {Rule.RECIPIENT, Rule.NO_CONSENT}
    world.amend(Changes(admitted=(party("XAA", root=again),)), ["KAZ", "MNG", "UZB", "ZZZ"], {"XAA": again})
    assert rules(world, early) == {Rule.NO_CONSENT}
