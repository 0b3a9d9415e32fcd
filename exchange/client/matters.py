"""What a node knows of its state's affairs: calendar of returns, procedures of section 3, numbers for the review.

Each answer is the plain object of the node's interface; times are RFC 3339 texts, days such as `2027-01-31`.
"""

from typing import Any
from urllib.parse import quote

from exchange.client import answers
from exchange.client.transport import Transport


class Matters:
    """The part of `NodeClient` that asks for them."""

    _transport: Transport

    async def calendar(
        self,
        *,
        partner: str | None = None,
        measure: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> list[dict[str, Any]]:
        """Returns that are due, were given, are late or missing; with a partner, of a measure, due in some days."""
        params = _given(partner=partner, measure=measure) | _given(**{"from": start, "to": end})
        return answers.rows(await self._transport.json("GET", "v1/calendar", params=params), "obligations")

    async def calendar_feed(
        self,
        *,
        partner: str | None = None,
        measure: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> bytes:
        """The same as an iCalendar file."""
        params = _given(partner=partner, measure=measure) | _given(**{"from": start, "to": end})
        return await self._transport.content("v1/calendar.ics", params)

    async def procedures(self, limit: int = 50) -> list[dict[str, Any]]:
        """The threads of section 3 that began last, the newest first: each with the steps taken and its state."""
        answer = await self._transport.json("GET", "v1/procedures", params={"limit": str(limit)})
        return answers.rows(answer, "procedures")

    async def procedure(self, ident: str) -> dict[str, Any]:
        """A thread of section 3, by the id of one of its records or messages.

        It says what was done, what was refused and why, and who may do what now.
        """
        return answers.mapping(await self._transport.json("GET", f"v1/procedures/{quote(ident, safe='')}"))

    async def review(self, start: str, end: str, *, own_only: bool = False) -> dict[str, Any]:
        """How much was exchanged in some days: the body of a record of type `implementation-review`."""
        params = {"start": start, "end": end, "own_only": "true" if own_only else "false"}
        return answers.mapping(await self._transport.json("GET", "v1/review", params=params))

    async def merged_review(self, start: str, end: str) -> dict[str, Any]:
        """The reports on exactly these days that this node received, put together."""
        params = {"start": start, "end": end}
        return answers.mapping(await self._transport.json("GET", "v1/review/merged", params=params))


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
