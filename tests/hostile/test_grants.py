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


class TestAnothersGrant:
    """Who saw a Grant uses it, or signs for somebody else."""

    def passed_on(self, world: World) -> Sealed:
        """KAZ's information, as MNG passed it to UZB under a Grant that names UZB and XAA."""
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"])
        grant = world.grant(provision.provision, "KAZ", "MNG", ["UZB", "XAA"])
        return world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision], grants=[grant])

    async def test_a_grant_replayed_by_the_recipient_that_received_under_it(
        self, world: World, relay: HostileRelay, uzb: TestNode, xaa: TestNode, server: Server
    ) -> None:
        received = self.passed_on(world)
        message = await delivered(uzb, relay, received)
        await refused_by_own_node(uzb, message, ["XAA"], "sender-not-holder")
        replayed = world.forward(received, "UZB", ["XAA"], grants=received.header.core.grants)
        await refused_by_relay(server, replayed, 403, "sender-not-holder")
        await refused_by_receiver(xaa, relay, replayed, "sender-not-holder")

    async def test_a_grant_made_out_to_the_next_holder_by_the_holder_before(
        self, world: World, relay: HostileRelay, xaa: TestNode, server: Server
    ) -> None:
        """MNG may pass it to UZB; that UZB may go on passing it is not MNG's to say."""
        received = self.passed_on(world)
        terms = received.header.core.provisions[0].provision
        made_out = world.grant(terms, "MNG", "UZB", ["XAA"])
        sealed = world.forward(received, "UZB", ["XAA"], grants=[made_out])
        await refused_by_relay(server, sealed, 403, "sender-not-holder")
        await refused_by_receiver(xaa, relay, sealed, "sender-not-holder")

    async def test_one_of_two_providers_signs_the_grant_of_the_other_too(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        manifest = world.manifest(("KAZ", "XAA"))
        provision = world.signed_provision(manifest, ("KAZ", "XAA"), ["MNG"])
        own = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
        posing = world.grant(provision.provision, "XAA", "MNG", ["UZB"], world.nodes["KAZ"])
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision], grants=[own, posing])
        await refused_by_relay(server, sealed, 403, "grant-signature")
        await refused_by_receiver(uzb, relay, sealed, "grant-signature")

    async def test_a_holder_that_adds_itself_to_the_providers(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        """As a provider MNG could choose the audience. KAZ's signature is over a Provision without it."""
        received = self.passed_on(world)
        own = received.header.core.provisions[0]
        wider = world.provision(received.manifest, ("KAZ", "MNG"), ["UZB", "XAA"], id=own.provision.id)
        claimed = world.sign_provision(wider)
        claimed = SignedProvision(claimed.body, (own.signatures[0], claimed.signatures[1]))
        sealed = world.envelope(["UZB"], "MNG", manifest=received.manifest, provisions=[claimed])
        await refused_by_relay(server, sealed, 403, "provision-signature")
        await refused_by_receiver(uzb, relay, sealed, "provision-signature")
