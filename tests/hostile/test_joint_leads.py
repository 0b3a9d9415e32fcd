"""Attacks by the lead of a joint text: it sends another, or too early; names it as another; keeps what was signed."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from exchange.errors import NotFound
from exchange.node.classes import Classes
from schemas.canon import decode, encode
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_PROVISION
from schemas.provision import PROVISION, SIGNED_PROVISION, SignedProvision
from schemas.signed import Signature
from schemas.terms import Tlp
from tests.support.attacks import delivered, refused_by_own_node, refused_by_receiver, refused_by_relay
from tests.support.desk import heard, post, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import (
    carried,
    draft_of,
    exchange_all,
    good,
    is_not_shown,
    propose,
    sign,
    sign_at,
)
from tests.support.node import TestNode
from tests.support.records import example
from tests.support.relay import Server
from tests.support.withdrawing import provision_of, withdraw
from tests.support.world import Sealed, World


class TestALeadThatSendsOtherwise:
    """The lead has what others signed, and sends something else, or too early."""

    def test_a_provision_without_every_signature_does_not_even_decode(self, world: World) -> None:
        signed = world.signed_provision(good(world), ("KAZ", "MNG"), ["UZB"])
        whole = encode(SIGNED_PROVISION, signed)
        assert decode(SIGNED_PROVISION, whole, 4096) == signed
        for signatures in (signed.signatures[:1], signed.signatures[1:], signed.signatures[::-1]):
            with pytest.raises(DecodeError):
                SignedProvision(signed.body, signatures)

    async def test_sending_before_the_other_has_signed(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        """KAZ signs in the place of MNG."""
        manifest = good(world)
        provision = world.provision(manifest, ("KAZ", "MNG"), ["UZB"])
        forged = world.sign_provision(provision, {"MNG": world.nodes["KAZ"]})
        sealed = world.envelope(["UZB"], "KAZ", manifest=manifest, provisions=[forged])
        await refused_by_relay(server, sealed, 403, "provision-signature")
        await refused_by_receiver(uzb, relay, sealed, "provision-signature")

    async def test_another_audience_under_the_signatures(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        manifest = good(world)
        signed = world.signed_provision(manifest, ("KAZ", "MNG"), ["XAA"])
        body = encode(PROVISION, replace(signed.provision, audience=(MemberId("UZB"), MemberId("XAA"))))
        own = Signature(signed.signatures[0].signer, signed.signatures[0].key_id, sign(world, "KAZ", body))
        swapped = SignedProvision(body, (own, signed.signatures[1]))
        sealed = world.envelope(["UZB"], "KAZ", manifest=manifest, provisions=[swapped])
        await refused_by_relay(server, sealed, 403, "provision-signature")
        await refused_by_receiver(uzb, relay, sealed, "provision-signature")

    async def test_another_content_under_the_signatures(self, world: World, relay: HostileRelay, uzb: TestNode) -> None:
        signed = world.signed_provision(good(world), ("KAZ", "MNG"), ["UZB"])
        sealed = world.envelope(["UZB"], "KAZ", manifest=good(world), provisions=[signed])
        await refused_by_receiver(uzb, relay, sealed, "unreadable")

    async def test_a_contingent_of_a_state_that_has_not_signed(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        """2.1.1.c: KAZ, the host, reports MNG's contingent by itself."""
        record = example("foreign-contingents", "training-mission")
        record["body"] |= {"host": "KAZ", "sending_state": "MNG"}
        record["body"]["release_permission"]["granted_by"] = "MNG"

        def by(*providers: str) -> Sealed:
            body = json.dumps({**record, "originators": list(providers)}).encode()
            manifest = world.manifest(providers, body)
            signed = world.signed_provision(manifest, providers, ["UZB"], tlp=Tlp.AMBER_STRICT)
            return world.envelope(["UZB"], "KAZ", manifest=manifest, provisions=[signed])

        await refused_by_receiver(uzb, relay, by("KAZ"), "unreadable")
        await delivered(uzb, relay, by("KAZ", "MNG"))

    async def test_passing_it_on_takes_the_consent_of_every_provider(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        manifest = good(world)
        signed = world.signed_provision(manifest, ("KAZ", "MNG"), ["UZB"])
        original = world.envelope(["UZB"], "KAZ", manifest=manifest, provisions=[signed])
        await heard(uzb, relay, original)
        (message,) = uzb.inbox()
        await refused_by_own_node(uzb, message, ["XAA"], "no-consent")
        grants = [world.grant(signed.provision, code, "UZB", ["XAA"]) for code in ("KAZ", "MNG")]
        for one in grants:
            sealed = world.forward(original, "UZB", ["XAA"], grants=[one])
            await refused_by_relay(server, sealed, 403, "no-consent")
        assert (await server.post(world.forward(original, "UZB", ["XAA"], grants=grants))).status == 202


class TestNamedAlike:
    """A Grant names a Provision by id: a lead wants one for a harmless joint text to serve for a secret one."""

    @pytest.mark.parametrize("indexed", [False, True])
    async def test_a_draft_with_the_id_of_a_text_that_the_lead_has_received(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, indexed: bool
    ) -> None:
        secret = await mng.write(["KAZ"])
        name, _ = await provision_of(mng, secret)
        if indexed:
            await turn(mng)
        draft = draft_of(world, good(world), terms={"id": name})
        why = await is_not_shown(mng, relay, carried(world, draft))
        assert "the id of another that MNG provides" in why

    async def test_two_drafts_with_one_id(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        first = draft_of(world, good(world))
        await heard(mng, relay, carried(world, first))
        name = decode(PROVISION, first.provision, MAX_PROVISION).id
        why = await is_not_shown(mng, relay, carried(world, draft_of(world, good(world), terms={"id": name})))
        assert "the id of another that MNG provides" in why

    async def test_a_draft_that_calls_a_class_of_this_state_something_else(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        (own,) = await Classes(mng.parts).meanings(["force plans"])
        manifest = good(world, classes=(replace(own, name="weather"),))
        draft = draft_of(world, manifest, terms={"class_tags": (own.tag,)})
        assert "the tag of another class of MNG" in await is_not_shown(mng, relay, carried(world, draft))


class TestWithdrawnBeforeItIsSent:
    """Whoever has signed can take its consent back also while the lead holds the text back, under an embargo."""

    async def test_a_lead_that_holds_what_was_signed_does_not_keep_a_provider_from_withdrawing(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        embargo = datetime.fromtimestamp(world.now + 5 * DAY, UTC).isoformat()
        ident = await propose(kaz, ["UZB"], ["MNG"], not_before=embargo)
        await exchange_all(relay, kaz, mng)
        await sign_at(mng)
        await exchange_all(relay, kaz, mng)
        assert mng.inbox() == [row["message"] for row in mng.rows("drafts")], "the message itself has not come"
        row = await withdraw(mng, ident)
        assert [one.member for one in await mng.parts.stores.withdrawals.told(row.id)] == ["KAZ", "UZB"]
        await post(mng, kaz)
        kaz.clock.time += 6 * DAY
        await kaz.send()
        assert [one for one in kaz.rows("outbox") if one["message"] == ident] == []
        (waiting,) = (one for one in kaz.rows("messages") if one["id"] == ident)
        assert "MNG has withdrawn" in waiting["waits"]

    async def test_what_this_state_has_not_signed_is_refused_and_not_withdrawn(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        ident = await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        with pytest.raises(NotFound, match="no message and no Grant"):
            await withdraw(mng, ident)
        assert mng.rows("withdrawals") == []
