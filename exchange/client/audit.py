"""The audit log of a node, searched."""

from collections.abc import AsyncIterator
from typing import Any

from exchange.client import answers
from exchange.client.transport import Transport

_PAGE = 1000


class Audit:
    """The part of `NodeClient` that searches the audit log; the token needs the scope `audit`, for all measures."""

    _transport: Transport

    async def audit(self, query: dict[str, str], *, limit: int | None = None) -> AsyncIterator[dict[str, Any]]:
        """Entries that hold to every part of a query, page by page.

        `query`: `kind`, `member`, `actor`, `reason`, `envelope`, `subject`, `since`, `until`, `newest`, as the node's
        interface names them; `limit` entries at most.
        """
        after: dict[str, str] = {}
        left = limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = await self._transport.json("GET", "v1/audit", params={**query, **after, "limit": str(size)})
            found = answers.rows(page, "entries")
            for row in found:
                yield row
            left = None if left is None else left - len(found)
            following = answers.mapping(page).get("next")
            if following is None:
                return
            after = {"after": str(following)}

    async def audit_entry(self, index: int) -> dict[str, Any]:
        """One entry, with its exact bytes in hexadecimal (`leaf`)."""
        return answers.mapping(await self._transport.json("GET", f"v1/audit/{index}"))
