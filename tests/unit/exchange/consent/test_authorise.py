"""Who may send what to whom: parties, terms of the Provision, open terms. Grants are in test_authorise_grants."""

from typing import Any

import pytest

from exchange.consent.decision import Ground, Rule
from schemas.endings import WithdrawalTarget
from schemas.grant import SignedGrant
from schemas.ids import ClassTag
from schemas.limits import DAY, MAX_CLOCK_AHEAD
from schemas.provision import SignedProvision
from schemas.terms import Onward, Precedence, Purpose
from tests.support.changes import ChangingWorld, withdrawal
from tests.support.judge import decide, grounds, rules
from tests.support.world import NOW, Sealed, World

DAYS_LEFT = {"until": NOW + DAY}


def withdrawn(member: str, name: bytes) -> World:
    """The same world after a member has withdrawn what has this id."""
    world = ChangingWorld()
    world.publish(withdrawal(world.nodes[member], WithdrawalTarget.PROVISION, name, NOW))
    return world


def with_terms(world: World, to: list[str], sender: str = "KAZ", **terms: object) -> Sealed:
    """One envelope whose Provision, by KAZ for MNG, has these terms."""
    manifest = world.manifest(["KAZ"])
    provision = world.signed_provision(manifest, ["KAZ"], ["MNG"], **terms)
    return world.envelope(to, sender, manifest=manifest, provisions=[provision])


def test_a_provider_sends_to_its_audience(world: World) -> None:
    sealed = world.envelope(["MNG", "UZB"])
    assert grounds(world, sealed) == {"MNG": Ground.AUDIENCE, "UZB": Ground.AUDIENCE}
    assert decide(world, sealed).uses == ()


def test_one_of_the_audience_may_send_to_another_and_back_to_the_provider(world: World) -> None:
    original = world.envelope(["MNG", "UZB"])
    forward = world.forward(original, "MNG", ["KAZ", "UZB"])
    assert grounds(world, forward) == {"KAZ": Ground.PROVIDER, "UZB": Ground.AUDIENCE}


def test_a_third_state_is_refused_and_the_refusal_says_whose_consent_is_missing(world: World) -> None:
    forward = world.forward(world.envelope(["MNG"]), "MNG", ["UZB"])
    (refusal,) = decide(world, forward).refusals
    assert (refusal.rule, refusal.recipient, refusal.provider) == (Rule.NO_CONSENT, "UZB", "KAZ")
    assert refusal.provision == forward.header.core.provisions[0].provision.id
    assert refusal.detail == "no valid Grant of KAZ lets MNG pass this to UZB: ask KAZ for consent"


def test_a_provider_too_sends_only_to_its_audience(world: World) -> None:
    assert rules(world, with_terms(world, ["UZB"])) == {Rule.NO_CONSENT}


def test_one_recipient_without_consent_refuses_the_envelope_for_all(world: World) -> None:
    decision = decide(world, world.forward(world.envelope(["MNG", "UZB"]), "MNG", ["KAZ", "UZB", "XAA"]))
    assert [refusal.recipient for refusal in decision.refusals] == ["XAA"]
    assert decision.permissions == ()


def test_who_does_not_hold_it_may_not_send_it_even_to_the_audience(world: World) -> None:
    stolen = world.forward(world.envelope(["MNG"]), "XAA", ["MNG"])
    assert rules(world, stolen) == {Rule.NOT_HOLDER}


def test_an_observer_may_receive_and_not_send() -> None:
    world = World(codes=("KAZ", "MNG"), observers=("TUR",))
    assert grounds(world, world.envelope(["TUR"])) == {"TUR": Ground.AUDIENCE}
    assert rules(world, world.envelope(["KAZ"], "TUR")) == {Rule.SENDER}


def test_the_secretariat_sends_and_receives() -> None:
    world = World(codes=("KAZ", "MNG"), secretariat=True)
    assert grounds(world, world.envelope(["CICA"])) == {"CICA": Ground.AUDIENCE}
    assert grounds(world, world.envelope(["KAZ"], "CICA")) == {"KAZ": Ground.AUDIENCE}


def test_a_recipient_that_is_in_no_charter_is_refused(world: World) -> None:
    larger = World(codes=("KAZ", "MNG", "TUR", "UZB", "XAA"))
    sealed = larger.envelope(["TUR"])
    assert rules(world, sealed) == {Rule.RECIPIENT}


TERMS: list[tuple[str, dict[str, Any], int, set[Rule]]] = [
    ("embargo not ended", {"not_before": NOW + 1}, NOW, {Rule.EMBARGO}),
    ("embargo ended", {"not_before": NOW}, NOW, set()),
    ("last second", {"until": NOW}, NOW, set()),
    ("end date passed", {"until": NOW}, NOW + 1, {Rule.ENDED}),
    ("first sending, last second", {"send_by": NOW}, NOW, set()),
    ("first sending over", {"send_by": NOW}, NOW + 1, {Rule.SEND_BY}),
    ("created ahead of the clock, within what is tolerated", {"created": NOW + MAX_CLOCK_AHEAD}, NOW, set()),
    ("created ahead", {"created": NOW + MAX_CLOCK_AHEAD + 1}, NOW, {Rule.NOT_YET_CREATED}),
    ("precedence as high as allowed", {"max_precedence": Precedence.ROUTINE}, NOW, set()),
]


@pytest.mark.parametrize(("terms", "now", "expected"), [case[1:] for case in TERMS], ids=[case[0] for case in TERMS])
def test_terms_hold_at_the_moment_of_decision(
    world: World, terms: dict[str, Any], now: int, expected: set[Rule]
) -> None:
    assert rules(world, with_terms(world, ["MNG"], **terms), now=now) == expected


def late(world: World, to: str, grants: list[SignedGrant] | None = None, **terms: object) -> Sealed:
    """MNG, one of the audience, passes on what KAZ allows to be sent until `NOW`."""
    manifest = world.manifest()
    provision = world.signed_provision(manifest, ["KAZ"], ["MNG", "UZB"], send_by=NOW, **terms)
    return world.envelope([to], "MNG", manifest=manifest, provisions=[provision], grants=grants or [])


def test_one_of_the_audience_cannot_send_it_to_the_others_after_the_time_for_that(world: World) -> None:
    sealed = late(world, "UZB")
    assert rules(world, sealed, now=NOW) == set()
    (refusal,) = decide(world, sealed, now=NOW + 1).refusals
    assert (refusal.rule, refusal.recipient, refusal.provider) == (Rule.SEND_BY, "UZB", "KAZ")
    assert refusal.provision == sealed.header.core.provisions[0].provision.id


def test_first_sending_over_leaves_the_way_back_to_the_provider(world: World) -> None:
    assert rules(world, late(world, "KAZ"), now=NOW + DAY) == set()


@pytest.mark.parametrize("onward", [Onward.MEMBERS, Onward.PUBLIC])
def test_first_sending_over_does_not_bind_a_forward_under_open_terms(world: World, onward: Onward) -> None:
    sealed = late(world, "UZB", onward=onward)
    (permission,) = decide(world, sealed, now=NOW + DAY).permissions
    assert permission.ground is Ground.TERMS


def test_first_sending_over_does_not_bind_a_forward_under_a_grant(world: World) -> None:
    tag = ClassTag(b"t" * 16)
    grant = world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=tag)
    sealed = late(world, "UZB", [grant], class_tags=(tag,))
    decision = decide(world, sealed, now=NOW + DAY)
    assert [permission.ground for permission in decision.permissions] == [Ground.GRANT]
    assert [use.grant for use in decision.uses] == [grant.grant.id]
    assert decide(world, sealed, now=NOW).uses == ()


@pytest.mark.parametrize("precedence", list(Precedence))
@pytest.mark.parametrize("allowed", list(Precedence))
def test_an_envelope_is_no_more_urgent_than_the_providers_allow(
    world: World, precedence: Precedence, allowed: Precedence
) -> None:
    manifest = world.manifest()
    provision = world.signed_provision(manifest, ["KAZ"], ["MNG"], max_precedence=allowed)
    sealed = world.envelope(["MNG"], manifest=manifest, provisions=[provision], core={"precedence": precedence})
    assert rules(world, sealed) == ({Rule.PRECEDENCE} if precedence < allowed else set())


def test_another_purpose_than_the_providers_is_refused(world: World) -> None:
    sealed = world.envelope(["MNG"], core={"purpose": Purpose.LAW_ENFORCEMENT})
    assert rules(world, sealed) == {Rule.PURPOSE}


def test_a_withdrawn_provision_is_not_transferred_any_more(world: World) -> None:
    sealed = world.envelope(["MNG"])
    provision = sealed.header.core.provisions[0].provision.id
    for other in (withdrawn("KAZ", bytes(16)), withdrawn("XAA", provision)):
        assert rules(other, sealed) == set()
    assert rules(withdrawn("KAZ", provision), sealed) == {Rule.WITHDRAWN}


OPEN = [
    (Onward.NONE, set()),
    (Onward.ON_CONSENT, set()),
    (Onward.MEMBERS, {"UZB"}),
    (Onward.PUBLIC, {"UZB", "TUR", "CICA"}),
]


@pytest.mark.parametrize(("onward", "admitted"), OPEN, ids=[onward.label for onward, _ in OPEN])
@pytest.mark.parametrize("recipient", ["UZB", "TUR", "CICA"])
def test_open_terms_admit_members_or_everybody(onward: Onward, admitted: set[str], recipient: str) -> None:
    world = World(codes=("KAZ", "MNG", "UZB"), observers=("TUR",), secretariat=True)
    sealed = with_terms(world, [recipient], "MNG", onward=onward)
    assert rules(world, sealed) == (set() if recipient in admitted else {Rule.NO_CONSENT})
    if recipient in admitted:
        assert grounds(world, sealed) == {recipient: Ground.TERMS}


def test_open_terms_make_a_member_a_holder(world: World) -> None:
    assert rules(world, with_terms(world, ["XAA"], "UZB", onward=Onward.MEMBERS)) == set()


def test_open_terms_for_members_do_not_make_the_secretariat_a_holder() -> None:
    world = World(codes=("KAZ", "MNG", "UZB"), secretariat=True)
    assert rules(world, with_terms(world, ["UZB"], "CICA", onward=Onward.MEMBERS)) == {Rule.NOT_HOLDER}


def test_members_of_a_charter_that_nobody_knows_yet_are_nobody(world: World) -> None:
    sealed = with_terms(world, ["UZB"], "MNG", onward=Onward.MEMBERS, charter=2)
    assert rules(world, sealed) == {Rule.NO_CONSENT}


def test_open_terms_end_with_the_provision_and_with_its_withdrawal(world: World) -> None:
    sealed = with_terms(world, ["UZB"], "MNG", onward=Onward.PUBLIC, **DAYS_LEFT)
    provision = sealed.header.core.provisions[0].provision.id
    assert rules(world, sealed, now=NOW + DAY + 1) == {Rule.ENDED}
    assert rules(withdrawn("KAZ", provision), sealed) == {Rule.WITHDRAWN}


def forged(world: World, provision: SignedProvision) -> Sealed:
    return world.envelope(["MNG"], provisions=[provision])


def test_a_provision_that_its_provider_did_not_sign_is_refused(world: World) -> None:
    provision = world.provision(world.manifest(), ["KAZ"], ["MNG"])
    stranger = {"KAZ": world.nodes["MNG"]}
    (refusal,) = decide(world, forged(world, world.sign_provision(provision, stranger))).refusals
    assert (refusal.rule, refusal.provider) == (Rule.PROVISION_SIGNATURE, "KAZ")


def test_a_provision_changed_after_it_was_signed_is_refused(world: World) -> None:
    honest = world.signed_provision(world.manifest(), ["KAZ"], ["MNG"])
    wider = world.signed_provision(world.manifest(), ["KAZ"], ["MNG", "UZB"])
    assert rules(world, forged(world, SignedProvision(wider.body, honest.signatures))) == {Rule.PROVISION_SIGNATURE}


def test_a_joint_provision_needs_the_signature_of_every_provider(world: World) -> None:
    manifest = world.manifest(["KAZ", "UZB"])
    provision = world.provision(manifest, ["KAZ", "UZB"], ["MNG"])
    whole = world.envelope(["MNG"], manifest=manifest, provisions=[world.sign_provision(provision)])
    assert grounds(world, whole) == {"MNG": Ground.AUDIENCE}
    for provider in ("KAZ", "UZB"):
        half = world.sign_provision(provision, {provider: world.nodes["XAA"]})
        decision = decide(world, world.envelope(["MNG"], manifest=manifest, provisions=[half]))
        assert [(r.rule, r.provider) for r in decision.refusals] == [(Rule.PROVISION_SIGNATURE, provider)]


def test_a_compilation_is_allowed_only_if_each_of_its_sources_is(world: World) -> None:
    manifest = world.manifest()
    free = world.signed_provision(manifest, ["KAZ"], ["MNG", "UZB"])
    bound = world.signed_provision(manifest, ["XAA"], ["MNG"])
    assert rules(world, world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[free])) == set()
    decision = decide(world, world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[free, bound]))
    assert [(r.rule, r.provider) for r in decision.refusals] == [(Rule.NO_CONSENT, "XAA")]


def test_the_same_facts_give_the_same_decision(world: World) -> None:
    sealed = world.forward(world.envelope(["MNG"]), "MNG", ["UZB"])
    assert decide(world, sealed) == decide(world, sealed)
