"""Attacks with requests for consent: in others' names, about others' things, again, altered, many."""

import json
from dataclasses import replace

import pytest

from exchange.node import asking, granting
from exchange.node.withdrawing import Withdrawer
from exchange.storage.request_port import OPEN
from schemas.consent import ConsentGiven, encode_consent
from schemas.content import ContentKind
from schemas.limits import DAY
from tests.support.attacks import refused_by_receiver
from tests.support.consents import (
    facts,
    give,
    grant,
    official,
    provision_of,
    request_of,
    saying,
    unheard,
    with_rules,
)
from tests.support.desk import heard, post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of
from tests.support.world import World

ALL = {"name": "all", "action": "grant"}


class TestRequestsThatAreNotTheirs:
    """MNG, or somebody else, asks KAZ; every rule of KAZ grants."""

    @pytest.fixture(autouse=True)
    def _generous(self, kaz: TestNode) -> None:
        with_rules(kaz, ALL)

    async def test_a_request_about_what_others_provided(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        foreign = world.signed_provision(manifest_of(world, "XAA"), ("XAA",), ["MNG"])
        assert "no provider" in await unheard(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, foreign)))

    async def test_a_request_about_a_provision_that_was_forged_in_our_name(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        provision = world.provision(manifest_of(world), ("KAZ",), ["MNG"])
        forged = world.sign_provision(provision, {"KAZ": world.nodes["MNG"]})
        why = await unheard(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, forged)))
        assert "does not verify" in why

    async def test_a_request_about_a_joint_provision_whose_other_signature_is_forged(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        provision = world.provision(manifest_of(world), ("KAZ", "XAA"), ["MNG"])
        forged = world.sign_provision(provision, {"XAA": world.nodes["MNG"]})
        why = await unheard(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, forged)))
        assert "does not verify" in why

    async def test_a_request_about_what_states_say_of_consent(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await give(kaz, message, "MNG", ["UZB"])
        await post(kaz, mng)
        (letter,) = [row for row in kaz.rows("messages") if row["kind"] == ContentKind.CONSENT]
        told = await provision_of(kaz, letter["id"])
        assert "not passed on" in await unheard(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, told)))

    @pytest.mark.parametrize("to", [("KAZ",), ("MNG",), ("MNG", "UZB")])
    async def test_a_request_to_pass_it_to_the_provider_or_to_who_asks(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, to: tuple[str, ...]
    ) -> None:
        own = await provision_of(kaz, await shared(kaz, mng))
        await unheard(kaz, relay, saying(world, "MNG", "KAZ", request_of(world, own, to)))

    async def test_a_request_of_the_future(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        own = await provision_of(kaz, await shared(kaz, mng))
        ahead = request_of(world, own, created=world.now + 121, answer_by=world.now + DAY)
        assert "future" in await unheard(kaz, relay, saying(world, "MNG", "KAZ", ahead))

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
        assert "stands as it was" in await unheard(kaz, relay, saying(world, "MNG", "KAZ", wider))

    async def test_a_request_under_the_id_of_anothers(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        asked = request_of(world, await provision_of(kaz, await shared(kaz, mng)))
        await heard(kaz, relay, saying(world, "MNG", "KAZ", asked))
        assert "stands as it was" in await unheard(kaz, relay, saying(world, "XAA", "KAZ", asked))

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
        assert "3 requests open" in await unheard(kaz, relay, saying(world, "XAA", "KAZ", request_of(world, own)))
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
        await unheard(kaz, relay, saying(world, "XAA", "KAZ", request_of(world, own)))
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
        assert "nobody asked for" in await unheard(mng, relay, saying(world, "KAZ", "MNG", given))
