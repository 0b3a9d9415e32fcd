"""A Grant that is withdrawn alone, or with the Provision that it is for."""

from schemas.canon import decode
from schemas.consent import SIGNED_STATEMENT, Conduct
from schemas.endings import WithdrawalTarget
from schemas.limits import MAX_SERVICE
from tests.support.attacks import refused_by_own_node
from tests.support.consents import forward, give
from tests.support.desk import post, shared, turn
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.withdrawing import in_force, state, update, withdraw
from tests.support.world import World


class TestGrants:
    """A Grant alone is withdrawn, or with the Provision that it is for."""

    async def test_a_grant_ends_and_its_holder_states_what_it_passed_on_by_it(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, uzb: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        first = await give(kaz, message, "MNG", ["UZB"], unlimited=True)
        other = await give(kaz, message, "MNG", ["XAA"], unlimited=True)
        await post(kaz, mng)
        await forward(mng, message, ["UZB"])
        await forward(mng, message, ["XAA"])
        await post(mng, uzb)
        row = await withdraw(kaz, first)
        assert (row.target, row.measure) == (WithdrawalTarget.GRANT, "2.1.1.d")
        await post(kaz, mng, uzb)
        assert [told.member for told in await kaz.parts.stores.withdrawals.told(row.id)] == ["MNG", "UZB"]
        await refused_by_own_node(mng, message, ["UZB"], "no-consent")
        await forward(mng, message, ["XAA"])
        await state(mng, "KAZ", first, Conduct.CEASED)
        await post(mng, kaz)
        (stored,) = await kaz.parts.stores.held.statements("KAZ", first)
        said = decode(SIGNED_STATEMENT, stored.signed, 2 * MAX_SERVICE).statement
        assert [passed.recipient for passed in said.passed_on] == ["UZB"]
        assert await kaz.parts.stores.withdrawals.withdrawal(other) is None
        await in_force(kaz)
        (placed,) = await kaz.parts.stores.withdrawals.withdrawals()
        assert placed.position is not None

    async def test_the_holder_of_a_grant_that_it_never_used_sees_the_withdrawal_in_the_directory(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        grant = await give(kaz, message, "MNG", ["UZB"], unlimited=True)
        await post(kaz, mng)
        await withdraw(kaz, grant)
        await in_force(kaz)
        await update(mng)
        await turn(mng)
        (seen,) = await mng.parts.stores.held.all_seen()
        assert (seen.id, seen.target, seen.told) == (grant, WithdrawalTarget.GRANT, None)
        assert mng.alarms() == ["consent-withdrawn"]

    async def test_with_a_provision_everybody_named_in_its_grants_is_told(
        self, world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
    ) -> None:
        message = await shared(kaz, mng)
        await give(kaz, message, "MNG", ["UZB", "XAA"])
        row = await withdraw(kaz, message)
        assert [told.member for told in await kaz.parts.stores.withdrawals.told(row.id)] == ["MNG", "UZB", "XAA"]
