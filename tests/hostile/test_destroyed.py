"""What a holder says that it destroyed: every copy in its node is gone, and none comes back or goes out."""

import sqlite3
from contextlib import closing

import pytest

from exchange.errors import ExchangeError
from exchange.node import request as requests
from exchange.node.compose import Composer
from exchange.storage.node_values import Message
from schemas.consent import Conduct
from tests.support.desk import desk, heard, post, shared
from tests.support.hostile_relay import HostileRelay
from tests.support.joint import carried as carrier_of
from tests.support.joint import draft_at, draft_of, exchange_all, joint_record, propose, sign_at
from tests.support.node import TestNode
from tests.support.officials import officials
from tests.support.withdrawing import in_force, official, state, withdraw
from tests.support.world import World

DRAFTS = {"drafts": "sealed_manifest", "messages": "sealed_manifest", "acts": "sealed_request"}


def sealed(node: TestNode, table: str) -> list[bytes]:
    """What a table holds of contents, of the rows that hold any."""
    rows = node.rows(table if table != "messages" else "messages WHERE kind <> 4")
    return [row[DRAFTS[table]] for row in rows if row[DRAFTS[table]]]


async def told(provider: TestNode, *holders: TestNode) -> None:
    """The withdrawal's notices arrive."""
    await post(provider, *holders)


class TestJointDrafts:
    """A provider holds the text of a joint Provision three times: message, draft, and what carried the draft."""

    @pytest.mark.parametrize("holder", ["lead", "co-provider"])
    async def test_no_copy_of_a_joint_text_stays(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, holder: str
    ) -> None:
        ident = await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        await sign_at(mng)
        await exchange_all(relay, kaz, mng)
        assert await mng.parts.stores.views.message(ident) is not None
        withdrawing, stating = (mng, kaz) if holder == "lead" else (kaz, mng)
        row = await withdraw(withdrawing, ident)
        await told(withdrawing, stating)
        before = sealed(stating, "drafts") + sealed(stating, "messages")
        assert len(before) == 3
        await state(stating, withdrawing.parts.member, row.id, Conduct.DESTROYED)
        assert sealed(stating, "drafts") + sealed(stating, "messages") == []
        disk = b"".join(path.read_bytes() for path in stating.folder.glob("node.db*"))
        assert not any(part[:48] in disk for part in before)
        assert stating.rows("draft_files") == []

    async def test_a_lead_that_sends_the_draft_again_does_not_bring_the_text_back(
        self, world: World, relay: HostileRelay, mng: TestNode
    ) -> None:
        manifest = world.manifest(("KAZ", "MNG"), joint_record("KAZ", "MNG"))
        draft = draft_of(world, manifest)
        await heard(mng, relay, carrier_of(world, draft))
        held = await draft_at(mng)
        statement = await destroy_by_hand(mng, held.provision)
        assert statement == "destroyed"
        await heard(mng, relay, carrier_of(world, draft))
        assert sealed(mng, "drafts") + sealed(mng, "messages") == []
        await desk(mng).turn()

    async def test_a_draft_alone_is_held_and_is_not_stated_otherwise(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """The signed message has not come: `not-held` would be a false statement, and `destroyed` a true one."""
        ident = await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        await sign_at(mng)
        await mng.send()
        await kaz.pull()
        await desk(kaz).turn()
        row = await withdraw(kaz, ident)
        await told(kaz, mng)
        assert await mng.parts.stores.views.message(ident) is None
        with pytest.raises(ExchangeError) as caught:
            await state(mng, "KAZ", row.id, Conduct.NOT_HELD)
        assert caught.value.code == "is-held"
        await state(mng, "KAZ", row.id, Conduct.DESTROYED)
        assert sealed(mng, "drafts") + sealed(mng, "messages") == []


class TestDraftsSentAgain:
    """A co-provider says that it lost what was to be signed, after another has withdrawn its consent."""

    async def test_the_text_of_a_withdrawn_joint_provision_is_not_sent_again(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        ident = await propose(kaz, ["UZB"], ["MNG"])
        await exchange_all(relay, kaz, mng)
        await sign_at(mng)
        await exchange_all(relay, kaz, mng)
        relay.pass_on_answers()
        await kaz.pull()
        await withdraw(kaz, ident)
        await in_force(kaz)
        await kaz.parts.stores.resends.want("MNG", 0, kaz.clock.now())
        relay.posted.clear()
        await kaz.send()
        (draft,) = kaz.rows("drafts")
        faults = {row["message"]: row["fault"] for row in kaz.rows("resends")}
        assert "KAZ has withdrawn" in (faults[draft["message"]] or "")
        assert "KAZ has withdrawn" in (faults[ident] or "")


class TestActs:
    """What waits for officials when the text is destroyed."""

    async def test_a_forward_that_waits_for_its_release_ends(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        async with officials(mng) as four:
            reply = await four.api.ask(
                "POST", f"/v1/messages/{message.hex()}/forward", four.author, json={"to": ["UZB"]}
            )
            act = reply.json["id"]
            row = await withdraw(kaz, message)
            await told(kaz, mng)
            await state(mng, "KAZ", row.id, Conduct.DESTROYED)
            shown = await four.api.ask("GET", f"/v1/releases/{act}", four.author)
            assert (shown.json["state"], sealed(mng, "acts")) == ("refused", [])
            assert "act.refused" in [line["kind"] for line in mng.rows("consent_log")]


async def destroy_by_hand(node: TestNode, provision: bytes) -> str:
    """As if a provider's withdrawal had been stated about."""
    with closing(sqlite3.connect(node.folder / "node.db")) as connection:
        connection.execute(
            "INSERT INTO withdrawals_seen (provider, id, target, provision, told, time) VALUES ('KAZ', ?, 2, ?, 1, 1)",
            (b"w" * 16, provision),
        )
        connection.commit()
    await state(node, "KAZ", b"w" * 16, Conduct.DESTROYED)
    return "destroyed"


class TestOnItsWay:
    """What was about to leave when it was destroyed."""

    async def test_a_sealed_forward_does_not_leave_after_its_holder_stated_that_it_destroyed_the_text(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        await mng.composer.forward(source, {"to": ["UZB"]}, official(), None)
        await mng.sealer.seal_due()
        row = await withdraw(kaz, message)
        await told(kaz, mng)
        before = mng.facts()
        with pytest.raises(ExchangeError) as caught:
            await state(mng, "KAZ", row.id, Conduct.DESTROYED)
        assert caught.value.code == "on-its-way"
        assert mng.facts() == before
        assert mng.rows("holder_statements") == []

    async def test_a_forward_that_is_made_meanwhile_leaves_no_copy(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        made = await composed(mng, source)
        row = await withdraw(kaz, message)
        await told(kaz, mng)
        await state(mng, "KAZ", row.id, Conduct.DESTROYED)
        with pytest.raises(ExchangeError) as caught:
            await mng.parts.stores.outbox.add_message(made, None)
        assert caught.value.code == "message-destroyed"
        assert sealed(mng, "messages") == []


async def composed(node: TestNode, source: Message) -> Message:
    """A forward that has been judged and is not stored yet."""
    passer = Composer(node.parts)._passer
    request = requests.parse_model(requests.ForwardRequest, {"to": ["UZB"]})
    return await passer._compose(source, await passer._judge(source, request), official())
