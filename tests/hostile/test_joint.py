"""Attacks on joint Provisions: a lead that shows one thing and sends another, or sends alone; false co-providers."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from exchange.errors import Conflict, NotFound
from exchange.node.classes import Classes
from exchange.node.joint import MOST_OPEN
from exchange.storage.joint_port import DraftRow
from schemas.canon import decode, encode
from schemas.consent import JointRefused, JointSigned
from schemas.content import ContentKind
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, MAX_PROVISION
from schemas.provision import PROVISION, SIGNED_PROVISION, SignedProvision
from schemas.signed import Signature
from schemas.terms import Onward, Tlp
from tests.support.attacks import delivered, refused_by_own_node, refused_by_receiver, refused_by_relay
from tests.support.desk import heard, post, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import (
    carried,
    digest_of,
    draft_at,
    draft_of,
    exchange_all,
    joint_record,
    propose,
    refuse_at,
    saying,
    sign_at,
)
from tests.support.node import TestNode
from tests.support.records import example
from tests.support.relay import Server
from tests.support.withdrawing import provision_of, withdraw
from tests.support.world import Sealed, World

DRAFTS = ("drafts", "draft_answers", "draft_files")


def good(world: World, **fields: object) -> bytes:
    """The manifest of a record that KAZ and MNG provide."""
    values = {"body": joint_record("KAZ", "MNG"), **fields}
    return world.manifest(("KAZ", "MNG"), **values)  # type: ignore[arg-type]  # a test may put anything in


def facts(target: TestNode) -> dict[str, object]:
    """All of drafts, and what would leave the node."""
    sent = [row for row in target.rows("messages") if row["box"] == "outbox"]
    return {**{table: target.rows(table) for table in DRAFTS}, "sent": sent}


async def is_not_shown(target: TestNode, relay: HostileRelay, sealed: Sealed) -> str:
    """No person is asked about it; it is written down, and told once. Gives why."""
    before = facts(target)
    await heard(target, relay, sealed)
    assert facts(target) == before
    assert target.rows("consent_due") == []
    event = target.rows("consent_log")[-1]
    assert event["kind"] == "message.without-effect"
    assert target.alarms()[-1] == "consent-rejected"
    return str(json.loads(event["detail"])["why"])


class TestDraftsThatAreNotShown:
    """KAZ asks MNG to sign what could never be sent, or is not what it seems."""

    async def test_a_content_that_the_provision_does_not_commit_to(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        shown, signed = good(world), good(world)
        draft = replace(draft_of(world, signed), manifest=shown)
        assert "commits to" in await is_not_shown(mng, relay, carried(world, draft))

    async def test_an_attachment_more_than_the_content_names(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        extra = world.attachment(b"more")
        sealed = carried(world, draft_of(world, good(world)), attachments=(extra,), files=b"more")
        assert "attachments" in await is_not_shown(mng, relay, sealed)

    async def test_an_attachment_in_place_of_another(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        named, brought = world.attachment(b"true"), world.attachment(b"else")
        manifest = good(world, attachments=(named,))
        sealed = carried(world, draft_of(world, manifest), attachments=(brought,), files=b"else")
        assert "attachments" in await is_not_shown(mng, relay, sealed)

    @pytest.mark.parametrize("providers", [("KAZ", "XAA"), ("MNG", "XAA")])
    async def test_a_draft_of_states_that_are_not_both_its_providers(
        self, world: World, relay: HostileRelay, mng: TestNode, providers: tuple[str, str]
    ) -> None:
        manifest = world.manifest(providers, joint_record(*providers))
        draft = draft_of(world, manifest, providers)
        assert "not both KAZ and MNG" in await is_not_shown(mng, relay, carried(world, draft))

    async def test_a_draft_that_its_lead_has_not_signed(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        draft = draft_of(world, good(world), signer=world.nodes["XAA"])
        assert "does not verify" in await is_not_shown(mng, relay, carried(world, draft))

    async def test_a_draft_under_the_signature_of_another_provider(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        """KAZ passes on what XAA signed, as if it collected."""
        providers = ("XAA", "KAZ", "MNG")
        draft = draft_of(world, world.manifest(providers, joint_record(*providers)), providers)
        assert "has not signed" in await is_not_shown(mng, relay, carried(world, draft))

    async def test_a_content_of_other_providers_than_the_provision(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        manifest = world.manifest(("KAZ",), joint_record("KAZ"))
        assert "other providers" in await is_not_shown(mng, relay, carried(world, draft_of(world, manifest)))

    async def test_a_record_of_other_originators(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        manifest = good(world, body=joint_record("KAZ"))
        await is_not_shown(mng, relay, carried(world, draft_of(world, manifest)))

    async def test_a_record_under_other_terms_than_it_states(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        draft = draft_of(world, good(world), terms={"onward": Onward.MEMBERS})
        await is_not_shown(mng, relay, carried(world, draft))

    async def test_a_content_that_is_no_record(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        draft = draft_of(world, good(world, kind=ContentKind.CONSENT))
        assert "no record" in await is_not_shown(mng, relay, carried(world, draft))

    async def test_a_class_tag_that_nobody_explains(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        """A Grant for the class would cover this record too."""
        draft = draft_of(world, good(world), terms={"class_tags": (b"c" * 16,)})
        assert "classes" in await is_not_shown(mng, relay, carried(world, draft))

    @pytest.mark.parametrize(
        ("terms", "sign_by"),
        [({}, 0), ({}, 8 * DAY), ({"until": -1, "created": -DAY, "send_by": DAY}, DAY), ({"created": DAY}, DAY)],
        ids=["over", "after the last sending", "ended", "dated ahead"],
    )
    async def test_a_draft_of_another_time(
        self, world: World, relay: HostileRelay, mng: TestNode, terms: dict[str, int], sign_by: int
    ) -> None:
        absolute = {name: world.now + value for name, value in terms.items()}
        draft = draft_of(world, good(world), terms=absolute, sign_by=world.now + sign_by)
        await is_not_shown(mng, relay, carried(world, draft))

    async def test_a_flood_of_drafts_ends_at_a_bound(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        for _ in range(MOST_OPEN):
            relay.accept(carried(world, draft_of(world, good(world))), ("MNG",))
        last = carried(world, draft_of(world, good(world)))
        await heard(mng, relay, last)
        relay.waiting["MNG"].clear()
        assert len(mng.rows("drafts")) == MOST_OPEN
        more = carried(world, draft_of(world, good(world)))
        assert "wait for a signature" in await is_not_shown(mng, relay, more)

    async def test_the_same_draft_again_is_one(self, world: World, relay: HostileRelay, mng: TestNode) -> None:
        draft = draft_of(world, good(world))
        await heard(mng, relay, carried(world, draft))
        await sign_at(mng)
        before = facts(mng)
        await heard(mng, relay, carried(world, draft))
        assert facts(mng) == before

    async def test_a_draft_that_names_a_state_without_asking_it_never_leaves(
        self, world: World, relay: HostileRelay, mng: TestNode, kaz: TestNode
    ) -> None:
        """MNG has it and does not sign: there is no Provision, at KAZ neither."""
        await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        assert [row["state"] for row in mng.rows("drafts")] == ["collecting"]
        kaz.clock.time = world.now + 15 * DAY
        await exchange_all(relay, kaz, mng)
        assert [row["state"] for row in kaz.rows("drafts")] == ["expired"]
        assert [row["kind"] for row in kaz.rows("messages")] == [5]


class TestFalseAnswers:
    """KAZ collects; what others say is not what MNG has signed."""

    async def test_a_signature_by_who_provides_nothing(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        await propose(kaz, ["UZB"], ["MNG"])
        said = answer(world, await draft_at(kaz), "XAA")
        assert "no provider" in await is_not_shown(kaz, relay, saying(world, said, "XAA", "KAZ"))

    async def test_a_signature_over_other_bytes(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        await propose(kaz, ["UZB"], ["MNG"])
        said = answer(world, await draft_at(kaz), "MNG", body=b"other terms")
        assert "does not verify" in await is_not_shown(kaz, relay, saying(world, said, "MNG", "KAZ"))

    async def test_a_signature_in_the_name_of_another(self, world: World, relay: HostileRelay, kaz: TestNode) -> None:
        await propose(kaz, ["UZB"], ["MNG", "XAA"])
        said = answer(world, await draft_at(kaz), "MNG")
        assert "passes on" in await is_not_shown(kaz, relay, saying(world, said, "XAA", "KAZ"))

    async def test_who_signs_and_then_refuses_has_refused(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG", "XAA"])
        draft = await draft_at(kaz)
        await heard(kaz, relay, saying(world, answer(world, draft, "MNG"), "MNG", "KAZ"))
        await heard(kaz, relay, saying(world, JointRefused(Digest(draft.provision), "no"), "MNG", "KAZ"))
        await heard(kaz, relay, saying(world, answer(world, draft, "XAA"), "XAA", "KAZ"))
        await heard(kaz, relay, saying(world, answer(world, draft, "MNG"), "MNG", "KAZ"))
        after = await draft_at(kaz)
        assert (after.state, after.signed_by) == ("refused", frozenset({"KAZ"}))
        assert [row["kind"] for row in kaz.rows("messages") if row["box"] == "outbox"] == [5]

    async def test_a_signature_after_the_time_is_of_no_use(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG"], sign_by="1h")
        draft = await draft_at(kaz)
        kaz.clock.time = world.now + 3600
        await heard(kaz, relay, saying(world, answer(world, draft, "MNG"), "MNG", "KAZ"))
        after = await draft_at(kaz)
        assert (after.state, after.signed_by) == ("expired", frozenset({"KAZ"}))
        assert kaz.alarms() == []

    async def test_a_signature_that_is_repeated_counts_once(
        self, world: World, relay: HostileRelay, kaz: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG", "XAA"])
        draft = await draft_at(kaz)
        for _ in range(3):
            await heard(kaz, relay, saying(world, answer(world, draft, "MNG"), "MNG", "KAZ"))
        after = await draft_at(kaz)
        assert (after.state, after.signed_by) == ("collecting", frozenset({"KAZ", "MNG"}))

    async def test_answers_to_drafts_that_never_come_end_at_a_bound(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        for number in range(MOST_OPEN):
            said = JointRefused(Digest(bytes([number]) * 32), "no")
            relay.accept(saying(world, said, "KAZ", "MNG"), ("MNG",))
        await heard(mng, relay, saying(world, JointRefused(Digest(b"x" * 32), "no"), "KAZ", "MNG"))
        relay.waiting["MNG"].clear()
        # The desk takes as many in one turn.
        while mng.rows("consent_due"):
            await heard(mng, relay, saying(world, JointRefused(Digest(b"y" * 32), "no"), "KAZ", "MNG"))
        assert len(mng.rows("draft_answers")) == MOST_OPEN

    async def test_a_false_signature_that_overtakes_its_draft_is_dropped_when_that_comes(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        providers = ("KAZ", "MNG", "XAA")
        draft = draft_of(world, world.manifest(providers, joint_record(*providers)), providers)
        false = JointSigned(Digest(digest_of(draft)), world.posing("XAA", b"s" * 64))
        await heard(mng, relay, saying(world, false, "XAA", "MNG"))
        stranger = JointRefused(Digest(digest_of(draft)), "no")
        await heard(mng, relay, saying(world, stranger, "UZB", "MNG"))
        await heard(mng, relay, carried(world, draft))
        found = await draft_at(mng)
        assert (found.state, [one.member for one in found.answers]) == ("collecting", ["KAZ"])


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


class TestAfterTheEnd:
    """What is over stays over."""

    async def test_nobody_signs_what_another_has_refused(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        await refuse_at(kaz)
        await exchange_all(relay, kaz, mng)
        before = facts(mng)
        with pytest.raises(Conflict):
            await sign_at(mng)
        assert facts(mng) == before

    async def test_nobody_signs_when_the_time_is_over(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG"], sign_by="1h")
        await exchange_all(relay, kaz, mng)
        mng.clock.time = world.now + 3600
        before = facts(mng)
        with pytest.raises(Conflict):
            await sign_at(mng)
        assert facts(mng) == before


def answer(world: World, draft: DraftRow, member: str, body: bytes | None = None) -> JointSigned:
    """A signature under a draft, or under other bytes."""
    value = sign(world, member, draft.body if body is None else body)
    return JointSigned(Digest(draft.provision), world.posing(member, value))


def sign(world: World, member: str, body: bytes) -> bytes:
    """The node of a member signs a Provision's bytes."""
    return world.nodes[member].sign_bytes(Context.PROVISION, body)


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
