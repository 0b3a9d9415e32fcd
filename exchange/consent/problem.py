"""A refusal as a problem document: the same from the relay and from the sender's own node."""

from typing import Final

from exchange.consent.decision import Decision, Refusal
from exchange.errors import Forbidden, Json

# Refusals that one problem lists; an envelope may have tens of thousands.
MAX_REFUSALS: Final = 64


def consent_error(decision: Decision) -> Forbidden:
    """The first refusal as the problem, whom to ask for what is missing, and as many refusals as anyone reads in it.

    Its members: `rule`, and `provision` (hexadecimal), `recipient` and `provider` where the refusal has one; `ask`, the
    codes of all providers who can give what any refusal misses; `refusals`, each with these members and its `detail`.
    """
    first = decision.refusals[0]
    refusals: list[Json] = [
        {**_facts(refusal), "detail": refusal.detail} for refusal in decision.refusals[:MAX_REFUSALS]
    ]
    extra: dict[str, Json] = {**_facts(first), "ask": list(decision.ask), "refusals": refusals}
    return Forbidden(first.rule.value, first.detail, extra)


def _facts(refusal: Refusal) -> dict[str, Json]:
    facts: dict[str, Json] = {
        "rule": refusal.rule.value,
        "provision": None if refusal.provision is None else refusal.provision.hex(),
        "recipient": refusal.recipient,
        "provider": refusal.provider,
        "ask": list(refusal.ask),
    }
    return {name: value for name, value in facts.items() if value is not None}
