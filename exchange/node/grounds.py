"""Who may have what a stored message holds: asked of `authorise`, for the rows and the editions of the database."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Ledger, Rule, Transfer, Use
from exchange.storage.node_values import Message
from keys.digests import provision_digest
from keys.directory import Directory
from schemas.canon import decode
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import GrantId, MemberId
from schemas.limits import MAX_GRANT, MAX_PROVISION
from schemas.provision import SIGNED_PROVISION, SignedProvision


@dataclass(frozen=True, slots=True)
class Holding:
    """What a stored message came under: its own Provision, those of what it was compiled from, and Grants."""

    own: SignedProvision
    others: tuple[SignedProvision, ...]
    grants: tuple[SignedGrant, ...]

    @property
    def provisions(self) -> tuple[SignedProvision, ...]:
        """All of them; consent is asked for each."""
        return (self.own, *self.others)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Which members may have it now and on which ground, the uses of Grants that this takes, and the withdrawal."""

    members: tuple[tuple[MemberId, str], ...]
    uses: tuple[Use, ...] = ()
    withdrawn: bool = False


def holding_of(message: Message) -> Holding:
    """The Provisions and Grants of a stored message."""
    provisions = [decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in message.signed_provisions]
    own = next(signed for signed in provisions if provision_digest(signed.body) == message.provision)
    others = tuple(signed for signed in provisions if signed is not own)
    return Holding(own, others, tuple(decode(SIGNED_GRANT, raw, 2 * MAX_GRANT) for raw in message.signed_grants))


def grounds_of(transfer: Transfer, directory: Directory, ledger: Ledger, now: int) -> Grounds:
    """Which of a transfer's recipients may have it.

    A refusal that names no recipient is one for all of them.
    """
    decision = authorise_transfer(transfer, directory, ledger, now)
    withdrawn = any(refusal.rule is Rule.WITHDRAWN for refusal in decision.refusals)
    if not decision.allowed:
        barred = {refusal.recipient for refusal in decision.refusals}
        rest = tuple(member for member in transfer.recipients if member not in barred)
        if None in barred or not rest:
            return Grounds((), (), withdrawn)
        decision = authorise_transfer(replace(transfer, recipients=rest), directory, ledger, now)
    labels: dict[MemberId, set[str]] = {}
    for permission in decision.permissions:
        labels.setdefault(permission.recipient, set()).add(permission.ground.value)
    members = tuple((member, ", ".join(sorted(grounds))) for member, grounds in sorted(labels.items()))
    return Grounds(members, decision.uses, withdrawn)


def grants_to(holder: MemberId, holdings: Iterable[Holding]) -> dict[tuple[MemberId, GrantId], SignedGrant]:
    """The Grants that name a holder, by provider and id; of two under one name the first, as an envelope has one."""
    found: dict[tuple[MemberId, GrantId], SignedGrant] = {}
    for holding in holdings:
        for signed in holding.grants:
            if signed.grant.holder == holder:
                found.setdefault((signed.grant.provider, signed.grant.id), signed)
    return found
