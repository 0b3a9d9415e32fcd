"""What evidence says of a transfer of what others provide: why it was lawful, or that it was not."""

from collections.abc import Iterator
from typing import Final

from exchange.audit.claims import Claim, listed, short
from exchange.consent.decision import Decision, Ground, Permission
from schemas.envelope import Core
from schemas.ids import MemberId

# The relay states when and by which directory it has decided.
_AS_SAID: Final = ", if the relay decided when it says: the file does not show that by then it stood in a log"


def passed_on(core: Core, decision: Decision, proved: bool) -> Iterator[tuple[Claim, str, MemberId | None]]:
    """Claim, sentence, and which recipient it is about; `proved`: when it was decided is not the relay's word alone."""
    sender, tail = core.sender, "" if proved else _AS_SAID
    for refusal in decision.refusals:
        against = "" if refusal.provider is None else f" against {refusal.provider}"
        to = "its recipients" if refusal.recipient is None else refusal.recipient
        said = f"the transfer by {sender} to {to} was not lawful ({refusal.rule.value}{against}): {refusal.detail}"
        yield Claim.WITHOUT_CONSENT, said + tail, refusal.recipient
    foreign = {signed.provision.id for signed in core.provisions if sender not in signed.provision.providers}
    for permission in decision.permissions:
        if permission.provision in foreign:
            yield Claim.FORWARDED, _ground(sender, permission) + tail, permission.recipient


def _ground(sender: MemberId, permission: Permission) -> str:
    said = f"{sender} passed it on to {permission.recipient}"
    match permission.ground:
        case Ground.GRANT:
            by = listed(tuple(signed.grant.provider for signed in permission.grants))
            names = ", ".join(short(signed.grant.id) for signed in permission.grants)
            return f"{said} with the consent of {by} (Grant {names})"
        case Ground.TERMS:
            return f"{said}, which its onward terms allow"
        case Ground.PROVIDER:
            return f"{said}, one of its providers"
        case Ground.AUDIENCE:
            return f"{said}, one of its audience"
