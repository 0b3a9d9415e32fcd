"""What may be written out for anybody: one's own, and what all its providers gave to the public."""

import pytest

from exchange.consent.decision import Decision, Ledger, Rule
from exchange.consent.export import authorise_export
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.provision import SignedProvision
from schemas.terms import Onward, Precedence, Tlp
from tests.support.changes import ChangingWorld, withdrawal
from tests.support.world import NOW, World


def provided(world: World, *providers: str, **terms: object) -> SignedProvision:
    return world.signed_provision(world.manifest(providers), providers, ["MNG"], **terms)


def judged(world: World, member: str, *provisions: SignedProvision, now: int = NOW) -> Decision:
    return authorise_export(MemberId(member), provisions, world.directory, Ledger(), now)


def rules(decision: Decision) -> set[Rule]:
    return {refusal.rule for refusal in decision.refusals}


@pytest.mark.parametrize("onward", list(Onward))
def test_the_sole_provider_exports_its_own_on_any_terms_and_at_any_time(world: World, onward: Onward) -> None:
    own = provided(world, "KAZ", onward=onward, tlp=Tlp.AMBER, until=NOW + 1, not_before=NOW + 1)
    for now in (NOW, NOW + 100 * DAY):
        assert judged(world, "KAZ", own, now=now).allowed


@pytest.mark.parametrize("onward", [Onward.NONE, Onward.ON_CONSENT, Onward.MEMBERS])
def test_a_receiver_exports_nothing_that_is_not_public_and_learns_whom_to_ask(world: World, onward: Onward) -> None:
    foreign = provided(world, "KAZ", onward=onward, tlp=Tlp.AMBER)
    decision = judged(world, "MNG", foreign)
    first = decision.refusals[0]
    assert (first.rule, first.provider, first.provision) == (Rule.NO_CONSENT, "KAZ", foreign.provision.id)
    assert decision.ask == ("KAZ",)
    assert "ask KAZ" in first.detail


def test_what_is_public_is_exported_by_receivers_and_observers_also_when_first_sending_is_over() -> None:
    world = World(observers=("XAB",))
    public = provided(world, "KAZ", onward=Onward.PUBLIC, tlp=Tlp.CLEAR, max_precedence=Precedence.ROUTINE)
    for member in ("MNG", "XAB"):
        assert judged(world, member, public, now=public.provision.send_by + 1).allowed


@pytest.mark.parametrize(
    ("terms", "now", "rule"),
    [
        ({"not_before": NOW + DAY}, NOW, Rule.EMBARGO),
        ({"until": NOW + DAY}, NOW + DAY + 1, Rule.ENDED),
    ],
)
def test_open_terms_have_to_be_in_force(world: World, terms: dict[str, int], now: int, rule: Rule) -> None:
    public = provided(world, "KAZ", onward=Onward.PUBLIC, tlp=Tlp.CLEAR, **terms)
    assert rules(judged(world, "MNG", public, now=now)) == {rule}


def test_what_was_withdrawn_is_public_no_more() -> None:
    world = ChangingWorld()
    public = provided(world, "KAZ", onward=Onward.PUBLIC, tlp=Tlp.CLEAR)
    assert judged(world, "MNG", public).allowed
    world.publish(withdrawal(world.nodes["KAZ"], WithdrawalTarget.PROVISION, public.provision.id, NOW))
    assert rules(judged(world, "MNG", public)) == {Rule.WITHDRAWN}


def test_one_of_two_providers_needs_the_other(world: World) -> None:
    joint = provided(world, "KAZ", "UZB", onward=Onward.MEMBERS, tlp=Tlp.GREEN)
    decision = judged(world, "KAZ", joint)
    assert [(refusal.rule, refusal.provider) for refusal in decision.refusals] == [(Rule.NO_CONSENT, "UZB")]
    assert judged(world, "KAZ", provided(world, "KAZ", "UZB", onward=Onward.PUBLIC, tlp=Tlp.CLEAR)).allowed


def test_every_source_of_a_compilation_has_to_allow_it(world: World) -> None:
    public = provided(world, "KAZ", onward=Onward.PUBLIC, tlp=Tlp.CLEAR)
    closed = provided(world, "UZB", onward=Onward.MEMBERS, tlp=Tlp.GREEN)
    assert judged(world, "MNG", public, closed).ask == ("UZB",)


def test_open_terms_under_a_forged_signature_open_nothing(world: World) -> None:
    public = provided(world, "KAZ", onward=Onward.PUBLIC, tlp=Tlp.CLEAR)
    forged = world.sign_provision(public.provision, {"KAZ": world.nodes["MNG"]})
    assert Rule.PROVISION_SIGNATURE in rules(judged(world, "MNG", forged))
