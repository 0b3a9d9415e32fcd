"""Attacks with Grants: forged, ended, spent, another's; at the forwarder's node, the relay and the receiver."""

from dataclasses import dataclass

import pytest

from schemas.grant import SignedGrant
from schemas.ids import ClassTag, GrantId, ProvisionId
from schemas.limits import DAY
from schemas.provision import SignedProvision
from schemas.terms import Purpose
from tests.support.attacks import delivered, refused_by_own_node, refused_by_receiver, refused_by_relay
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of
from tests.support.relay import Server
from tests.support.world import Sealed, World


@dataclass(frozen=True)
class Case:
    """KAZ's information, which MNG holds and wants to pass to UZB with a Grant that does not allow it."""

    manifest: bytes
    provision: SignedProvision
    grant: SignedGrant

    def original(self, world: World) -> Sealed:
        """From KAZ to MNG; the Grant travels with it."""
        return world.envelope(["MNG"], "KAZ", manifest=self.manifest, provisions=[self.provision], grants=[self.grant])

    def forward(self, world: World, to: tuple[str, ...] = ("UZB",)) -> Sealed:
        """From MNG, past its own node's check."""
        return world.envelope(to, "MNG", manifest=self.manifest, provisions=[self.provision], grants=[self.grant])


def case(world: World, name: str) -> Case:
    """What is wrong with the Grant."""
    manifest = manifest_of(world)
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
    terms = provision.provision
    tag = {"class_tag": ClassTag(b"t" * 16)}
    grants = {
        "ended": lambda: world.grant(terms, "KAZ", "MNG", ["UZB"], created=world.now - DAY, until=world.now - 1),
        "not-yet-given": lambda: world.grant(terms, "KAZ", "MNG", ["UZB"], created=world.now + 121),
        "of-another-holder": lambda: world.grant(terms, "KAZ", "XAA", ["UZB"]),
        "for-another-recipient": lambda: world.grant(terms, "KAZ", "MNG", ["XAA"]),
        "for-another-purpose": lambda: world.grant(terms, "KAZ", "MNG", ["UZB"], purpose=Purpose.STATISTICS),
        "for-another-provision": lambda: world.grant(
            terms, "KAZ", "MNG", ["UZB"], provision=ProvisionId(b"another provisio")
        ),
        "for-a-class-that-it-is-not-of": lambda: world.grant(None, "KAZ", "MNG", ["UZB"], **tag),  # type: ignore[arg-type]
        "of-a-member-that-is-no-provider": lambda: world.grant(terms, "XAA", "MNG", ["UZB"]),
        "given-by-the-holder-to-itself": lambda: world.grant(terms, "MNG", "MNG", ["UZB"]),
    }
    return Case(manifest, provision, grants[name]())


NAMES = (
    "ended",
    "not-yet-given",
    "of-another-holder",
    "for-another-recipient",
    "for-another-purpose",
    "for-another-provision",
    "for-a-class-that-it-is-not-of",
    "of-a-member-that-is-no-provider",
    "given-by-the-holder-to-itself",
)


@pytest.mark.parametrize("name", NAMES)
async def test_a_grant_that_does_not_cover_it_is_refused_by_the_forwarders_node(
    world: World, relay: HostileRelay, mng: TestNode, name: str
) -> None:
    attacked = case(world, name)
    message = await delivered(mng, relay, attacked.original(world))
    await refused_by_own_node(mng, message, ["UZB"], "no-consent")


@pytest.mark.parametrize("name", NAMES)
async def test_a_grant_that_does_not_cover_it_is_refused_by_the_relay(world: World, server: Server, name: str) -> None:
    await refused_by_relay(server, case(world, name).forward(world), 403, "no-consent")


@pytest.mark.parametrize("name", NAMES)
async def test_a_grant_that_does_not_cover_it_is_refused_by_the_receiver(
    world: World, relay: HostileRelay, uzb: TestNode, name: str
) -> None:
    await refused_by_receiver(uzb, relay, case(world, name).forward(world), "no-consent")


async def test_a_true_grant_opens_exactly_what_it_names(
    world: World, relay: HostileRelay, mng: TestNode, uzb: TestNode, server: Server
) -> None:
    """The control: without it the attacks above would prove nothing."""
    manifest = manifest_of(world)
    provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
    lawful = Case(manifest, provision, world.grant(provision.provision, "KAZ", "MNG", ["UZB"]))
    message = await delivered(mng, relay, lawful.original(world))
    source = await mng.parts.stores.views.message(message)
    assert source is not None
    sealed = lawful.forward(world)
    await server.submit(sealed)
    await delivered(uzb, relay, sealed)
    await refused_by_own_node(mng, message, ["UZB", "XAA"], "no-consent")


class TestForgedGrant:
    """A Grant in KAZ's name that KAZ did not sign."""

    def forged(self, world: World) -> Case:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        grant = world.grant(provision.provision, "KAZ", "MNG", ["UZB"], signer=world.nodes["MNG"])
        return Case(manifest, provision, grant)

    async def test_a_forged_grant_is_refused_by_the_relay(self, world: World, server: Server) -> None:
        await refused_by_relay(server, self.forged(world).forward(world), 403, "grant-signature")

    async def test_a_forged_grant_is_refused_by_the_receiver(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        await refused_by_receiver(uzb, relay, self.forged(world).forward(world), "grant-signature")

    async def test_a_forged_grant_does_not_even_enter_the_forwarders_node(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        await refused_by_receiver(mng, relay, self.forged(world).original(world), "grant-signature")

    async def test_a_grant_altered_after_signing(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        honest = case(world, "for-another-recipient")
        wider = world.grant(honest.provision.provision, "KAZ", "MNG", ["UZB"], id=honest.grant.grant.id)
        altered = Case(honest.manifest, honest.provision, SignedGrant(wider.body, honest.grant.signature))
        await refused_by_relay(server, altered.forward(world), 403, "grant-signature")
        await refused_by_receiver(uzb, relay, altered.forward(world), "grant-signature")

    async def test_a_true_grant_does_not_carry_a_forged_one_along(self, world: World, server: Server) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        true = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
        forged = self.forged(world).grant
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision], grants=[true, forged])
        await refused_by_relay(server, sealed, 403, "grant-signature")


class TestSpentGrant:
    """A Grant for one use is used again."""

    def limited(self, world: World, uses: int = 1) -> Case:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        return Case(manifest, provision, world.grant(provision.provision, "KAZ", "MNG", ["UZB", "XAA"], uses=uses))

    async def test_more_recipients_than_uses_in_one_envelope(
        self, world: World, relay: HostileRelay, mng: TestNode, uzb: TestNode, server: Server
    ) -> None:
        attacked = self.limited(world)
        message = await delivered(mng, relay, attacked.original(world))
        await refused_by_own_node(mng, message, ["UZB", "XAA"], "no-consent")
        sealed = attacked.forward(world, ("UZB", "XAA"))
        await refused_by_relay(server, sealed, 403, "no-consent")
        await refused_by_receiver(uzb, relay, sealed, "no-consent")

    async def test_a_spent_grant_is_refused_by_the_relay_that_counted_it(self, world: World, server: Server) -> None:
        attacked = self.limited(world)
        first = attacked.forward(world, ("UZB",))
        await server.submit(first)
        assert server.rows("uses") == 1
        await refused_by_relay(server, attacked.forward(world, ("XAA",)), 403, "no-consent")
        # A retry, and the same recipient once more, are no further use.
        await server.submit(first)
        await server.submit(attacked.forward(world, ("UZB",)))
        assert server.rows("uses") == 1

    async def test_a_grant_of_another_provider_under_the_same_id_uses_nothing_up(
        self, world: World, server: Server
    ) -> None:
        victim = self.limited(world)
        manifest = manifest_of(world, "XAA")
        provision = world.signed_provision(manifest, ("XAA",), ["MNG"])
        same_id = GrantId(victim.grant.grant.id)
        squatting = world.grant(provision.provision, "XAA", "MNG", ["UZB"], id=same_id)
        await server.submit(
            world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision], grants=[squatting])
        )
        await server.submit(victim.forward(world))
