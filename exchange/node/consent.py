"""A decision of `authorise` as an answer to a ministry."""

from typing import Final

from exchange.consent.decision import Decision
from exchange.errors import Forbidden, Json
from exchange.logs import get_logger

_LOG: Final = get_logger("consent")


def require_consent(decision: Decision, message: bytes) -> None:
    """Raises Forbidden with the rule, the recipient, and the provider whose consent is missing."""
    if decision.allowed:
        return
    first = decision.refusals[0]
    extra: dict[str, Json] = {"rule": first.rule.value, "recipient": first.recipient, "provider": first.provider}
    _LOG.warning("transfer.refused", message=message.hex(), code=first.rule.value, recipient=first.recipient)
    raise Forbidden(first.rule.value, first.detail, {k: v for k, v in extra.items() if v is not None})
