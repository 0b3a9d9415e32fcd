"""Attacks with answers to requests: Grants of others or for others, answers to nothing, uses counted wrong."""

from dataclasses import replace

import pytest

from exchange.node import asking
from exchange.storage.request_port import GRANTED, OPEN, REFUSED
from schemas.canon import encode
from schemas.consent import ConsentGiven, ConsentRefused
from schemas.grant import GRANT, SIGNED_GRANT, SignedGrant
from schemas.ids import ClassTag, GrantId, ProvisionId
from schemas.limits import DAY
from tests.support.attacks import refused_by_own_node, refused_by_relay
from tests.support.consents import (
    ask,
    facts,
    forward,
    give,
    grant,
    made,
    provision_of,
    refuse,
    saying,
    unheard,
)
from tests.support.desk import heard, post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of
from tests.support.relay import Server
from tests.support.world import World

ALL = {"name": "all", "action": "grant"}


class TestGrantsThatAreNotTheirs:
    """Grants that reach MNG, which holds a record of KAZ."""

    async def said(self, world: World, relay: HostileRelay, mng: TestNode, signed: SignedGrant, sender: str) -> str:
        return await unheard(mng, relay, saying(world, sender, "MNG", ConsentGiven(signed, None)))

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
            assert "not asked" in await unheard(mng, relay, saying(world, "XAA", "MNG", said))
        assert (await made(mng, request)).state == OPEN

    async def test_an_answer_to_what_was_never_asked(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        provision = world.provision(manifest_of(world), ("KAZ",), ["MNG"])
        for said in (
            ConsentRefused(bytes(16), "never"),
            ConsentGiven(world.grant(provision, "KAZ", "MNG", ["UZB"]), bytes(16)),
        ):
            assert "not asked" in await unheard(mng, relay, saying(world, "KAZ", "MNG", said))

    async def test_a_grant_for_something_else_is_no_answer(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        request = await ask(mng, await shared(kaz, mng), ["UZB"])
        other = (await provision_of(kaz, await shared(kaz, mng))).provision
        said = ConsentGiven(world.grant(other, "KAZ", "MNG", ["UZB"]), request)
        assert "something else" in await unheard(mng, relay, saying(world, "KAZ", "MNG", said))

    async def test_a_refusal_after_a_grant_takes_nothing_back(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        request = await ask(mng, message, ["UZB"])
        await post(mng, kaz)
        await grant(kaz, request)
        await post(kaz, mng)
        said = ConsentRefused(request, "after all not")
        assert "withdrawal" in await unheard(mng, relay, saying(world, "KAZ", "MNG", said))
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
        why = await unheard(mng, relay, saying(world, "KAZ", "MNG", ConsentGiven(given, request)))
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
