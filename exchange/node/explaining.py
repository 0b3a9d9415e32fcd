"""Whether a message may go to others now, and why: the transfer as this node would make it, asked of the one rule."""

import asyncio

from exchange.consent.decision import Ledger, Transfer
from exchange.consent.explain import explained
from exchange.consent.explanation import Explanation
from exchange.consent.selecting import with_grants
from exchange.node.holding import HeldGrants, carried_grants
from exchange.node.obeying import obeying
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.stored import provision_of
from exchange.storage.node_values import Message
from schemas.canon import decode
from schemas.ids import MemberId
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from schemas.terms import Precedence, Purpose


class Explainer:
    """Explains over the node's parts; nothing is sent and no use is counted."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._held = HeldGrants(parts)
        self._origins = OriginKeeper(parts)

    async def explain(self, message: Message, to: tuple[MemberId, ...], purpose: Purpose | None) -> Explanation:
        """A first sending of a message of this state's own, or the passing on of another's, with the Grants held."""
        parts = self._parts
        now = parts.clock.now()
        provisions = tuple(decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in message.signed_provisions)
        carried = carried_grants(message, provisions)
        stated = purpose or provision_of(message).purpose
        # Urgency is no question of consent to pass it on: the least is never above the terms.
        transfer = Transfer(parts.member, to, provisions, carried, stated, Precedence.ROUTINE)
        held = await self._held.of(transfer.provisions, now)
        known = (*carried, *held)
        ledger = Ledger(await self._held.uses(*known), origins=await self._origins.proved(provisions, known, now))
        directory = await obeying(parts, provisions, known)
        whole, decision = await asyncio.to_thread(with_grants, transfer, held, directory, ledger, now)
        return await asyncio.to_thread(explained, whole, decision, directory, now)
