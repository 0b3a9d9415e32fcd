"""Withdrawals of consent, holders' statements about them, and why a message may go to a state or not.

Each answer is the plain object of the node's interface; times are RFC 3339 texts.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from exchange.client import answers
from exchange.client.transport import Transport
from exchange.client.upload import json_body


class Withdrawals:
    """The part of `NodeClient` that asks for them; the token needs the scope `consent`, `read` to have explained."""

    _transport: Transport

    async def withdraw(self, ident: str, reason: str) -> dict[str, Any]:
        """Withdraw consent: to a Provision, named by a message of it, or of a Grant. Doing it again changes nothing."""
        body = {"id": ident, "reason": reason}
        return answers.mapping(
            await self._transport.json("POST", "v1/consent/withdrawals", body=lambda: json_body(body))
        )

    async def withdrawals(self) -> dict[str, Any]:
        """This state's `own` withdrawals with the holders' statements, and those of `others`."""
        return answers.mapping(await self._transport.json("GET", "v1/consent/withdrawals"))

    async def withdrawal(self, name: str) -> dict[str, Any]:
        """One of them, by its name such as `KAZ-0123...`."""
        return answers.mapping(await self._transport.json("GET", f"v1/consent/withdrawals/{quote(name, safe='')}"))

    async def state(self, name: str, conduct: str) -> dict[str, Any]:
        """State what was done: `ceased`, `destroyed`, by which this node destroys its copy, or `not-held`."""
        path = f"v1/consent/withdrawals/{quote(name, safe='')}/statements"
        body = {"conduct": conduct}
        return answers.mapping(await self._transport.json("POST", path, body=lambda: json_body(body)))

    async def explain(self, message_id: str, to: Sequence[str], purpose: str | None = None) -> dict[str, Any]:
        """Whether a message may go to these members now: the decision about each, on which consent, what is missing."""
        params = {"to": ",".join(to)} | ({} if purpose is None else {"purpose": purpose})
        path = f"v1/messages/{quote(message_id, safe='')}/explain"
        return answers.mapping(await self._transport.json("GET", path, params=params))
