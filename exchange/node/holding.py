"""The Grants that this node holds for a transfer, and what is left of them by its own count.

The relay counts too, and its count decides: one that this node counts wrong is refused there.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from exchange.consent.decision import Use
from exchange.node.parts import Parts
from exchange.storage.node_values import GrantUse, Message
from exchange.storage.request_port import HELD
from schemas.canon import decode
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import GrantId, MemberId, ProvisionId
from schemas.limits import MAX_GRANT
from schemas.provision import SignedProvision

# Of one provider for one Provision; what is looked at is verified, so the newest have to be enough.
_LOOKED_AT: Final = 64


class HeldGrants:
    """Reads them from the store."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._store = parts.stores.grants

    async def of(self, provisions: Iterable[SignedProvision], now: int) -> tuple[SignedGrant, ...]:
        """Those that have not ended and are for one of these Provisions or its class."""
        found: dict[tuple[str, bytes], SignedGrant] = {}
        for signed in provisions:
            names = (signed.provision.id, *signed.provision.class_tags)
            for provider in signed.provision.providers:
                for row in await self._store.about(HELD, provider, names, now, _LOOKED_AT):
                    found[row.provider, row.id] = decode(SIGNED_GRANT, row.signed, 2 * MAX_GRANT)
        return tuple(found.values())

    async def uses(self, *grants: SignedGrant) -> frozenset[Use]:
        """The uses that this node's transfers have made of these Grants."""
        names = tuple({(signed.grant.provider, bytes(signed.grant.id)) for signed in grants})
        rows = await self._store.uses(names)
        return frozenset(
            Use(MemberId(row.provider), GrantId(row.grant), MemberId(row.recipient), ProvisionId(row.provision))
            for row in rows
        )


def carried_grants(message: Message, provisions: Sequence[SignedProvision]) -> tuple[SignedGrant, ...]:
    """The Grants that came with a message and show its way; whoever passed it on may have put others beside them."""
    grants = (decode(SIGNED_GRANT, raw, 2 * MAX_GRANT) for raw in message.signed_grants)
    return tuple(one for one in grants if any(one.grant.is_about(signed.provision) for signed in provisions))


def stored_uses(uses: tuple[Use, ...]) -> tuple[GrantUse, ...]:
    """Uses as rows."""
    return tuple(GrantUse(use.provider, use.grant, use.recipient, use.provision) for use in uses)
