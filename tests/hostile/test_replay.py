"""Attacks with what was true once: replays, old information as new, and ids that belong to others."""

from dataclasses import replace

from schemas.canon import encode
from schemas.contexts import Context
from schemas.envelope import Header, encode_header
from schemas.ids import ProvisionId
from schemas.limits import DAY
from schemas.receipt import Outcome
from schemas.terms import Precedence
from schemas.wrap import WRAPS, Wraps
from tests.support.attacks import (
    delivered,
    evidence_of,
    put_off_by_receiver,
    refused_by_receiver,
    refused_by_relay,
    relay_facts,
    same_id,
)
from tests.support.changes import identity
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, manifest_of, ministry, node, request_of, sealed_by
from tests.support.relay import Server
from tests.support.uploads import upload
from tests.support.world import World


class TestReplay:
    """The relay delivers again what it delivered before."""

    async def test_a_replayed_envelope_is_delivered_once_and_answered_as_before(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        relay.accept(sealed_by(world, "KAZ", ("MNG",)))
        await mng.pull()
        before, evidence = mng.facts(), mng.rows("received")
        mng.clock.time += 10
        for _ in range(3):
            await mng.pull()
        assert mng.facts() == before
        assert (mng.rows("received"), mng.alarms()) == (evidence, [])
        assert len(relay.acknowledged) == 4
        assert len(set(relay.acknowledged)) == 1

    async def test_after_a_renewal_it_is_answered_as_before_by_the_key_in_use(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        """The relay takes no answer any more under the key that was in use when it came."""
        relay.accept(sealed_by(world, "KAZ", ("MNG",)))
        await mng.pull()
        before, first = mng.facts(), mng.parts.keyring.signing.key_id
        mng.parts.keyring.signing = identity("next", "MNG")
        mng.clock.time += 10
        for _ in range(2):
            await mng.pull()
        assert mng.facts() == before
        answers = relay.answers()
        next_key = mng.parts.keyring.signing.key_id
        assert [answer.key_id for answer in answers] == [first, next_key, next_key]
        assert {answer.outcome for answer in answers} == {Outcome.DELIVERED}
        assert relay.acknowledged[1] == relay.acknowledged[2] == mng.rows("received")[0]["acknowledgement"]

    async def test_a_replay_with_a_fresh_receipt_is_answered_as_before(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG",))
        await delivered(mng, relay, sealed)
        before, evidence = mng.facts(), mng.rows("received")
        relay.accept(sealed, time=world.now + 60)
        await mng.pull()
        assert (mng.facts(), mng.rows("received")) == (before, evidence)
        assert len(set(relay.acknowledged)) == 1

    async def test_a_replay_after_a_restart_of_the_node(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        relay.accept(sealed_by(world, "KAZ", ("MNG",)))
        await mng.pull()
        before = mng.facts()
        await mng.database.close()
        async with node(mng.folder.parent, world, "MNG", relay) as again:
            await again.pull()
            assert again.facts() == before
        assert len(set(relay.acknowledged)) == 1

    async def test_a_replayed_upload_gives_the_same_receipt_and_no_second_envelope(
        self, world: World, server: Server
    ) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG",))
        first = await server.submit(sealed)
        before = relay_facts(server)
        server.clock.time += 100
        assert await server.submit(sealed) == first
        assert relay_facts(server) == before

    async def test_an_old_refusal_is_not_turned_into_a_delivery(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        attacked = world.forward(sealed_by(world, "KAZ", ("MNG",)), "MNG", ["UZB"])
        relay.accept(attacked)
        await uzb.pull()
        before = uzb.facts()
        await uzb.pull()
        assert uzb.facts() == before
        assert {answer.outcome for answer in relay.answers()} == {Outcome.REFUSED}
        assert len(set(relay.acknowledged)) == 1


class TestOldAsNew:
    """A recipient sends an old alert again, as new and urgent."""

    async def test_a_delivered_provision_re_sent_as_flash_is_evidence_and_no_message(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        original = sealed_by(world, "KAZ", ("MNG", "UZB"))
        await delivered(uzb, relay, original)
        before = uzb.facts()
        again = world.forward(
            original, "MNG", ["UZB"], core={"precedence": Precedence.FLASH, "created": world.now + 30}
        )
        relay.accept(again, ("UZB",), time=world.now + 30)
        await uzb.pull()
        after = uzb.facts()
        # MNG's stream to UZB has one more number; nothing that a ministry sees has changed.
        assert {k: v for k, v in after.items() if k not in ("streams_in", "numbers_in")} == {
            k: v for k, v in before.items() if k not in ("streams_in", "numbers_in")
        }
        evidence = evidence_of(uzb, again)
        assert evidence is not None
        assert evidence["outcome"] == "repeated"
        assert len(uzb.inbox()) == 1

    async def test_an_old_provision_re_sent_above_its_urgency(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"], max_precedence=Precedence.ROUTINE)
        attacked = world.envelope(
            ["UZB"], "MNG", manifest=manifest, provisions=[provision], core={"precedence": Precedence.FLASH}
        )
        await refused_by_relay(server, attacked, 403, "precedence-above-terms")
        await refused_by_receiver(uzb, relay, attacked, "precedence-above-terms")

    async def test_a_provider_re_sends_an_old_provision_after_its_time_for_first_sending(
        self, world: World, relay: HostileRelay, uzb: TestNode, server: Server
    ) -> None:
        manifest = manifest_of(world)
        provision = world.signed_provision(manifest, ("KAZ",), ["MNG", "UZB"], send_by=world.now + 60)
        later = world.now + 61
        attacked = sealed_by(world, "KAZ", ("UZB",), manifest=manifest, provisions=[provision], core={"created": later})
        uzb.clock.time = server.clock.time = later
        await refused_by_relay(server, attacked, 403, "first-sending-over")
        await refused_by_receiver(uzb, relay, attacked, "first-sending-over", time=later)

    async def test_an_envelope_that_lay_longer_than_an_outbox_may_hold_it(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        attacked = sealed_by(world, "KAZ", ("MNG",), core={"expires": world.now + 31 * DAY})
        later = world.now + 30 * DAY + 1
        mng.clock.time = server.clock.time = later
        await refused_by_relay(server, attacked, 422, "envelope-stale")
        # By its sender's date it was lawful: the relay accepted it too late, or says so.
        await put_off_by_receiver(mng, relay, attacked, "envelope-stale", world.receipt(attacked, time=later))

    async def test_an_expired_envelope_is_not_handed_over(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        attacked = sealed_by(world, "KAZ", ("MNG",), core={"expires": world.now + 60})
        mng.clock.time = server.clock.time = world.now + 60
        await refused_by_relay(server, attacked, 422, "envelope-expired")
        accepted_in_time = world.receipt(attacked, time=world.now + 59)
        await put_off_by_receiver(mng, relay, attacked, "envelope-expired", accepted_in_time)
        await put_off_by_receiver(mng, relay, attacked, "receipt-date", world.receipt(attacked, time=world.now + 60))

    async def test_an_envelope_dated_in_the_future(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        attacked = sealed_by(world, "KAZ", ("MNG",), core={"created": world.now + 121})
        await refused_by_relay(server, attacked, 425, "created-ahead")
        await put_off_by_receiver(mng, relay, attacked, "receipt-date")


class TestSquattedIds:
    """Ids are chosen by whoever makes the object; an attacker chooses another's."""

    async def test_an_envelope_id_squatted_by_another_sender(
        self, world: World, relay: HostileRelay, mng: TestNode, server: Server
    ) -> None:
        genuine = sealed_by(world, "KAZ", ("MNG",))
        squatting = sealed_by(world, "UZB", ("MNG",), core=same_id(genuine))
        await delivered(mng, relay, squatting)
        await delivered(mng, relay, genuine)
        assert mng.alarms() == []
        await server.submit(squatting)
        await server.submit(genuine)

    async def test_an_envelope_id_squatted_by_a_forged_header_in_the_senders_name(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        """The relay and a recipient deliver a forged envelope under another's id first."""
        genuine = sealed_by(world, "KAZ", ("MNG",))
        forged = sealed_by(world, "KAZ", ("MNG",), core=same_id(genuine), signer=world.nodes["UZB"])
        await put_off_by_receiver(mng, relay, forged, "header-signature")
        await delivered(mng, relay, genuine)

    async def test_a_provision_id_squatted_by_a_co_recipient(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        """UZB sends information of its own under the id of KAZ's Provision, so that KAZ's would count as delivered."""
        genuine = sealed_by(world, "KAZ", ("MNG", "UZB"))
        manifest = manifest_of(world, "UZB")
        taken = ProvisionId(genuine.header.core.provisions[0].provision.id)
        provision = world.signed_provision(manifest, ("UZB",), ["MNG"], id=taken)
        await delivered(mng, relay, world.envelope(["MNG"], "UZB", manifest=manifest, provisions=[provision]))
        await delivered(mng, relay, genuine)

    async def test_an_own_provision_that_comes_back_is_no_news(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        """MNG sends KAZ its own information; a provider may have it, and its node lives on."""
        await kaz.write(["MNG"])
        await kaz.send()
        (sent,) = relay.posted
        wrap = sent.header.wrap_for(sent.header.recipients[0])
        assert wrap is not None
        message = kaz.rows("messages")[0]
        manifest = kaz.parts.keyring.vault.open("manifest", message["id"], message["sealed_manifest"])
        back = world.envelope(["KAZ"], "MNG", manifest=manifest, provisions=sent.header.core.provisions)
        relay.accept(back)
        messages, events = kaz.rows("messages"), kaz.rows("events")
        await kaz.pull()
        assert (kaz.rows("messages"), kaz.rows("events"), kaz.files()) == (messages, events, [])
        assert [outcome for outcome, _ in kaz.outcomes()] == ["repeated"]

    async def test_another_provision_under_the_id_of_an_own_one(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        await kaz.write(["MNG"])
        await kaz.send()
        taken = relay.posted[0].header.core.provisions[0].provision.id
        manifest = manifest_of(world, "MNG")
        provision = world.signed_provision(manifest, ("MNG",), ["KAZ"], id=taken)
        await delivered(kaz, relay, world.envelope(["KAZ"], "MNG", manifest=manifest, provisions=[provision]))

    async def test_a_large_envelope_under_the_id_of_one_that_waits_here_does_not_touch_its_ciphertext(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        data = b"m" * 200_000
        relay.down = True
        await kaz.composer.send(request_of(["MNG"]), (upload(kaz, data),), ministry(), None)
        await kaz.send()
        (waiting,) = kaz.rows("outbox")
        spooled = kaz.parts.files.body_path(waiting["envelope"])
        before = spooled.read_bytes()
        relay.down = False
        manifest = manifest_of(world, "MNG", attachments=(world.attachment(data),))
        squatting = sealed_by(
            world, "MNG", ("KAZ",), manifest=manifest, attachments=data, core={"id": waiting["envelope"]}
        )
        await delivered(kaz, relay, squatting)
        assert spooled.read_bytes() == before


class TestEquivocation:
    """Two headers under one sender and id."""

    async def test_two_headers_under_one_id_are_an_alarm_at_the_receiver(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        first = sealed_by(world, "KAZ", ("MNG",))
        second = sealed_by(world, "KAZ", ("MNG",), core=same_id(first))
        await delivered(mng, relay, first)
        before, evidence, answers = mng.facts(), mng.rows("received"), len(relay.acknowledged)
        relay.accept(second)
        await mng.pull()
        assert mng.facts() == before
        assert mng.rows("received") == evidence
        assert len(relay.acknowledged) == answers
        assert mng.alarms() == ["equivocation"]

    async def test_two_headers_under_one_id_are_a_conflict_at_the_relay(self, world: World, server: Server) -> None:
        first = sealed_by(world, "KAZ", ("MNG",))
        await server.submit(first)
        second = sealed_by(world, "KAZ", ("MNG",), core=same_id(first))
        await refused_by_relay(server, second, 409, "equivocation")

    async def test_two_large_headers_under_one_id_are_a_conflict_before_the_body_is_read(
        self, world: World, server: Server
    ) -> None:
        data = b"m" * 200_000
        manifest = manifest_of(world, attachments=(world.attachment(data),))
        first = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data)
        await server.submit(first)
        second = sealed_by(world, "KAZ", ("MNG",), manifest=manifest, attachments=data, core=same_id(first))
        await refused_by_relay(server, second, 409, "equivocation")


class TestTakenWraps:
    """Another's wrap under an own header."""

    async def test_anothers_wrap_under_an_own_header(self, world: World, relay: HostileRelay, uzb: TestNode) -> None:
        """MNG, which holds no key of UZB's, takes KAZ's wrap for UZB and makes a header of its own around it."""
        genuine = sealed_by(world, "KAZ", ("MNG", "UZB"))
        wrap = genuine.header.wrap_for(genuine.header.recipients[1])
        assert wrap is not None
        manifest = manifest_of(world, "MNG")
        attacked = sealed_by(
            world, "MNG", ("UZB",), manifest=manifest, content_key=genuine.content_key, wraps={"UZB": wrap}
        )
        await refused_by_receiver(uzb, relay, attacked, "unreadable")

    async def test_a_wrap_made_for_another_recipient(self, world: World, relay: HostileRelay, uzb: TestNode) -> None:
        sealed = sealed_by(world, "KAZ", ("MNG", "UZB"))
        mng_wrap, uzb_wrap = sealed.header.wraps
        wraps = encode(WRAPS, Wraps((mng_wrap, replace(uzb_wrap, sealed=mng_wrap.sealed))))
        signature = world.nodes["KAZ"].sign_bytes(Context.HEADER, sealed.header.core_bytes, wraps)
        header = Header(sealed.header.core_bytes, wraps, signature)
        await refused_by_receiver(uzb, relay, replace(sealed, header_bytes=encode_header(header)), "unreadable")
