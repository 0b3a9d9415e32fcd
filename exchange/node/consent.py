"""A decision of `authorise` as an answer to a ministry."""

from typing import Final

from exchange.consent.decision import Decision
from exchange.consent.problem import consent_error
from exchange.errors import Forbidden
from exchange.logs import get_logger

_LOG: Final = get_logger("consent")


def require_consent(decision: Decision, message: bytes) -> None:
    """Raises Forbidden with the rule, the recipient, and the providers whose consent is missing."""
    if decision.allowed:
        return
    first = decision.refusals[0]
    # This node's own refusal is told to nobody else: nothing has left it.
    facts = {"recipient": first.recipient, "provider": first.provider, "ask": list(decision.ask)}
    _LOG.warning("transfer.refused", message=message.hex(), code=first.rule.value, **facts)
    raise consent_error(decision)


def require_passing(decision: Decision, message: bytes) -> None:
    """The same for a message that is passed on; it also says how to ask for what is missing."""
    try:
        require_consent(decision, message)
    except Forbidden as refused:
        lacking = [refusal for refusal in decision.refusals if refusal.ask and refusal.recipient is not None]
        if not lacking:
            raise
        to = ",".join(sorted({refusal.recipient for refusal in lacking if refusal.recipient is not None}))
        how = f"cbm consent request {message.hex()} --to {to}"
        raise Forbidden(refused.code, f"{refused.detail}: {how}", {**refused.extra, "how": how}) from None
