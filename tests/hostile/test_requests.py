"""Attacks with requests for consent and their answers: in others' names, about others' things, again, altered, many."""

import json
from dataclasses import replace

import pytest

from exchange.node import asking, granting
from exchange.node.grounds import holding_of
from exchange.node.withdrawing import Withdrawer
from exchange.storage.request_port import GRANTED, OPEN, REFUSED
from schemas.canon import encode
from schemas.consent import ConsentGiven, ConsentRefused, encode_consent
from schemas.content import ContentKind
from schemas.grant import GRANT, SIGNED_GRANT, SignedGrant
from schemas.ids import ClassTag, GrantId, ProvisionId
from schemas.limits import DAY
from schemas.provision import SignedProvision
from tests.support.attacks import refused_by_own_node, refused_by_receiver, refused_by_relay
from tests.support.consents import (
    ask,
    facts,
    forward,
    give,
    grant,
    made,
    official,
    refuse,
    request_of,
    saying,
    source,
    with_rules,
)
from tests.support.desk import heard, post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of
from tests.support.relay import Server
from tests.support.world import Sealed, World

ALL = {"name": "all", "action": "grant"}


async def without_effect(target: TestNode, relay: HostileRelay, sealed: Sealed) -> str:
    """It changes nothing and nothing is answered; it is written down, told once, and taken. Gives why."""
    before = facts(target)
    await heard(target, relay, sealed)
    assert facts(target) == before
    assert target.rows("consent_due") == []
    assert target.alarms()[-1] == "consent-rejected"
    line = target.rows("consent_log")[-1]
    assert line["kind"] == "message.without-effect"
    return str(json.loads(line["detail"])["why"])


async def provision_of(target: TestNode, message: bytes) -> SignedProvision:
    """Of a message that is there."""
    return holding_of(await source(target, message)).own


class TestRequestsThatAreNotTheirs:
    """MNG, or somebody else, asks KAZ; every rule of KAZ grants."""

    @pytest.fixture(autouse=True)
    def _generous(self, kaz: TestNode) -> None:
        with_rules(kaz, ALL)

    async def test_a_request_about_what_others_provided(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        foreign = world.signed_provision(manifest_of(world, "XAA"), ("XAA",), ["MNG"])
        assert "no provider" in await without_effect(
            kaz, relay, saying(world, "MNG", "KAZ", request_of(world, foreign))
        )

    async def test_a_request_about_a_provision_that_was_forged_in_our_name(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        provision = world.provision(manifest_of(world), ("KAZ",), ["MNG"])
        forged = world.sign_provision(provision, {"KAZ": world.nodes["MNG"]})
        why = await without_effect(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, forged)))
        assert "does not verify" in why

    async def test_a_request_about_a_joint_provision_whose_other_signature_is_forged(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        provision = world.provision(manifest_of(world), ("KAZ", "XAA"), ["MNG"])
        forged = world.sign_provision(provision, {"XAA": world.nodes["MNG"]})
        why = await without_effect(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, forged)))
        assert "does not verify" in why

    async def test_a_request_about_what_states_say_of_consent(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await give(kaz, message, "MNG", ["UZB"])
        await post(kaz, mng)
        (letter,) = [row for row in kaz.rows("messages") if row["kind"] == ContentKind.CONSENT]
        told = await provision_of(kaz, letter["id"])
        assert "not passed on" in await without_effect(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, told)))

    @pytest.mark.parametrize("to", [("KAZ",), ("MNG",), ("MNG", "UZB")])
    async def test_a_request_to_pass_it_to_the_provider_or_to_who_asks(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, to: tuple[str, ...]
    ) -> None:
        own = await provision_of(kaz, await shared(kaz, mng))
        await without_effect(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, own, to)))

    async def test_a_request_of_the_future(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        own = await provision_of(kaz, await shared(kaz, mng))
        ahead = request_of(world, own, created=world.now + 121, answer_by=world.now + DAY)
        assert "future" in await without_effect(kaz, relay, saying(world, "MNG", "KAZ", ahead))

    @pytest.mark.parametrize("what", ["Grant", "Provision"])
    async def test_a_request_after_a_withdrawal_is_left_to_people_whatever_the_rules_say(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode, what: str
    ) -> None:
        """Under the Grant that was withdrawn nothing was passed to UZB, which got it in another way."""
        message = await shared(kaz, mng)
        ident = await give(kaz, message, "MNG", ["UZB"])
        withdrawer = Withdrawer(kaz.parts)
        await withdrawer.withdraw(ident if what == "Grant" else message, "no more", official())
        who = "UZB" if what == "Grant" else "MNG"
        signed = await provision_of(kaz, message)
        await heard(kaz, relay, saying(world, who, "KAZ", request_of(world, signed, ("XAA",))))
        assert [row["state"] for row in kaz.rows("consent_requests")] == [OPEN]
        assert [row["id"] for row in kaz.rows("consent_grants")] == [ident]

    async def test_a_request_of_who_never_got_it_is_left_to_people_whatever_the_rules_say(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """UZB has seen the Provision in somebody's hands. It is shown as what it is, and granted to nobody."""
        own = await provision_of(kaz, await shared(kaz, mng))
        await heard(kaz, relay, saying(world, "UZB", "KAZ", request_of(world, own, ("XAA",))))
        (row,) = kaz.rows("consent_requests")
        assert (row["member"], row["state"], kaz.rows("consent_grants")) == ("UZB", OPEN, [])
        assert json.loads(kaz.rows("consent_log")[-1]["detail"])["lawful"] is False

    async def test_a_request_in_anothers_name_is_no_message_at_all(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """Who asks is the envelope's sender: XAA has no use for what MNG has signed."""
        own = await provision_of(kaz, await shared(kaz, mng))
        said = encode_consent(request_of(world, own))
        manifest = world.manifest(("MNG",), said, kind=ContentKind.CONSENT)
        provision = world.signed_provision(manifest, ("MNG",), ["KAZ"])
        posing = world.envelope(["KAZ"], "XAA", manifest=manifest, provisions=[provision])
        await refused_by_receiver(kaz, relay, posing, "sender-not-holder")
        await turn(kaz)
        assert kaz.rows("consent_requests") == []


class TestRequestsThatChange:
    """The same id, other words."""

    async def test_a_request_that_changes_after_it_was_granted(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        asked = request_of(world, await provision_of(kaz, message))
        await heard(kaz, relay, saying(world, "MNG", "KAZ", asked))
        await grant(kaz, asked.id)
        wider = replace(asked, recipients=(*asked.recipients, "XAA"))
        assert "stands as it was" in await without_effect(kaz, relay, saying(world, "MNG", "KAZ", wider))

    async def test_a_request_under_the_id_of_anothers(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        asked = request_of(world, await provision_of(kaz, await shared(kaz, mng)))
        await heard(kaz, relay, saying(world, "MNG", "KAZ", asked))
        assert "stands as it was" in await without_effect(kaz, relay, saying(world, "XAA", "KAZ", asked))

    async def test_the_same_request_again_is_answered_once(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        with_rules(kaz, ALL)
        asked = request_of(world, await provision_of(kaz, await shared(kaz, mng)))
        await heard(kaz, relay, saying(world, "MNG", "KAZ", asked))
        before = facts(kaz)
        await heard(kaz, relay, saying(world, "MNG", "KAZ", asked))
        assert facts(kaz) == before
        assert len(kaz.rows("consent_grants")) == 1

    async def test_a_crash_between_receiving_and_taking_has_one_effect(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        with_rules(kaz, ALL)
        asked = request_of(world, await provision_of(kaz, await shared(kaz, mng)))
        relay.accept(saying(world, "MNG", "KAZ", asked), ("KAZ",))
        await kaz.pull()
        assert len(kaz.rows("consent_due")) == 1
        # What was received before the crash is taken by the desk that comes after it.
        await turn(kaz)
        await turn(kaz)
        assert (len(kaz.rows("consent_requests")), len(kaz.rows("consent_grants"))) == (1, 1)


class TestFloods:
    """One member asks without end."""

    async def test_a_member_has_only_so_many_requests_open_and_others_are_heard(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(granting, "MOST_OPEN", 3)
        own = await provision_of(kaz, await shared(kaz, mng))
        for _ in range(3):
            await heard(kaz, relay, saying(world, "XAA", "KAZ", request_of(world, own)))
        assert "3 requests open" in await without_effect(
            kaz, relay, saying(world, "XAA", "KAZ", request_of(world, own))
        )
        await heard(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, own)))
        assert [row["member"] for row in kaz.rows("consent_requests")] == ["XAA", "XAA", "XAA", "MNG"]

    async def test_requests_that_are_over_at_once_count_for_a_day(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(granting, "MOST_DAILY", 2)
        own = await provision_of(kaz, await shared(kaz, mng))
        for _ in range(2):
            over = request_of(world, own, created=world.now - 10, answer_by=world.now - 1)
            await heard(kaz, relay, saying(world, "XAA", "KAZ", over))
        assert [row["state"] for row in kaz.rows("consent_requests")] == ["expired", "expired"]
        await without_effect(kaz, relay, saying(world, "XAA", "KAZ", request_of(world, own)))
        kaz.clock.time += DAY + 1
        world.now += DAY + 1
        await heard(kaz, relay, saying(world, "XAA", "KAZ", request_of(world, own)))
        assert len(kaz.rows("consent_requests")) == 3

    async def test_a_provider_gives_only_so_many_grants_that_nobody_asked_for(
        self, world: World, relay: HostileRelay, mng: TestNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "MOST_UNASKED", 2)
        provision = world.provision(manifest_of(world), ("KAZ",), ["MNG"])
        for _ in range(2):
            given = ConsentGiven(world.grant(provision, "KAZ", "MNG", ["UZB"]), None)
            await heard(mng, relay, saying(world, "KAZ", "MNG", given))
        given = ConsentGiven(world.grant(provision, "KAZ", "MNG", ["UZB"]), None)
        assert "nobody asked for" in await without_effect(mng, relay, saying(world, "KAZ", "MNG", given))


class TestGrantsThatAreNotTheirs:
    """Grants that reach MNG, which holds a record of KAZ."""

    async def said(self, world: World, relay: HostileRelay, mng: TestNode, signed: SignedGrant, sender: str) -> str:
        return await without_effect(mng, relay, saying(world, sender, "MNG", ConsentGiven(signed, None)))

    async def test_a_grant_for_another_holder(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        own = (await provision_of(kaz, await shared(kaz, mng))).provision
        assert "for XAA" in await self.said(world, relay, mng, world.grant(own, "KAZ", "XAA", ["UZB"]), "KAZ")

    async def test_a_grant_by_who_is_no_provider(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        own = (await provision_of(kaz, message)).provision
        assert "did not provide" in await self.said(world, relay, mng, world.grant(own, "XAA", "MNG", ["UZB"]), "XAA")
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")

    async def test_a_grant_of_another_that_somebody_passes_on(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        own = (await provision_of(kaz, await shared(kaz, mng))).provision
        signed = world.grant(own, "KAZ", "MNG", ["UZB"])
        assert "a Grant of KAZ" in await self.said(world, relay, mng, signed, "XAA")

    async def test_a_forged_grant(self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode) -> None:
        own = (await provision_of(kaz, await shared(kaz, mng))).provision
        signed = world.grant(own, "KAZ", "MNG", ["UZB"], signer=world.nodes["XAA"])
        assert "does not verify" in await self.said(world, relay, mng, signed, "KAZ")

    async def test_a_grant_that_has_ended(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        own = (await provision_of(kaz, await shared(kaz, mng))).provision
        signed = world.grant(own, "KAZ", "MNG", ["UZB"], created=world.now - DAY, until=world.now - 1)
        assert "ended" in await self.said(world, relay, mng, signed, "KAZ")

    async def test_another_grant_under_the_id_of_one_that_is_held(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        own = (await provision_of(kaz, await shared(kaz, mng))).provision
        signed = world.grant(own, "KAZ", "MNG", ["UZB"])
        await heard(mng, relay, saying(world, "KAZ", "MNG", ConsentGiven(signed, None)))
        narrower = world.grant(own, "KAZ", "MNG", ["XAA"], id=GrantId(signed.grant.id))
        assert "is held" in await self.said(world, relay, mng, narrower, "KAZ")
        assert len(mng.rows("consent_grants")) == 1

    async def test_a_grant_for_what_is_not_here_yet_opens_nothing_else(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """It may have overtaken its record; the tag of a class that nothing here has is the same."""
        message = await shared(kaz, mng)
        elsewhere = world.grant(None, "KAZ", "MNG", ["UZB"], class_tag=ClassTag(b"t" * 16))
        other = world.grant(None, "KAZ", "MNG", ["UZB"], provision=ProvisionId(b"another provisio"))
        for signed in (elsewhere, other):
            await heard(mng, relay, saying(world, "KAZ", "MNG", ConsentGiven(signed, None)))
        assert [row["message"] for row in mng.rows("consent_grants")] == [None, None]
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")


class TestAnswers:
    """MNG has asked KAZ."""

    async def test_an_answer_by_who_was_not_asked(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        request = await ask(mng, message, ["UZB"])
        own = (await provision_of(kaz, message)).provision
        refusal = ConsentRefused(request, "never")
        consent = ConsentGiven(world.grant(own, "XAA", "MNG", ["UZB"]), request)
        for said in (refusal, consent):
            assert "not asked" in await without_effect(mng, relay, saying(world, "XAA", "MNG", said))
        assert (await made(mng, request)).state == OPEN

    async def test_an_answer_to_what_was_never_asked(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        provision = world.provision(manifest_of(world), ("KAZ",), ["MNG"])
        for said in (
            ConsentRefused(bytes(16), "never"),
            ConsentGiven(world.grant(provision, "KAZ", "MNG", ["UZB"]), bytes(16)),
        ):
            assert "not asked" in await without_effect(mng, relay, saying(world, "KAZ", "MNG", said))

    async def test_a_grant_for_something_else_is_no_answer(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        request = await ask(mng, await shared(kaz, mng), ["UZB"])
        other = (await provision_of(kaz, await shared(kaz, mng))).provision
        said = ConsentGiven(world.grant(other, "KAZ", "MNG", ["UZB"]), request)
        assert "something else" in await without_effect(mng, relay, saying(world, "KAZ", "MNG", said))

    async def test_a_refusal_after_a_grant_takes_nothing_back(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        request = await ask(mng, message, ["UZB"])
        await post(mng, kaz)
        await grant(kaz, request)
        await post(kaz, mng)
        said = ConsentRefused(request, "after all not")
        assert "withdrawal" in await without_effect(mng, relay, saying(world, "KAZ", "MNG", said))
        assert (await made(mng, request)).state == GRANTED
        await forward(mng, message, ["UZB"])

    async def test_replayed_answers_have_one_effect(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        first, second = await ask(mng, message, ["UZB"]), await ask(mng, message, ["XAA"])
        await post(mng, kaz)
        await grant(kaz, first)
        await refuse(kaz, second)
        await post(kaz, mng)
        before = facts(mng)
        # The relay delivers all again; then KAZ says the same in new envelopes.
        await mng.pull()
        await turn(mng)
        own = (await provision_of(kaz, message)).provision
        held = mng.rows("consent_grants")[0]
        assert own.id == held["provision"]
        await heard(mng, relay, saying(world, "KAZ", "MNG", ConsentRefused(second, "again")))
        assert facts(mng) == before
        assert (await made(mng, second)).state == REFUSED

    async def test_a_provider_that_answers_one_request_with_grants_without_end(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "MOST_UNASKED", 2)
        message = await shared(kaz, mng)
        request = await ask(mng, message, ["UZB"])
        own = (await provision_of(mng, message)).provision
        for _ in range(3):
            given = world.grant(own, "KAZ", "MNG", ["UZB"])
            await heard(mng, relay, saying(world, "KAZ", "MNG", ConsentGiven(given, request)))
        given = world.grant(own, "KAZ", "MNG", ["UZB"])
        why = await without_effect(mng, relay, saying(world, "KAZ", "MNG", ConsentGiven(given, request)))
        assert "nobody asked for" in why

    async def test_a_grant_after_a_refusal_is_consent_and_the_request_stays_refused(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        request = await ask(mng, message, ["UZB"])
        own = (await provision_of(kaz, message)).provision
        await heard(mng, relay, saying(world, "KAZ", "MNG", ConsentRefused(request, "no")))
        given = ConsentGiven(world.grant(own, "KAZ", "MNG", ["UZB"]), request)
        await heard(mng, relay, saying(world, "KAZ", "MNG", given))
        assert (await made(mng, request)).state == REFUSED
        await forward(mng, message, ["UZB"])


class TestUsesCountedWrong:
    """MNG has a Grant for one use."""

    async def test_a_holder_that_forgets_its_uses_is_refused_by_the_relay(
        self, world: World, relay: HostileRelay, server: Server
    ) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        once = world.grant(provision.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=1)
        steps = {"manifest": manifest, "provisions": [provision], "grants": [once]}
        await server.submit(world.envelope(["UZB"], "MNG", **steps))  # type: ignore[arg-type]  # as written above
        await refused_by_relay(server, world.envelope(["XAA"], "MNG", **steps), 403, "no-consent")  # type: ignore[arg-type]

    async def test_a_holders_own_node_counts_over_envelopes_and_restarts(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await give(kaz, message, "MNG", ["UZB", "XAA"], uses=1)
        await post(kaz, mng)
        await forward(mng, message, ["UZB"])
        mng.composer = type(mng.composer)(mng.parts)
        await refused_by_own_node(mng, message, ["XAA"], "no-consent")

    async def test_a_forged_row_of_a_grant_is_not_carried(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """Who alters the store gains nothing: what does not verify is left out, and the rule refuses."""
        message = await shared(kaz, mng)
        own = (await provision_of(kaz, message)).provision
        await give(kaz, message, "MNG", ["XAA"])
        await post(kaz, mng)
        signed = world.grant(own, "KAZ", "MNG", ["UZB"])
        forged = SignedGrant(encode(GRANT, replace(signed.grant, uses=5)), signed.signature)
        raw = encode(SIGNED_GRANT, forged)
        await mng.database.write(lambda c: c.execute("UPDATE consent_grants SET signed = ?", (raw,)))
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")
