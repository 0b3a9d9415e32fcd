"""Attacks on what providers are told of refused transfers: forged, false, endless notices, and forwarders that deny."""

from pathlib import Path

import pytest
from aiohttp import web

from exchange.consent.refused import judge_refused
from exchange.node.desk import Desk
from exchange.node.refusal_notices import MOST_TOLD
from exchange.node.refusals import BOUNDS, Refusals
from exchange.node.transport import RelayUnreachable
from exchange.relay.limits import DAILY_REFUSALS
from keys.digests import provision_digest
from schemas.canon import decode, encode
from schemas.consent import encode_consent
from schemas.content import ContentKind
from schemas.errors import DecodeError
from schemas.limits import DAY
from schemas.receipt import SIGNED_RECEIPT
from schemas.refused import RefusedTransfer, decode_refused, encode_refused
from schemas.relayapi import (
    MAILBOX,
    MAX_MAILBOX,
    REFUSALS_SEEN,
    Frame,
    RefusalsSeen,
    decode_frame,
    encode_frame,
)
from schemas.terms import Precedence
from tests.support.attacks import honest_relay, refused_by_receiver
from tests.support.hostile_relay import HostileRelay
from tests.support.hostile_server import HostileServer
from tests.support.node import TestNode, api_of, manifest_of, node, sealed_by
from tests.support.relay import Call, Server
from tests.support.world import Sealed, World


def forbidden(world: World, sender: str = "MNG", to: tuple[str, ...] = ("UZB",)) -> Sealed:
    """KAZ's information, for MNG only, passed on to UZB."""
    return world.forward(sealed_by(world, "KAZ", ("MNG",)), sender, to)


def lawful(world: World) -> Sealed:
    """The same under a Grant."""
    original = sealed_by(world, "KAZ", ("MNG",))
    grant = world.grant(original.header.core.provisions[0].provision, "KAZ", "MNG", ["UZB"])
    return world.forward(original, "MNG", ["UZB"], grants=[grant])


def told(world: World, sealed: Sealed, rule: str = "no-consent", receipt: bytes | None = None) -> RefusedTransfer:
    return RefusedTransfer(sealed.header_bytes, receipt, rule, world.now)


def receipt_of(world: World, sealed: Sealed, **fields: object) -> bytes:
    return encode(SIGNED_RECEIPT, world.receipt(sealed, None, **fields))


async def tell(target: TestNode, relay: HostileRelay, *refused: RefusedTransfer) -> None:
    """The relay tells a node of these, in answer to a pull each."""
    for notice in refused:
        relay.refusals[target.parts.member] = [notice]
        await target.pull()


async def is_false(target: TestNode, relay: HostileRelay, notice: RefusedTransfer) -> None:
    """Nothing is kept, and people are told who passes off such a thing."""
    before = target.facts()
    await tell(target, relay, notice, notice)
    assert target.rows("refused_transfers") == []
    assert target.alarms() == ["false-refusal"]
    assert target.facts() == before


async def said_by(target: TestNode, relay: HostileRelay, sender: str, notice: RefusedTransfer) -> None:
    """A member says it in a message about consent, and the desk takes it."""
    world = relay.world
    manifest = world.manifest((sender,), encode_consent(notice), kind=ContentKind.CONSENT)
    frame = relay.accept(world.envelope([target.parts.member], sender, manifest=manifest))
    await target.pull()
    relay.waiting[target.parts.member].remove(frame)
    await desk(target).turn()


def desk(target: TestNode) -> Desk:
    return Desk(target.parts, (Refusals(target.parts),))


def kept(target: TestNode) -> list[tuple[str, str, str, str]]:
    rows = target.rows("refused_transfers")
    return [(row["source"], row["sender"], row["rule"], row["judgement"]) for row in rows]


class TestForwarderThatDenies:
    """MNG passes KAZ's information on to UZB, is refused, and says that it never tried."""

    async def test_the_relay_hands_the_provider_the_forwarders_own_signature(
        self, world: World, server: Server
    ) -> None:
        sealed = forbidden(world)
        assert (await server.post(sealed)).code == "no-consent"
        async with server.session("KAZ") as session:
            notice = await session.receive(RefusedTransfer)
        assert notice == told(world, sealed)
        assert judge_refused(notice, world.directory, world.now).agrees

    async def test_a_notice_comes_again_until_the_provider_has_it_also_after_the_relay_died(
        self, tmp_path: Path, world: World
    ) -> None:
        sealed = forbidden(world)
        async with honest_relay(tmp_path, world) as server:
            await server.post(sealed)
            async with server.session("KAZ") as session:
                await session.receive(RefusedTransfer)
        async with honest_relay(tmp_path, world) as server:
            async with server.session("KAZ") as session:
                await session.receive(RefusedTransfer)
                await session.send(RefusalsSeen((sealed.digest,)))
            await server.post(sealed)
            async with server.session("KAZ") as session:
                assert await session.nothing_within(0.3)
            assert server.rows("refused_headers") == 0

    async def test_without_a_session_it_is_pulled_and_confirmed(self, world: World, server: Server) -> None:
        sealed = forbidden(world)
        await server.post(sealed)
        answer = await server.signed(Call("KAZ", "GET", "/v1/mailbox"))
        assert decode(MAILBOX, answer.body, MAX_MAILBOX).refusals == (told(world, sealed),)
        seen = encode(REFUSALS_SEEN, RefusalsSeen((sealed.digest,)))
        assert (await server.signed(Call("UZB", "POST", "/v1/refusals", seen))).status == 204
        assert server.rows("refused_headers") == 1
        assert (await server.signed(Call("KAZ", "POST", "/v1/refusals", seen, nonce="m" * 32))).status == 204
        assert server.rows("refused_headers") == 0

    async def test_the_forwarder_and_third_states_are_told_nothing(self, world: World, server: Server) -> None:
        await server.post(forbidden(world))
        for member in ("MNG", "UZB", "XAA"):
            async with server.session(member) as session:
                assert await session.nothing_within(0.1)

    async def test_the_provider_is_told_once_and_can_show_it_to_anyone(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        sealed = forbidden(world)
        await tell(kaz, relay, told(world, sealed), told(world, sealed))
        assert kept(kaz) == [("relay", "MNG", "no-consent", "agrees")]
        assert kaz.alarms() == ["transfer-refused"]
        assert relay.refusals_seen == [sealed.digest] * 2
        (alarm,) = kaz.rows("alarms")
        assert all(word in alarm["detail"] for word in ("MNG", "UZB", "no-consent", "the relay"))
        async with api_of(kaz) as api:
            reply = await api.ask("GET", "/v1/consent/refusals", await kaz.token("foreign", ("consent",)))
            (row,) = reply.json["refusals"]
            reader = await kaz.token("defence", ("read",))
            assert (await api.ask("GET", "/v1/consent/refusals", reader)).code == "scope-missing"
            other = await kaz.token("health", ("consent",), ("2.2.*",))
            assert (await api.ask("GET", "/v1/consent/refusals", other)).json["refusals"] == []
        shown = decode_refused(bytes.fromhex(row["notice"]))
        judged = judge_refused(shown, world.directory, world.now)
        assert judged.agrees
        assert judged.header.core.sender == "MNG" == row["sender"]
        assert (row["recipients"], row["rule"], row["source"]) == (["UZB"], "no-consent", "relay")


class TestFalseNotices:
    """The relay accuses MNG, or hides something in a notice."""

    async def test_a_header_that_the_forwarder_did_not_sign(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        original = sealed_by(world, "KAZ", ("MNG",))
        forged = world.forward(original, "MNG", ["UZB"], signer=world.nodes["UZB"])
        await is_false(kaz, relay, told(world, forged))

    async def test_information_of_another_state(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        sealed = world.forward(sealed_by(world, "XAA", ("MNG",)), "MNG", ["UZB"])
        await is_false(kaz, relay, told(world, sealed))

    async def test_a_provision_that_is_forged_in_the_providers_name_under_another_rule(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        """MNG and the relay want KAZ to believe that it provided something."""
        manifest = manifest_of(world)
        provision = world.provision(manifest, ("KAZ",), ["MNG"])
        forged = world.sign_provision(provision, signers={"KAZ": world.nodes["MNG"]})
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[forged])
        await is_false(kaz, relay, told(world, sealed))
        await tell(kaz, relay, told(world, sealed, "provision-signature"))
        assert kept(kaz) == [("relay", "MNG", "provision-signature", "agrees")]

    @pytest.mark.parametrize("rule", ["mng-is-not-to-be-trusted", "equivocation"])
    async def test_a_text_in_place_of_a_rule(self, world: World, relay: HostileRelay, kaz: TestNode, rule: str) -> None:
        await is_false(kaz, relay, told(world, forbidden(world), rule))

    @pytest.mark.parametrize("rule", ["no consent", "No-consent", "no--consent", "", "a" * 41, "no-consent\u202e"])
    def test_a_rule_in_another_form_is_not_read(self, world: World, rule: str) -> None:
        with pytest.raises(DecodeError):
            encode_refused(RefusedTransfer(b"h", None, rule, 0))

    @pytest.mark.parametrize("shift", [-DAY, 121])
    async def test_a_date_at_which_it_cannot_have_been_refused(
        self, world: World, relay: HostileRelay, kaz: TestNode, shift: int
    ) -> None:
        sealed = forbidden(world)
        await is_false(kaz, relay, RefusedTransfer(sealed.header_bytes, None, "no-consent", world.now + shift))

    async def test_a_header_that_is_none(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        await is_false(kaz, relay, RefusedTransfer(b"no header", None, "no-consent", world.now))
        assert relay.refusals_seen == []

    async def test_the_relay_says_that_it_refused_what_it_accepted(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        sealed = forbidden(world)
        await is_false(kaz, relay, told(world, sealed, receipt=receipt_of(world, sealed)))

    async def test_of_a_lawful_transfer_the_relays_word_is_called_its_word(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        """Uses are counted by the relay alone, so it may be true."""
        await tell(kaz, relay, told(world, lawful(world)))
        assert kept(kaz) == [("relay", "MNG", "no-consent", "cannot-tell")]
        assert "cannot tell" in kaz.rows("alarms")[0]["detail"]


class TestSessions:
    """The same on a WebSocket, against MNG's node: KAZ passes its information on to UZB, and the relay tells of it."""

    async def test_a_true_and_a_false_one_are_answered_and_the_session_goes_on(
        self, world: World, hostile: HostileServer, wired: TestNode
    ) -> None:
        original = sealed_by(world, "MNG", ("KAZ",))
        true = world.forward(original, "KAZ", ["UZB"])
        false = world.forward(original, "KAZ", ["UZB"], signer=world.nodes["UZB"])
        answers: list[Frame] = []

        async def script(socket: web.WebSocketResponse) -> None:
            for sealed in (false, true):
                await socket.send_bytes(encode_frame(told(world, sealed)))
                answers.append(decode_frame((await socket.receive(10)).data))

        hostile.script = script
        with pytest.raises(RelayUnreachable, match="closed"):
            await wired.link._session()
        assert answers == [RefusalsSeen((false.digest,)), RefusalsSeen((true.digest,))]
        assert kept(wired) == [("relay", "KAZ", "no-consent", "agrees")]
        assert wired.alarms() == ["false-refusal", "transfer-refused"]

    async def test_a_node_does_not_say_to_the_relay_what_only_the_relay_says(
        self, world: World, server: Server
    ) -> None:
        async with server.session("MNG") as session:
            await session.send(told(world, forbidden(world)))
            assert "session-frame" in await session.closed()
        assert server.rows("refusals") == 0


class TestCollusion:
    """The relay accepts what MNG may not send; the receiving node refuses it, and the provider learns of both."""

    async def test_the_receiving_node_sends_the_provider_header_and_receipt(
        self, world: World, relay: HostileRelay, kaz: TestNode, uzb: TestNode
    ) -> None:
        sealed = forbidden(world)
        relay.accept(sealed)
        await uzb.pull()
        assert uzb.outcomes() == [("refused", "no-consent")]
        (queued,) = uzb.rows("messages")
        assert (queued["box"], queued["kind"]) == ("outbox", ContentKind.CONSENT)
        await uzb.send()
        await kaz.pull()
        await desk(kaz).turn()
        assert kept(kaz) == [("UZB", "MNG", "no-consent", "agrees")]
        assert kaz.alarms() == ["transfer-refused"]
        (row,) = kaz.rows("refused_transfers")
        proof = RefusedTransfer(row["header"], row["receipt"], row["rule"], row["time"])
        judged = judge_refused(proof, world.directory, world.now)
        assert judged.agrees
        assert judged.receipt is not None
        assert judged.receipt.relay == world.relay.key_id
        assert row["provisions"][4:] == provision_digest(sealed.header.core.provisions[0].body)

    async def test_the_relays_own_notice_does_not_hide_the_receipt(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        sealed = forbidden(world)
        await tell(kaz, relay, told(world, sealed))
        await said_by(kaz, relay, "UZB", told(world, sealed, receipt=receipt_of(world, sealed)))
        assert [row[0] for row in kept(kaz)] == ["relay", "UZB"]
        assert kaz.alarms() == ["transfer-refused"]

    async def test_every_provider_of_a_joint_text_is_told_but_the_one_that_refuses_it(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        manifest = world.manifest(("KAZ", "UZB", "XAA"))
        terms = {"max_precedence": Precedence.ROUTINE}
        provision = world.signed_provision(manifest, ("KAZ", "UZB", "XAA"), ["MNG"], **terms)
        urgent = {"precedence": Precedence.FLASH}
        sealed = world.envelope(["UZB"], "MNG", manifest=manifest, provisions=[provision], core=urgent)
        relay.accept(sealed)
        await uzb.pull()
        assert uzb.outcomes() == [("refused", "precedence-above-terms")]
        assert sorted(uzb.recipients()) == ["KAZ", "XAA"]

    async def test_a_flood_of_refused_envelopes_makes_no_flood_of_messages(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        for _ in range(MOST_TOLD + 2):
            frame = relay.accept(forbidden(world))
            await uzb.pull()
            relay.waiting["UZB"].remove(frame)
        assert len(uzb.rows("messages")) == MOST_TOLD
        assert len(uzb.outcomes()) == MOST_TOLD + 2

    async def test_what_is_refused_for_another_reason_is_told_to_nobody(
        self, world: World, relay: HostileRelay, uzb: TestNode
    ) -> None:
        late = sealed_by(world, "KAZ", ("UZB",), core={"expires": world.now + 70 * DAY})
        await refused_by_receiver(uzb, relay, late, "expires-beyond-limit")


class TestMembersThatLie:
    """UZB accuses MNG before KAZ."""

    async def rejected(self, target: TestNode, relay: HostileRelay, sender: str, notice: RefusedTransfer) -> None:
        await said_by(target, relay, sender, notice)
        assert kept(target) == []
        assert target.alarms() == ["consent-rejected"]
        assert target.rows("consent_due") == []
        assert [row["kind"] for row in target.rows("consent_log")] == ["message.without-effect"]

    async def test_about_a_lawful_transfer(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        sealed = lawful(world)
        await self.rejected(kaz, relay, "UZB", told(world, sealed, receipt=receipt_of(world, sealed)))

    async def test_without_the_receipt_that_shows_it(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        await self.rejected(kaz, relay, "UZB", told(world, forbidden(world)))

    async def test_with_the_receipt_of_another_envelope(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        other = receipt_of(world, forbidden(world))
        await self.rejected(kaz, relay, "UZB", told(world, forbidden(world), receipt=other))

    async def test_with_a_receipt_that_it_signed_itself(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        sealed = forbidden(world)
        own = encode(SIGNED_RECEIPT, world.receipt(sealed, world.nodes["UZB"]))
        await self.rejected(kaz, relay, "UZB", told(world, sealed, receipt=own))

    async def test_about_what_was_not_sent_to_it(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        sealed = forbidden(world)
        await self.rejected(kaz, relay, "XAA", told(world, sealed, receipt=receipt_of(world, sealed)))

    async def test_it_says_it_again_and_again(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        sealed = forbidden(world)
        notice = told(world, sealed, receipt=receipt_of(world, sealed))
        for _ in range(3):
            await said_by(kaz, relay, "UZB", notice)
        assert len(kept(kaz)) == 1
        assert kaz.alarms() == ["transfer-refused"]
        assert kaz.rows("consent_due") == []


class TestFloods:
    """MNG makes refused transfers without end, so that the real one goes under, or the disks run full."""

    async def test_the_relay_keeps_so_many_of_a_day(self, world: World, server: Server) -> None:
        for _ in range(DAILY_REFUSALS + 2):
            assert (await server.post(forbidden(world))).code == "no-consent"
        assert server.rows("refusals") == server.rows("refused_headers") == DAILY_REFUSALS
        assert 'cbm_relay_refusals_total{kept="no"} 2.0' in (await server.request("GET", "/metrics")).body.decode()

    async def test_the_providers_node_keeps_so_many_and_tells_it_once(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        original = sealed_by(world, "KAZ", ("MNG",))
        flood = [told(world, world.forward(original, "MNG", ["UZB"])) for _ in range(BOUNDS.daily + 2)]
        await tell(kaz, relay, *flood)
        assert len(kept(kaz)) == BOUNDS.daily
        assert kaz.alarms() == ["transfer-refused"] * BOUNDS.daily + ["refusals-full"]
        assert len(relay.refusals_seen) == BOUNDS.daily + 2

    async def test_evidence_and_alarm_outlast_the_node(self, tmp_path: Path, world: World, relay: HostileRelay) -> None:
        notice = told(world, forbidden(world))
        async with node(tmp_path, world, "KAZ", relay) as kaz:
            await tell(kaz, relay, notice)
        async with node(tmp_path, world, "KAZ", relay) as kaz:
            await tell(kaz, relay, notice)
            assert (len(kept(kaz)), kaz.alarms()) == (1, ["transfer-refused"])
