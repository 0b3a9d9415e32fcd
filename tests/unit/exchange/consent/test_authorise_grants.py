"""Grants: a recipient outside the audience needs one of every provider, and each is counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from exchange.consent.decision import Ground, Ledger, Rule, Use
from schemas.endings import WithdrawalTarget
from schemas.grant import SignedGrant
from schemas.ids import ClassTag, GrantId, MemberId, ProvisionId
from schemas.limits import DAY, MAX_CLOCK_AHEAD
from schemas.provision import SignedProvision
from schemas.terms import Onward, Purpose
from tests.support.changes import ChangingWorld, withdrawal
from tests.support.judge import decide, grounds, rules
from tests.support.world import NOW, Sealed, World

KAZ = MemberId("KAZ")

TAG = ClassTag(b"t" * 16)


@dataclass(frozen=True, slots=True)
class Case:
    """A Provision of one or two providers for MNG, who wants to pass it on."""

    world: World
    manifest: bytes
    provision: SignedProvision

    def grant(
        self,
        provider: str = "KAZ",
        holder: str = "MNG",
        recipients: tuple[str, ...] = ("UZB",),
        **fields: Any,  # noqa: ANN401  # any attribute of Grant
    ) -> SignedGrant:
        return self.world.grant(self.provision.provision, provider, holder, recipients, **fields)

    def forward(self, *grants: SignedGrant, to: str = "UZB", sender: str = "MNG", **core: object) -> Sealed:
        return self.world.envelope(
            [to], sender, manifest=self.manifest, provisions=[self.provision], grants=grants, core=core
        )


def case(world: World, providers: tuple[str, ...] = ("KAZ",), **terms: object) -> Case:
    manifest = world.manifest(providers)
    return Case(world, manifest, world.signed_provision(manifest, providers, ["MNG"], **terms))


@pytest.fixture
def single(world: World) -> Case:
    return case(world)


@pytest.mark.parametrize("onward", [Onward.NONE, Onward.ON_CONSENT])
def test_a_grant_lets_its_holder_pass_on_to_the_named_state(world: World, onward: Onward) -> None:
    subject = case(world, onward=onward)
    grant = subject.grant()
    sealed = subject.forward(grant)
    assert grounds(world, sealed) == {"UZB": Ground.GRANT}
    assert decide(world, sealed).uses == (Use(KAZ, grant.grant.id, MemberId("UZB"), subject.provision.provision.id),)


REFUSED: dict[str, dict[str, Any]] = {
    "other recipient": {"recipients": ("XAA",)},
    "other holder": {"holder": "XAA"},
    "other purpose": {"purpose": Purpose.LAW_ENFORCEMENT},
    "other provision": {"provision": ProvisionId(bytes(16))},
    "class tag that the provision has not": {"provision": None, "class_tag": TAG},
    "expired": {"created": NOW - 10, "until": NOW - 1},
    "dated ahead of the clock": {"created": NOW + MAX_CLOCK_AHEAD + 1, "until": NOW + DAY},
}


@pytest.mark.parametrize("defect", REFUSED)
def test_a_grant_for_something_else_is_no_consent(single: Case, defect: str) -> None:
    assert rules(single.world, single.forward(single.grant(**REFUSED[defect]))) == {Rule.NO_CONSENT}


ALLOWED: dict[str, dict[str, Any]] = {
    "last second": {"created": NOW - 10, "until": NOW},
    "clock a little behind": {"created": NOW + MAX_CLOCK_AHEAD, "until": NOW + DAY},
    "one of several recipients": {"recipients": ("UZB", "XAA")},
}


@pytest.mark.parametrize("edge", ALLOWED)
def test_a_grant_holds_up_to_its_edges(single: Case, edge: str) -> None:
    assert rules(single.world, single.forward(single.grant(**ALLOWED[edge]))) == set()


def test_a_grant_may_be_for_another_purpose_than_the_provision(single: Case) -> None:
    grant = single.grant(purpose=Purpose.DISASTER_RESPONSE)
    assert rules(single.world, single.forward(grant, purpose=Purpose.DISASTER_RESPONSE)) == set()


def test_a_grant_for_another_purpose_does_not_free_the_audience(single: Case) -> None:
    grant = single.grant(purpose=Purpose.DISASTER_RESPONSE, recipients=("KAZ", "UZB"))
    back = single.forward(grant, to="KAZ", purpose=Purpose.DISASTER_RESPONSE)
    assert rules(single.world, back) == {Rule.PURPOSE}


@pytest.mark.parametrize("signer", ["MNG", "XAA"])
def test_a_forged_grant_refuses_the_envelope(single: Case, signer: str) -> None:
    world = single.world
    forged = world.grant(single.provision.provision, "KAZ", "MNG", ["UZB"], world.nodes[signer])
    assert rules(world, single.forward(forged)) == {Rule.GRANT_SIGNATURE, Rule.NO_CONSENT}


def test_a_grant_signed_with_the_root_key_is_refused(single: Case) -> None:
    world = single.world
    forged = world.grant(single.provision.provision, "KAZ", "MNG", ["UZB"], world.roots["KAZ"])
    assert Rule.GRANT_SIGNATURE in rules(world, single.forward(forged))


def test_a_grant_changed_after_it_was_signed_is_refused(single: Case) -> None:
    narrow, wide = single.grant(), single.grant(recipients=("UZB", "XAA"))
    forged = SignedGrant(wide.body, narrow.signature)
    assert rules(single.world, single.forward(forged, to="XAA")) == {Rule.GRANT_SIGNATURE, Rule.NO_CONSENT}


def test_a_forged_grant_refuses_even_when_nobody_needs_it(single: Case) -> None:
    forged = single.world.grant(single.provision.provision, "KAZ", "MNG", ["UZB"], single.world.nodes["XAA"])
    assert rules(single.world, single.forward(forged, to="KAZ")) == {Rule.GRANT_SIGNATURE}


def test_a_grant_of_somebody_who_is_no_provider_is_no_consent(single: Case) -> None:
    own = single.world.grant(single.provision.provision, "MNG", "MNG", ["UZB"])
    assert rules(single.world, single.forward(own)) == {Rule.NO_CONSENT}


def test_a_grant_cannot_be_used_by_another_sender(single: Case) -> None:
    stolen = single.forward(single.grant(), sender="XAA")
    assert rules(single.world, stolen) == {Rule.NOT_HOLDER, Rule.NO_CONSENT}


def test_a_holder_outside_the_audience_is_named_by_its_grant(single: Case) -> None:
    onward = single.grant(holder="UZB", recipients=("XAA",))
    assert rules(single.world, single.forward(onward, sender="UZB", to="XAA")) == set()
    back = single.grant(holder="UZB", recipients=("XAA",))
    assert grounds(single.world, single.forward(back, sender="UZB", to="MNG")) == {"MNG": Ground.AUDIENCE}


def withdrawn(target: WithdrawalTarget, name: bytes) -> World:
    """The same world after KAZ has withdrawn what has this id."""
    world = ChangingWorld()
    world.publish(withdrawal(world.nodes["KAZ"], target, name, NOW))
    return world


def test_a_withdrawn_grant_is_no_consent(single: Case) -> None:
    grant = single.grant()
    world = withdrawn(WithdrawalTarget.GRANT, grant.grant.id)
    assert rules(world, single.forward(grant)) == {Rule.NO_CONSENT}
    other = single.grant()
    assert rules(world, single.forward(grant, other)) == set()


def test_withdrawing_the_provision_ends_its_grants(single: Case) -> None:
    world = withdrawn(WithdrawalTarget.PROVISION, single.provision.provision.id)
    assert rules(world, single.forward(single.grant())) == {Rule.WITHDRAWN}


def test_terms_of_the_provision_bind_a_grant_too(world: World) -> None:
    subject = case(world, until=NOW)
    assert rules(world, subject.forward(subject.grant()), now=NOW + 1) == {Rule.ENDED}


def test_a_class_grant_covers_what_carries_its_tag(world: World) -> None:
    subject = case(world, class_tags=(TAG,))
    grant = subject.grant(provision=None, class_tag=TAG)
    assert grounds(world, subject.forward(grant)) == {"UZB": Ground.GRANT}
    other = case(world, class_tags=(ClassTag(b"o" * 16),))
    assert rules(world, other.forward(grant)) == {Rule.NO_CONSENT}


def test_joint_information_needs_a_grant_of_every_provider(world: World) -> None:
    joint = case(world, ("KAZ", "XAA"))
    both = [joint.grant("KAZ"), joint.grant("XAA")]
    sealed = joint.forward(*both)
    assert grounds(world, sealed) == {"UZB": Ground.GRANT}
    assert {use.grant for use in decide(world, sealed).uses} == {grant.grant.id for grant in both}
    for given, missing in ((both[0], "XAA"), (both[1], "KAZ")):
        decision = decide(world, joint.forward(given))
        assert [(r.rule, r.provider) for r in decision.refusals] == [(Rule.NO_CONSENT, missing)]


def test_a_joint_holder_is_named_by_every_provider(world: World) -> None:
    joint = case(world, ("KAZ", "XAA"))
    named: dict[str, Any] = {"holder": "UZB", "recipients": ("MNG",)}
    assert rules(world, joint.forward(joint.grant("KAZ", **named), sender="UZB", to="MNG")) == {Rule.NOT_HOLDER}
    both = [joint.grant(provider, **named) for provider in ("KAZ", "XAA")]
    assert rules(world, joint.forward(*both, sender="UZB", to="MNG")) == set()


def used(*uses: Use) -> Ledger:
    return Ledger(uses=frozenset(uses))


def test_a_spent_grant_is_no_consent_and_a_retry_is_no_use(single: Case) -> None:
    grant = single.grant(uses=1)
    sealed = single.forward(grant)
    (use,) = decide(single.world, sealed).uses
    assert rules(single.world, sealed, used(use)) == set()
    elsewhere = Use(KAZ, grant.grant.id, MemberId("XAA"), single.provision.provision.id)
    assert rules(single.world, sealed, used(elsewhere)) == {Rule.NO_CONSENT}
    earlier = Use(KAZ, grant.grant.id, MemberId("UZB"), ProvisionId(bytes(16)))
    assert rules(single.world, sealed, used(earlier)) == {Rule.NO_CONSENT}


@pytest.mark.parametrize(("allowed", "expected"), [(7, {Rule.NO_CONSENT}), (8, set())])
def test_uses_that_are_only_counted_are_uses(single: Case, allowed: int, expected: set[Rule]) -> None:
    grant = single.grant(uses=allowed)
    listed = Use(KAZ, grant.grant.id, MemberId("XAA"), single.provision.provision.id)
    ledger = Ledger(
        uses=frozenset({listed}), others=frozenset({(KAZ, grant.grant.id, 6), (KAZ, GrantId(bytes(16)), 9)})
    )
    assert rules(single.world, single.forward(grant), ledger) == expected


class CountedWalks(frozenset[Use]):
    """An account of uses that says how often it was gone through."""

    walks = 0

    def __iter__(self) -> Iterator[Use]:
        self.walks += 1
        return super().__iter__()


def test_many_provisions_grants_and_recipients_do_not_go_through_the_account_again_and_again() -> None:
    codes = [f"XA{letter}" for letter in "ABCDEFGHIJ"]
    world = World(codes=("KAZ", "MNG", *codes))
    provisions = [world.signed_provision(world.manifest(), ["KAZ"], ["MNG"], class_tags=(TAG,)) for _ in range(16)]
    grants = [world.grant(None, "KAZ", "MNG", codes, class_tag=TAG, uses=1000 + n) for n in range(8)]
    grants += [world.grant(None, "KAZ", "MNG", ["KAZ"], class_tag=TAG) for _ in range(8)]
    others = CountedWalks(
        Use(KAZ, grants[0].grant.id, MemberId(code), ProvisionId(bytes([n]) * 16)) for n in range(90) for code in codes
    )
    sealed = world.envelope(codes, "MNG", provisions=provisions, grants=grants)
    decision = decide(world, sealed, Ledger(uses=others))
    assert len(decision.uses) == len(provisions) * len(codes)
    assert others.walks == 1


@pytest.mark.parametrize(("uses", "expected"), [(1, {Rule.NO_CONSENT}), (2, set()), (None, set())])
def test_recipients_of_one_envelope_share_the_uses(world: World, uses: int | None, expected: set[Rule]) -> None:
    subject = case(world)
    grant = subject.grant(uses=uses, recipients=("UZB", "XAA"))
    sealed = world.envelope(
        ["UZB", "XAA"], "MNG", manifest=subject.manifest, provisions=[subject.provision], grants=[grant]
    )
    assert rules(world, sealed) == expected


def test_a_second_grant_serves_when_the_first_is_spent(single: Case) -> None:
    grants = sorted((single.grant(uses=1), single.grant(uses=1)), key=lambda g: g.grant.id)
    spent = Use(KAZ, grants[0].grant.id, MemberId("XAA"), single.provision.provision.id)
    decision = decide(single.world, single.forward(*grants), used(spent))
    assert [use.grant for use in decision.uses] == [grants[1].grant.id]


def test_uses_of_another_grant_do_not_count(single: Case) -> None:
    grant = single.grant(uses=1)
    provision = single.provision.provision.id
    foreign = Use(KAZ, GrantId(bytes(16)), MemberId("XAA"), provision)
    # Another provider may choose the same id for a Grant of its own: using that up takes nothing from this one.
    namesake = Use(MemberId("XAA"), grant.grant.id, MemberId("XAA"), provision)
    assert rules(single.world, single.forward(grant), used(foreign, namesake)) == set()


def test_a_grant_is_not_used_up_by_recipients_that_need_none(world: World) -> None:
    subject = case(world)
    grant = subject.grant(recipients=("KAZ", "UZB"))
    assert decide(world, subject.forward(grant, to="KAZ")).uses == ()
