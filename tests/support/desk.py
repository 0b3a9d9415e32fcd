"""The consent desk of a node of a test world, with all that it takes, turned by hand.

message = await shared(kaz, mng)               # KAZ has sent it, MNG holds it
await post(kaz, mng)                           # what waits at KAZ is sent, and MNG's desk has taken it
await heard(mng, relay, sealed)                # a hostile message, delivered and taken
"""

import json
from collections.abc import Callable
from weakref import WeakKeyDictionary

from exchange.node.desk import Desk
from exchange.node.parts import Parts
from exchange.node.runner import takers
from exchange.node.withdrawals import Withdrawals
from tests.support.hostile_relay import HostileRelay
from tests.support.node import TestNode
from tests.support.world import Sealed

# A desk knows when it tried what.
_DESKS: WeakKeyDictionary[TestNode, tuple[Parts, Desk]] = WeakKeyDictionary()


def desk(tested: TestNode) -> Desk:
    """The node's desk; another one once its parts are others."""
    parts, found = _DESKS.get(tested, (None, None))
    if found is None or parts is not tested.parts:
        found = Desk(tested.parts, takers(tested.parts, Withdrawals(tested.parts)))
        _DESKS[tested] = tested.parts, found
    return found


async def turn(tested: TestNode) -> None:
    """Take what came, and what is due."""
    await desk(tested).turn()


async def post(sender: TestNode, *receivers: TestNode) -> None:
    """Send what waits, and have it received and taken."""
    await sender.send()
    for receiver in receivers:
        await receiver.pull()
        await turn(receiver)


async def shared(provider: TestNode, *holders: TestNode, **terms: object) -> bytes:
    """A message that the holders have received; its id."""
    message = await provider.write([holder.parts.member for holder in holders], **terms)
    await post(provider, *holders)
    return message


async def heard(target: TestNode, relay: HostileRelay, sealed: Sealed) -> None:
    """It is delivered, and taken."""
    frame = relay.accept(sealed, (target.parts.member,))
    await target.pull()
    relay.waiting[target.parts.member].remove(frame)
    await turn(target)


async def without_effect(
    target: TestNode, relay: HostileRelay, sealed: Sealed, facts: Callable[[TestNode], object]
) -> str:
    """It changes no fact and nothing is answered; it is written down, told once, and taken. Gives why."""
    before = facts(target)
    await heard(target, relay, sealed)
    assert facts(target) == before
    assert target.rows("consent_due") == []
    assert target.alarms()[-1] == "consent-rejected"
    line = target.rows("consent_log")[-1]
    assert line["kind"] == "message.without-effect"
    return str(json.loads(line["detail"])["why"])
