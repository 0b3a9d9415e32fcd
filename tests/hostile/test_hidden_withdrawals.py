"""Attacks around a withdrawal by hiding it, by announcing what never comes, and by making one in this state's name."""

import pytest

from schemas.canon import encode
from schemas.consent import ConsentWithdrawn
from schemas.endings import WithdrawalTarget
from schemas.ids import MemberId
from schemas.limits import DAY
from schemas.statement import DIRECTORY_ENTRY
from tests.support.attacks import refused_by_own_node
from tests.support.changes import withdrawal
from tests.support.desk import post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.withdrawing import in_force, official, provision_of, say, update, withdraw
from tests.support.world import World


class TestHidden:
    """What the relay hides, or what only its provider says."""

    async def test_a_relay_that_hides_the_entry_from_the_holder(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """The provider's own message tells it, and it is obeyed at once."""
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        relay.views["MNG"] = list(relay.entries)
        row = await withdraw(kaz, message)
        # Accepted under the smaller directory: of a larger one the receipt would tell.
        await post(kaz, mng)
        await in_force(kaz)
        await update(mng)
        await turn(mng)
        assert (MemberId("KAZ"), row.id) not in mng.parts.directory.current.withdrawn
        (seen,) = mng.rows("withdrawals_seen")
        assert (seen["position"], seen["alarmed"]) == (None, 1)
        assert mng.alarms() == ["consent-withdrawn"]
        assert "announced" in mng.rows("alarms")[0]["detail"]
        await refused_by_own_node(mng, message, ["UZB"], "consent-withdrawn")

    async def test_what_is_only_announced_keeps_nothing_of_others_out(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
    ) -> None:
        """UZB was told and never sees it in the directory: what MNG was allowed to pass on still arrives."""
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        ident, digest = await provision_of(mng, message)
        source = await mng.parts.stores.views.message(message)
        assert source is not None
        await mng.composer.forward(source, {"to": ["UZB"]}, official(), None)
        await say(kaz, uzb, ConsentWithdrawn(WithdrawalTarget.PROVISION, ident, digest, "soon", world.now))
        await mng.send()
        await uzb.pull()
        assert message in uzb.inbox()
        await turn(uzb)
        assert uzb.alarms() == ["consent-withdrawn"]

    async def test_a_holder_that_was_not_told_sees_it_in_the_directory(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng, onward="members", tlp="GREEN")
        row = await withdraw(kaz, message)
        await in_force(kaz)
        await update(mng)
        for _ in range(2):
            await turn(mng)
        assert mng.alarms() == ["consent-withdrawn"]
        (seen,) = mng.rows("withdrawals_seen")
        assert (seen["told"], seen["position"], seen["target"]) == (None, len(relay.entries) - 1, 2)
        await refused_by_own_node(mng, message, ["UZB"], "consent-withdrawn")
        # Then the message comes: the reason is new, and people are not told twice.
        await post(kaz, mng)
        (seen,) = mng.rows("withdrawals_seen")
        assert (seen["id"], seen["told"]) == (row.id, world.now)
        assert mng.alarms() == ["consent-withdrawn"]

    async def test_a_withdrawal_that_overtakes_the_message(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await kaz.write(["MNG"], onward="members", tlp="GREEN")
        await kaz.send()
        late = relay.waiting.pop("MNG")
        await withdraw(kaz, message)
        await post(kaz, mng)
        assert mng.alarms() == []
        relay.waiting["MNG"] = late
        await mng.pull()
        await turn(mng)
        assert mng.alarms() == ["consent-withdrawn"]
        await refused_by_own_node(mng, message, ["UZB"], "consent-withdrawn")


class TestOwnName:
    """Entries in this state's name."""

    async def test_a_withdrawal_of_ones_own_is_not_foreign(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await withdraw(kaz, message)
        await in_force(kaz)
        assert kaz.alarms() == []

    async def test_a_thief_that_withdraws_the_very_same(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        """It is in force, and the node sees that it did not make the entry."""
        message = await shared(kaz, mng)
        row = await withdraw(kaz, message)
        stolen = withdrawal(world.nodes["KAZ"], WithdrawalTarget.PROVISION, row.id, world.now)
        relay.entries.append(encode(DIRECTORY_ENTRY, stolen))
        await update(kaz)
        await turn(kaz)
        assert kaz.alarms() == ["foreign-entry"]
        (own,) = await kaz.parts.stores.withdrawals.withdrawals()
        assert own.position == len(relay.entries) - 1

    async def test_a_thief_that_withdraws_something_else_meanwhile(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await withdraw(kaz, message)
        stolen = withdrawal(world.nodes["KAZ"], WithdrawalTarget.PROVISION, bytes(16), world.now)
        relay.entries.append(encode(DIRECTORY_ENTRY, stolen))
        await in_force(kaz)
        assert kaz.alarms() == ["foreign-entry"]
        assert f"entry {len(relay.entries) - 2} " in kaz.rows("alarms")[0]["detail"]

    @pytest.mark.parametrize(("restored", "alarms"), [(0, []), (-2 * DAY, ["foreign-entry"])])
    async def test_withdrawals_that_a_restore_made_the_node_forget_are_its_own(
        self, world: World, relay: HostileRelay, kaz: TestNode, restored: int, alarms: list[str]
    ) -> None:
        mark = "INSERT INTO restores (restored, taken) VALUES (?, ?)"
        await kaz.database.write(lambda c: c.execute(mark, (world.now + restored, world.now - 9 * DAY)))
        made = withdrawal(world.nodes["KAZ"], WithdrawalTarget.PROVISION, bytes(16), world.now)
        relay.entries.append(encode(DIRECTORY_ENTRY, made))
        await update(kaz)
        assert kaz.alarms() == alarms
