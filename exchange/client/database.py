"""The Secretariat's database (1.6; section 3.B; 2.3.14): search at any node, editions at the Secretariat's own.

Each answer is the plain object of the node's interface; times are RFC 3339 texts, days such as `2027-01-31`.
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from exchange.client import answers
from exchange.client.transport import Transport
from exchange.client.upload import json_body

_PAGE = 20


class Database:
    """The part of `NodeClient` that searches and compiles."""

    _transport: Transport

    async def search(
        self,
        text: str | None = None,
        *,
        measure: str | None = None,
        state: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> AsyncIterator[dict[str, Any]]:
        """Rows that the token may see, newest first, page after page.

        Each row names its message and its signed Provision, and says who may have it on which ground (1.7). `measure`
        is a number or the beginning of one and a star; `start` and `end` are days.
        """
        asked = {"q": text, "measure": measure, "state": state, "from": start, "to": end, "limit": str(_PAGE)}
        params = {name: value for name, value in asked.items() if value is not None}
        while True:
            answer = answers.mapping(await self._transport.json("GET", "v1/database", params=params))
            for row in answers.rows(answer, "rows"):
                yield row
            following = answer.get("next")
            if following is None or following == params.get("after"):
                return
            params["after"] = str(following)

    async def compile_edition(
        self,
        to: Sequence[str],
        measure: str,
        content: Mapping[str, str],
        *,
        idempotency_key: str | None = None,
        **terms: Any,  # noqa: ANN401  # the further members of the request
    ) -> dict[str, Any]:
        """The next edition for these readers, queued; only the Secretariat's node does it.

        `terms`: `priority_area` for 3.B, `title`, `language`, `sources`, and the terms as of `NodeClient.send`. The
        answer has the edition's number, its sources, what is void since earlier editions, and what was left out, why.
        """
        body = {"to": list(to), "measure": measure, "content": dict(content), **terms}
        answer = await self._transport.json(
            "POST",
            "v1/compilations",
            headers={"Idempotency-Key": idempotency_key or uuid.uuid4().hex},
            body=lambda: json_body(body),
        )
        return answers.mapping(answer)
