"""What `explain` says: one sentence for each Provision and recipient, on which consent, until when; or whom to ask."""

import json
from dataclasses import replace

import pytest

from exchange.consent.authorise import authorise, transfer_of
from exchange.consent.decision import Decision, Ledger, Rule, Use, utc
from exchange.consent.explain import explain
from exchange.consent.explanation import Explanation, explanation_json, explanation_lines
from exchange.consent.problem import MAX_REFUSALS, consent_error
from keys.directory import WithdrawalRecord
from schemas.grant import SignedGrant
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.provision import SignedProvision
from tests.support.world import NOW, Sealed, World

UZB, XAA = MemberId("UZB"), MemberId("XAA")


class Joint:
    """What KAZ and XAA provided to MNG, which passes it on to UZB."""

    def __init__(self, **terms: object) -> None:
        self.world = World()
        self.manifest = self.world.manifest(("KAZ", "XAA"))
        self.provision: SignedProvision = self.world.signed_provision(
            self.manifest, ("KAZ", "XAA"), ["MNG"], until=NOW + 90 * DAY, **terms
        )

    def grant(self, provider: str, until: int = NOW + 30 * DAY, uses: int | None = None) -> SignedGrant:
        return self.world.grant(self.provision.provision, provider, "MNG", ["UZB"], until=until, uses=uses)

    def forward(self, *grants: SignedGrant, to: tuple[str, ...] = ("UZB",)) -> Sealed:
        return self.world.envelope(to, "MNG", manifest=self.manifest, provisions=[self.provision], grants=grants)

    def explained(
        self, *grants: SignedGrant, ledger: Ledger | None = None, to: tuple[str, ...] = ("UZB",)
    ) -> Explanation:
        header = self.world.verified(self.forward(*grants, to=to))
        return explain(transfer_of(header), self.world.directory, ledger or Ledger(), NOW)

    def decided(self, *grants: SignedGrant, to: tuple[str, ...] = ("UZB",)) -> Decision:
        return authorise(self.world.verified(self.forward(*grants, to=to)), self.world.directory, Ledger(), NOW)


@pytest.fixture
def joint() -> Joint:
    return Joint()


def test_consent_is_named_with_its_grants_their_signers_their_end_and_what_is_left(joint: Joint) -> None:
    grants = (joint.grant("KAZ", NOW + DAY), joint.grant("XAA", uses=5))
    earlier = Use(XAA, grants[1].grant.id, XAA, joint.provision.provision.id)
    (answer,) = joint.explained(*grants, ledger=Ledger(frozenset({earlier}))).answers
    assert (answer.allowed, answer.ground, answer.until) == (True, "grant", NOW + DAY)
    assert [(fact.provider, fact.id, fact.until, fact.left) for fact in answer.grants] == [
        ("KAZ", grants[0].grant.id, NOW + DAY, None),
        ("XAA", grants[1].grant.id, NOW + 30 * DAY, 3),
    ]
    keys = {code: joint.world.nodes[code].key_id for code in ("KAZ", "XAA")}
    assert {signer.provider: signer.key_id for signer in answer.signed} == keys
    assert {fact.provider: fact.key_id for fact in answer.grants} == keys
    first, second = (grant.grant.id.hex()[:16] for grant in grants)
    name = joint.provision.provision.id.hex()[:16]
    assert answer.sentence == (
        f"UZB may receive what KAZ and XAA provided (Provision {name}) from MNG: "
        f"by Grant {first} of KAZ and Grant {second} of XAA, until {utc(NOW + DAY)}"
    )


def test_a_refusal_asks_every_provider_without_a_covering_grant_and_no_other(joint: Joint) -> None:
    given, ended = joint.grant("KAZ"), joint.grant("XAA", NOW)
    header = joint.world.verified(joint.forward(given, ended))
    explanation = explain(transfer_of(header), joint.world.directory, Ledger(), NOW + 1)
    (answer,) = explanation.answers
    assert (answer.rule, answer.ask, answer.grants, answer.until) == (Rule.NO_CONSENT, ("XAA",), (), None)
    assert answer.sentence.endswith(
        "no valid Grant of XAA lets MNG pass this to UZB: ask XAA for consent "
        f"(Grant {ended.grant.id.hex()[:16]} of XAA ended {utc(NOW)})"
    )
    assert joint.explained().answers[0].ask == ("KAZ", "XAA")


def test_one_recipient_s_want_of_consent_is_not_told_of_another(joint: Joint) -> None:
    explanation = joint.explained(joint.grant("KAZ"), joint.grant("XAA"), to=("KAZ", "UZB", "XAA"))
    assert [answer.allowed for answer in explanation.answers] == [True, True, True]
    explanation = joint.explained(joint.grant("KAZ"), to=("KAZ", "UZB"))
    assert not explanation.allowed
    assert [answer.allowed for answer in explanation.answers] == [True, False]


def test_a_use_is_not_taken_by_a_recipient_who_may_not_receive(world: World) -> None:
    """KAZ's Grant for one use is not spent by UZB, for whom XAA's is missing."""
    manifest = world.manifest(("KAZ", "XAA"))
    signed = world.signed_provision(manifest, ("KAZ", "XAA"), ["KAZ"])
    grants = [
        world.grant(signed.provision, "KAZ", "KAZ", ["MNG", "UZB"], uses=1),
        world.grant(signed.provision, "XAA", "KAZ", ["UZB"]),
    ]
    sealed = world.envelope(["MNG", "UZB"], "KAZ", manifest=manifest, provisions=[signed], grants=grants)
    decision = authorise(world.verified(sealed), world.directory, Ledger(), NOW)
    assert [(r.rule, r.recipient, r.provider) for r in decision.refusals] == [(Rule.NO_CONSENT, "MNG", "XAA")]
    assert [ground.recipient for ground in decision.grounds] == ["UZB"]
    assert (decision.permissions, decision.uses) == ((), ())


def test_a_holder_that_two_grants_name_is_one_until_the_later_ends(world: World) -> None:
    manifest = world.manifest(("KAZ",))
    signed = world.signed_provision(manifest, ("KAZ",), ["MNG"])
    grants = [world.grant(signed.provision, "KAZ", "UZB", ["XAA"], until=NOW + days * DAY) for days in (2, 1)]
    sealed = world.envelope(["MNG"], "UZB", manifest=manifest, provisions=[signed], grants=grants)
    (answer,) = explain(transfer_of(world.verified(sealed)), world.directory, Ledger(), NOW).answers
    assert (answer.ground, answer.until) == ("audience", NOW + 2 * DAY)


@pytest.mark.parametrize("beside", [False, True])
def test_a_withdrawal_is_named_with_its_place_in_the_directory_or_without_one(world: World, beside: bool) -> None:
    """A node obeys its own before the directory has it."""
    manifest = world.manifest(("KAZ",))
    signed = world.signed_provision(manifest, ("KAZ",), ["MNG"])
    grant = world.grant(signed.provision, "KAZ", "MNG", ["UZB"])
    sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[signed], grants=[grant])
    header, directory = world.verified(sealed), world.directory
    index = directory.size if beside else 3
    record = WithdrawalRecord(MemberId("KAZ"), grant.grant.id, index, world.nodes["KAZ"].key_id)
    for name in (grant.grant.id, signed.provision.id):
        after = replace(directory, withdrawn={(MemberId("KAZ"), name): record})
        (answer,) = explain(transfer_of(header), after, Ledger(), NOW).answers
        assert ("but not in the directory yet" in answer.sentence) is beside
        assert ("in entry 3 of the directory" in answer.sentence) is not beside


def test_json_and_lines_say_the_same(joint: Joint) -> None:
    grant = joint.grant("KAZ", uses=2)
    for explanation in (joint.explained(grant, joint.grant("XAA")), joint.explained(grant)):
        document = json.loads(json.dumps(explanation_json(explanation)))
        (answer,) = document["answers"]
        text = "\n".join(explanation_lines(explanation))
        assert text.startswith("allowed" if document["allowed"] else "refused")
        assert answer["sentence"] in text
        assert answer["provision"] in text
        for listed in answer["grants"]:
            assert listed["id"] in text
            assert listed["until"] in text
        for missing in answer["missing"]:
            assert f"{missing['rule']}: {missing['what']}" in text
        assert (f"ask {', '.join(answer['ask'])}" in text) is bool(answer["ask"])


def test_a_problem_names_rule_provision_recipient_provider_and_whom_to_ask(joint: Joint) -> None:
    problem = consent_error(joint.decided(joint.grant("XAA"), to=("KAZ", "UZB")))
    name = joint.provision.provision.id.hex()
    first = {"rule": "no-consent", "provision": name, "recipient": "UZB", "provider": "KAZ", "ask": ["KAZ"]}
    assert (problem.status, problem.code) == (403, "no-consent")
    assert problem.extra == {**first, "refusals": [{**first, "detail": problem.detail}]}
    both = consent_error(joint.decided())
    assert both.extra["ask"] == ["KAZ", "XAA"]
    assert MAX_REFUSALS == 64
