"""Attacks on consent: who holds information passes it on without being allowed to."""

from dataclasses import replace
from pathlib import Path

from schemas.canon import encode
from schemas.contexts import Context
from schemas.envelope import Header, encode_header
from schemas.limits import DAY
from schemas.provision import SignedProvision
from schemas.terms import Onward, Precedence, Purpose, Tlp
from schemas.wrap import WRAPS, Wraps
from tests.support.attacks import (
    delivered,
    honest_relay,
    put_off_by_receiver,
    refused_by_own_node,
    refused_by_receiver,
    refused_by_relay,
)
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, node, sealed_by
from tests.support.relay import Server
from tests.support.world import Sealed, World


def joint(
    world: World, providers: tuple[str, ...], to: tuple[str, ...], **terms: object
) -> tuple[bytes, SignedProvision]:
    manifest = world.manifest(providers)
    return manifest, world.signed_provision(manifest, providers, to, **terms)


def with_wraps(world: World, sealed: Sealed, wraps: Wraps, signer: str | None) -> Sealed:
    """The same core with other wraps; signed again by `signer`, or under the old signature."""
    header = sealed.header
    wraps_bytes = encode(WRAPS, wraps)
    signature = header.signature
    if signer is not None:
        signature = world.nodes[signer].sign_bytes(Context.HEADER, header.core_bytes, wraps_bytes)
    return replace(sealed, header_bytes=encode_header(Header(header.core_bytes, wraps_bytes, signature)))


class TestSurreptitiousForwarding:
    """MNG encrypts KAZ's signed information anew, to UZB, which KAZ did not name."""

    async def test_surreptitious_forwarding_is_refused_by_the_forwarders_node(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        message = await delivered(mng, relay, sealed_by(world, "KAZ", ("MNG",)))
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")

    async def test_surreptitious_forwarding_is_refused_by_the_relay(self, world: World, server: Server) -> None:
        original = sealed_by(world, "KAZ", ("MNG",))
        await refused_by_relay(server, world.forward(original, "MNG", ["UZB"]), 403, "no-consent")

    async def test_surreptitious_forwarding_with_a_colluding_relay_is_refused_by_the_receiver(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        original = sealed_by(world, "KAZ", ("MNG",))
        await refused_by_receiver(uzb, relay, world.forward(original, "MNG", ["UZB"]), "no-consent")

    async def test_forwarding_posing_as_the_provider_is_put_off_by_the_receiver_and_refused_by_the_relay(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        """MNG signs a header in KAZ's name."""
        original = sealed_by(world, "KAZ", ("MNG",))
        posing = world.forward(original, "KAZ", ["UZB"], signer=world.nodes["MNG"])
        await refused_by_relay(server, posing, 403, "bad-signature")
        await put_off_by_receiver(uzb, relay, posing, "header-signature")

    async def test_even_the_provider_may_not_send_beyond_its_signed_audience(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        original = sealed_by(world, "KAZ", ("MNG",))
        wider = world.forward(original, "KAZ", ["MNG", "UZB"])
        await refused_by_relay(server, wider, 403, "no-consent")
        await refused_by_receiver(uzb, relay, wider, "no-consent")


class TestFurtherHops:
    """Forwards by those who hold it, and by those who do not."""

    async def test_open_terms_for_members_do_not_open_it_to_an_observer_state(self, tmp_path: Path) -> None:
        world = World(observers=("XAB",))
        relay = HostileRelay(world)
        manifest = manifest_of(world, "KAZ", onward="members")
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], onward=Onward.MEMBERS)
        sealed = world.envelope(["XAB"], "MNG", manifest=manifest, provisions=[provision])
        async with node(tmp_path, world, "XAB", relay) as xab, honest_relay(tmp_path, world) as server:
            await refused_by_relay(server, sealed, 403, "no-consent")
            await refused_by_receiver(xab, relay, sealed, "no-consent")

    async def test_an_observer_state_sends(self, tmp_path: Path) -> None:
        world = World(observers=("XAB",))
        relay = HostileRelay(world)
        sealed = sealed_by(world, "XAB", ("MNG",))
        async with node(tmp_path, world, "MNG", relay) as mng, honest_relay(tmp_path, world) as server:
            await refused_by_relay(server, sealed, 403, "sender-not-entitled")
            await refused_by_receiver(mng, relay, sealed, "sender-not-entitled")

    async def test_forwarding_information_of_two_providers_with_the_consent_of_one(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        manifest, provision = joint(world, ("KAZ", "XAA"), ("MNG",))
        grant = world.grant(provision.provision, "KAZ", "MNG", ["UZB"])
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision], grants=[grant])
        await refused_by_relay(server, sealed, 403, "no-consent")
        await refused_by_receiver(uzb, relay, sealed, "no-consent")

    async def test_a_holder_that_never_received_it_lawfully(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        """UZB got hold of it somehow and passes it to MNG, which may have it."""
        original = sealed_by(world, "KAZ", ("MNG",))
        sealed = world.forward(original, "UZB", ["MNG"])
        await refused_by_relay(server, sealed, 403, "sender-not-holder")
        await refused_by_receiver(mng, relay, sealed, "sender-not-holder")

    async def test_a_purpose_that_the_provider_did_not_allow(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        manifest = manifest_of(world)
        sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, core={"purpose": Purpose.LAW_ENFORCEMENT})
        await refused_by_relay(server, sealed, 403, "purpose-not-allowed")
        await refused_by_receiver(mng, relay, sealed, "purpose-not-allowed")

    async def test_an_embargo_broken_by_the_sender(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], not_before=world.now + DAY)
        sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, provisions=[provision])
        await refused_by_relay(server, sealed, 403, "embargo")
        await refused_by_receiver(mng, relay, sealed, "embargo")

    async def test_an_embargo_broken_by_the_relay_with_a_receipt_from_the_future(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        """It lies within the tolerance of clocks; the node waits until the embargo has ended by its own."""
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], not_before=world.now + 100)
        sealed = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, provisions=[provision])
        await put_off_by_receiver(mng, relay, sealed, "embargo", world.receipt(sealed, time=world.now + 100))
        mng.clock.time += 100
        await delivered(mng, relay, sealed, time=world.now + 100)

    async def test_forwarding_after_the_providers_end_date(
        self, world: World, relay: HostileRelay, mng: TestNode, uzb: TestNode, server: Server
    ) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"], until=world.now + 60)
        original = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, provisions=[provision])
        message = await delivered(mng, relay, original)
        later = world.now + 61
        mng.clock.time = uzb.clock.time = server.clock.time = later
        sealed = world.forward(original, "MNG", ["UZB"], core={"created": later})
        await refused_by_own_node(mng, message, ["UZB"], "provision-ended")
        await refused_by_relay(server, sealed, 403, "provision-ended")
        await refused_by_receiver(uzb, relay, sealed, "provision-ended", time=later)


class TestRecipientsChanged:
    """The list of recipients is altered on the way, or by who may not sign it."""

    async def test_a_recipient_added_on_the_way(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG",))
        extra = world.wrap(sealed.secrets["MNG"], sealed.header.core_bytes, "UZB")
        attacked = with_wraps(world, sealed, Wraps((*sealed.header.wraps, extra)), None)
        await refused_by_relay(server, attacked, 403, "bad-signature")
        await put_off_by_receiver(uzb, relay, attacked, "header-signature")

    async def test_a_recipient_removed_on_the_way(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"))
        attacked = with_wraps(world, sealed, Wraps(sealed.header.wraps[:1]), None)
        await refused_by_relay(server, attacked, 403, "bad-signature")
        await put_off_by_receiver(mng, relay, attacked, "header-signature")
        # The genuine one, under the same id, is not kept out by it.
        await delivered(mng, relay, sealed)

    async def test_a_recipient_exchanged_by_a_forwarder_that_signs_the_header(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        """The core says that KAZ is the sender; MNG's signature does not count for it."""
        sealed = sealed_by(world, "KAZ", ("MNG",))
        wrap = world.wrap(sealed.secrets["MNG"], sealed.header.core_bytes, "UZB")
        attacked = with_wraps(world, sealed, Wraps((wrap,)), "MNG")
        await refused_by_relay(server, attacked, 403, "bad-signature")
        await put_off_by_receiver(uzb, relay, attacked, "header-signature")

    async def test_a_recipient_that_is_in_no_charter(self, world: World, server: Server) -> None:
        stranger = World(codes=("KAZ", "MNG", "UZB", "XAZ"), seed="another charter")
        manifest = manifest_of(stranger)
        sealed = stranger.envelope(["XAZ"], "KAZ", manifest=manifest)
        await refused_by_relay(server, sealed, 403, "untrusted")

    async def test_terms_raised_by_the_forwarder(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        """MNG rewrites KAZ's Provision to `public` and keeps KAZ's signature."""
        manifest = manifest_of(world)
        provision = world.provision(manifest, ("KAZ",), ["MNG"], onward=Onward.NONE)
        honest = world.sign_provision(provision)
        raised = SignedProvision(
            world.sign_provision(replace(provision, onward=Onward.PUBLIC, tlp=Tlp.CLEAR)).body, honest.signatures
        )
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[raised])
        await refused_by_relay(server, sealed, 403, "provision-signature")
        await refused_by_receiver(uzb, relay, sealed, "provision-signature")

    async def test_an_urgency_above_what_the_provider_allows(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG"], max_precedence=Precedence.PRIORITY)
        sealed = sealed_by(
            world, "KAZ", ("MNG",), manifest=manifest, provisions=[provision], core={"precedence": Precedence.FLASH}
        )
        await refused_by_relay(server, sealed, 403, "precedence-above-terms")
        await refused_by_receiver(mng, relay, sealed, "precedence-above-terms")
