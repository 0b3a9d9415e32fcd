"""Attacks on the desk: one member's messages about consent must not keep the others' from being heard."""

import pytest

from exchange.errors import Unavailable
from exchange.node.desk import Desk
from exchange.node.granting import Granter
from exchange.node.refusals import Refusals
from exchange.node.withdrawals import Withdrawals
from schemas.canon import encode
from schemas.consent import ConsentRefused, ConsentWithdrawn, encode_consent
from schemas.content import ContentKind
from schemas.endings import WithdrawalTarget
from schemas.receipt import SIGNED_RECEIPT
from schemas.refused import RefusedTransfer
from tests.support.desk import shared
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode, sealed_by
from tests.support.withdrawing import in_force, provision_of, withdraw
from tests.support.world import Sealed, World


def desk_of(tested: TestNode) -> Desk:
    parts = tested.parts
    return Desk(parts, (Granter(parts), Refusals(parts), Withdrawals(parts)))


def consent(world: World, sender: str, to: str, body: bytes) -> Sealed:
    return world.envelope([to], sender, manifest=world.manifest((sender,), body, kind=ContentKind.CONSENT))


def beyond_the_directory(world: World) -> RefusedTransfer:
    """UZB refused what the relay had accepted under a directory that MNG is not shown."""
    sealed = world.forward(sealed_by(world, "MNG", ("KAZ",)), "KAZ", ("UZB",))
    receipt = world.receipt(sealed, directory_size=world.directory.size + 1)
    return RefusedTransfer(sealed.header_bytes, encode(SIGNED_RECEIPT, receipt), "no-consent", world.now)


async def held_up(world: World, relay: HostileRelay, mng: TestNode, times: int = 1) -> None:
    """UZB tells of refusals that MNG cannot judge before its directory is as large."""
    for _ in range(times):
        relay.accept(consent(world, "UZB", "MNG", encode_consent(beyond_the_directory(world))), ("MNG",))
    await mng.pull()
    relay.waiting["MNG"].clear()


async def withdrawn(world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, message: bytes) -> None:
    ident, digest = await provision_of(kaz, message)
    said = ConsentWithdrawn(WithdrawalTarget.PROVISION, ident, digest, "a source is in danger", world.now)
    relay.accept(consent(world, "KAZ", "MNG", encode_consent(said)), ("MNG",))
    await mng.pull()
    relay.waiting["MNG"].clear()


@pytest.mark.parametrize("times", [1, 40])
async def test_a_notice_that_cannot_be_judged_yet_does_not_hide_a_withdrawal(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode, times: int
) -> None:
    """The relay keeps the directory back; the provider's own message is obeyed at once all the same."""
    message = await shared(kaz, mng)
    await held_up(world, relay, mng, times)
    await withdrawn(world, relay, kaz, mng, message)
    relay.down = True
    desk = desk_of(mng)
    await desk.turn()
    await desk.turn()
    assert mng.alarms() == ["consent-withdrawn"]
    # The notices themselves are kept for later, and nobody is blamed for them.
    assert len(mng.rows("consent_due")) == times


async def test_a_notice_is_judged_once_the_directory_is_there(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    other = await shared(kaz, mng)
    await held_up(world, relay, mng)
    relay.down = True
    desk = desk_of(mng)
    await desk.turn()
    assert mng.rows("refused_transfers") == []
    relay.down = False
    await withdraw(kaz, other)
    await in_force(kaz)
    mng.clock.time += 3600
    await desk.turn()
    assert [row["source"] for row in mng.rows("refused_transfers")] == ["UZB"]


class Failing(Refusals):
    """A taker whose turn meets a fault."""

    def __init__(self, tested: TestNode, fault: Exception) -> None:
        super().__init__(tested.parts)
        self.fault = fault

    async def turn(self, now: int) -> None:
        raise self.fault


class Counting(Granter):
    """A taker that counts its turns."""

    def __init__(self, tested: TestNode) -> None:
        super().__init__(tested.parts)
        self.turns = 0

    async def turn(self, now: int) -> None:
        self.turns += 1


@pytest.mark.parametrize("fault", [ValueError("a bug"), Unavailable("store-busy", "later")])
async def test_a_fault_of_one_takers_turn_does_not_take_the_others(mng: TestNode, fault: Exception) -> None:
    counting = Counting(mng)
    await Desk(mng.parts, (Failing(mng, fault), counting)).turn()
    assert counting.turns == 1


async def test_a_flood_of_one_member_does_not_come_before_the_others(
    world: World, relay: HostileRelay, kaz: TestNode, mng: TestNode
) -> None:
    message = await shared(kaz, mng)
    for _ in range(100):
        relay.accept(consent(world, "UZB", "MNG", encode_consent(ConsentRefused(b"r" * 16, "no"))), ("MNG",))
    await mng.pull()
    await withdrawn(world, relay, kaz, mng, message)
    await desk_of(mng).turn()
    assert "consent-withdrawn" in mng.alarms()
    assert mng.rows("consent_due") != []
