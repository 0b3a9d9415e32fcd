"""A provider and a holder around a withdrawal of consent: the desk's turns, the posts between, and who does what.

message = await shared(kaz, mng)               # KAZ has sent it, MNG holds it
withdrawal = await withdraw(kaz, message)
await in_force(kaz)                            # published, cosigned, seen
await post(kaz, mng)                           # what waits at KAZ is sent, and MNG's desk has taken it
"""

from exchange.node.access import Caller
from exchange.node.courier import consent_message
from exchange.node.withdrawals import Withdrawals
from exchange.storage.withdrawal_port import OwnWithdrawal
from keys.digests import provision_digest
from schemas.canon import decode
from schemas.consent import Conduct, ConsentMessage
from schemas.ids import Digest, ProvisionId
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from tests.support.desk import post, turn
from tests.support.node import TestNode


def official(measures: tuple[str, ...] = ("*",), ministry: str = "foreign-affairs") -> Caller:
    """A caller that decides about consent."""
    return Caller("c" * 16, ministry, frozenset({"consent", "read"}), measures)


async def update(*nodes: TestNode) -> None:
    """Bring the directory up to date."""
    for tested in nodes:
        await tested.update()


async def withdraw(provider: TestNode, message: bytes, reason: str = "a source is in danger") -> OwnWithdrawal:
    """Withdraw consent to a message."""
    row, new = await Withdrawals(provider.parts).own.withdraw(message, reason, official())
    assert new
    return row


async def in_force(provider: TestNode) -> None:
    """Published, cosigned, and seen."""
    await turn(provider)
    await update(provider)
    await turn(provider)


async def state(holder: TestNode, provider: str, ident: bytes, conduct: Conduct) -> None:
    """A holder's official states what was done."""
    await Withdrawals(holder.parts).others.state(provider, ident, conduct, official())


async def provision_of(tested: TestNode, message: bytes) -> tuple[ProvisionId, Digest]:
    """Id and digest of a message's Provision."""
    stored = await tested.parts.stores.views.message(message)
    assert stored is not None
    signed = decode(SIGNED_PROVISION, stored.signed_provisions[0], 2 * MAX_PROVISION)
    return signed.provision.id, provision_digest(signed.body)


async def say(sender: TestNode, to: TestNode, said: ConsentMessage) -> None:
    """A hostile node says what its honest program would not, and the other's desk takes it."""
    row = consent_message(sender.parts, (to.parts.member,), said, sender.clock.now())
    await sender.parts.stores.outbox.add_message(row, None)
    await post(sender, to)
