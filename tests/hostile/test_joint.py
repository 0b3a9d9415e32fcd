"""Attacks on joint texts while they are signed: drafts that no person may be shown, false answers, late ones."""

from dataclasses import replace

import pytest

from exchange.errors import Conflict
from exchange.node.joint import MOST_OPEN
from exchange.storage.joint_port import DraftRow
from schemas.consent import JointRefused, JointSigned
from schemas.content import ContentKind
from schemas.ids import Digest
from schemas.limits import DAY
from schemas.terms import Onward
from tests.support.desk import heard
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import (
    carried,
    digest_of,
    draft_at,
    draft_of,
    drafts_of,
    exchange_all,
    good,
    is_not_shown,
    joint_record,
    propose,
    refuse_at,
    saying,
    sign,
    sign_at,
)
from tests.support.node import TestNode
from tests.support.world import World


def answer(world: World, draft: DraftRow, member: str, body: bytes | None = None) -> JointSigned:
    """A signature under a draft, or under other bytes."""
    value = sign(world, member, draft.body if body is None else body)
    return JointSigned(Digest(draft.provision), world.posing(member, value))


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
        before = drafts_of(mng)
        await heard(mng, relay, carried(world, draft))
        assert drafts_of(mng) == before

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


class TestAfterTheEnd:
    """What is over stays over."""

    async def test_nobody_signs_what_another_has_refused(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        await refuse_at(kaz)
        await exchange_all(relay, kaz, mng)
        before = drafts_of(mng)
        with pytest.raises(Conflict):
            await sign_at(mng)
        assert drafts_of(mng) == before

    async def test_nobody_signs_when_the_time_is_over(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG"], sign_by="1h")
        await exchange_all(relay, kaz, mng)
        mng.clock.time = world.now + 3600
        before = drafts_of(mng)
        with pytest.raises(Conflict):
            await sign_at(mng)
        assert drafts_of(mng) == before
