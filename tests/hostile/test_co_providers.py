"""Attacks by a provider on the others of its joint Provision: it sends first, or takes the lead; and a crash."""

from exchange.consent.four_eyes import Approval
from exchange.node.desk import Desk
from exchange.node.joint import MOST_OPEN, Joint
from exchange.node.runner import Node
from exchange.node.withdrawals import Withdrawals
from exchange.storage.consent_port import ConsentEvent
from schemas.canon import decode
from schemas.consent import JointDraft, JointRefused, JointSigned
from schemas.contexts import Context
from schemas.ids import Digest
from schemas.limits import MAX_SMALL_OBJECT, OUTBOX_LIMIT
from schemas.provision import SignedProvision
from schemas.signed import SIGNATURE
from tests.support.desk import desk, heard
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import carried, draft_at, draft_of, exchange_all, joint_record, propose, saying, sign_at
from tests.support.node import TestNode, api_of
from tests.support.officials import asking_others
from tests.support.withdrawing import withdraw
from tests.support.world import Sealed, World


async def sent_first(world: World, kaz: TestNode) -> Sealed:
    """MNG, which has every signature, sends the joint text to KAZ alone before KAZ, which collects, has MNG's."""
    draft = await draft_at(kaz)
    ours = decode(SIGNATURE, draft.answers[0].signature or b"", MAX_SMALL_OBJECT)
    theirs = world.nodes["MNG"].sign(Context.PROVISION, draft.body)
    _, manifest = Joint(kaz.parts).content(draft)
    raw = kaz.parts.keyring.vault.open("manifest", draft.id, draft.sealed_manifest)
    assert manifest.attachments == ()
    return world.envelope(["KAZ"], "MNG", manifest=raw, provisions=[SignedProvision(draft.body, (ours, theirs))])


class TestSendingFirst:
    """The lead's own message would have the id under which the co-provider's envelope was stored."""

    async def test_the_joint_text_goes_out_all_the_same(
        self, world: World, relay: HostileRelay, kaz: TestNode, uzb: TestNode
    ) -> None:
        await propose(kaz, ["UZB"], ["MNG"])
        sealed = await sent_first(world, kaz)
        relay.accept(sealed, ("KAZ",))
        draft = await draft_at(kaz)
        said = JointSigned(Digest(draft.provision), world.nodes["MNG"].sign(Context.PROVISION, draft.body))
        relay.accept(saying(world, said, "MNG", "KAZ"), ("KAZ",))
        await kaz.pull()
        assert kaz.inbox()[0] == draft.id
        await desk(kaz).turn()
        assert (await draft_at(kaz)).state == "signed"
        (row,) = [row for row in kaz.rows("messages") if row["id"] == draft.id]
        assert (row["box"], row["kind"]) == ("outbox", 1)
        await kaz.send()
        await uzb.pull()
        assert uzb.inbox() == [draft.id]
        assert [row["message"] for row in kaz.rows("records")] == [draft.id]

    async def test_nothing_else_of_the_desk_is_held_up(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """KAZ's withdrawal of another text is published and told in the same turn."""
        other = await kaz.write(["MNG"])
        await propose(kaz, ["UZB"], ["MNG"])
        draft = await draft_at(kaz)
        relay.accept(await sent_first(world, kaz), ("KAZ",))
        said = JointSigned(Digest(draft.provision), world.nodes["MNG"].sign(Context.PROVISION, draft.body))
        relay.accept(saying(world, said, "MNG", "KAZ"), ("KAZ",))
        await kaz.pull()
        await withdraw(kaz, other)
        before = len(relay.entries)
        await Desk(kaz.parts, (Joint(kaz.parts), Withdrawals(kaz.parts))).turn()
        assert len(relay.entries) == before + 1


class TestTakingTheLead:
    """MNG sends KAZ's draft to XAA, as if it collected, before KAZ's own comes."""

    async def test_the_signature_of_the_true_lead_counts(
        self, world: World, relay: HostileRelay, xaa: TestNode
    ) -> None:
        providers = ("KAZ", "MNG", "XAA")
        true = draft_of(world, world.manifest(providers, joint_record(*providers)), providers)
        signature = world.nodes["MNG"].sign(Context.PROVISION, true.provision)
        stolen = JointDraft(true.provision, true.manifest, signature, true.sign_by)
        await heard(xaa, relay, carried(world, stolen, "XAA", "MNG"))
        await heard(xaa, relay, carried(world, true, "XAA", "KAZ"))
        assert (await draft_at(xaa)).signed_by == {"KAZ", "MNG"}
        await sign_at(xaa)
        assert (await draft_at(xaa)).state == "signed"


async def test_a_crash_between_the_signature_and_its_act_is_no_failure(
    relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    """MNG has signed, all have, and the process died before the act was ended: it is done again, and did it."""
    asking_others(mng, consents=1)
    await propose(kaz, ["UZB"], ["MNG"])
    await exchange_all(relay, kaz, mng)
    async with api_of(mng) as api:
        author, second = [await mng.token("cabinet", ("consent", "read")) for _ in range(2)]
        digest = (await draft_at(mng)).provision.hex()
        ident = (await api.ask("POST", f"/v1/joint/{digest}/sign", author)).json["id"]
        act = await mng.parts.stores.acts.act(bytes.fromhex(ident))
        assert act is not None
        now = mng.clock.now()
        approval = Approval(second.split("_")[1], "cabinet", act.digest, now)
        event = ConsentEvent(now, "act.approved", ident, None, None, "{}")
        assert await mng.parts.stores.acts.approve(act.id, approval, event) is None
    await sign_at(mng)
    assert (await draft_at(mng)).state == "signed"
    restarted = Node(mng.parts, None)
    restarted.api.application()
    await restarted.composer.acts.turn()
    (row,) = mng.rows("acts")
    assert (row["state"], row["result"]) == ("done", (await draft_at(mng)).id)


async def test_answers_to_drafts_that_never_came_do_not_take_the_places_for_ever(
    world: World, relay: HostileRelay, mng: TestNode
) -> None:
    def refused(number: int) -> Sealed:
        return saying(world, JointRefused(Digest(bytes([number]) * 32), "no"), "KAZ", "MNG")

    for number in range(MOST_OPEN):
        relay.accept(refused(number), ("MNG",))
    await mng.pull()
    await desk(mng).turn()
    relay.waiting["MNG"].clear()
    assert len(mng.rows("draft_answers")) == MOST_OPEN
    later = refused(MOST_OPEN)
    frame = relay.accept(later, ("MNG",))
    await mng.pull()
    relay.waiting["MNG"].remove(frame)
    mng.clock.time = world.now + OUTBOX_LIMIT + 1
    await desk(mng).turn()
    assert [row["provision"] for row in mng.rows("draft_answers")] == [bytes([MOST_OPEN]) * 32]
