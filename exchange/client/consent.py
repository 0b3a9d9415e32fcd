"""Consent: ask providers for it, answer requests, give Grants, read the log, see what was refused.

Each answer is the plain object of the node's interface; times are RFC 3339 texts.
"""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from exchange.client import answers
from exchange.client.transport import Transport
from exchange.client.upload import json_body

_PAGE = "100"
# Each with a header; of the largest, one answer holds six.
_PROOFS = "5"


class Wanted(TypedDict, total=False):
    """What a request asks for beside its recipients; None is as if it were left out.

    `uses`: without it any number of transfers; `answer_by`: a day, a time, or a span such as `7d`; `provision`: which
    of several that a compiled message carries.
    """

    purpose: str | None
    uses: int | None
    answer_by: str | int | None
    provision: str | None


class Limits(TypedDict, total=False):
    """How far a Grant goes: by default one transfer to each recipient; None is as if it were left out."""

    uses: int | None
    unlimited: bool | None
    class_name: str | None


class Given(Limits, total=False):
    """The same of a Grant that nobody asked for, which may be for another purpose than the provider's."""

    purpose: str | None


class Consent:
    """The part of `NodeClient` that does it; asking takes the scope `send`, answering `consent`."""

    _transport: Transport

    async def request_consent(
        self,
        message_id: str,
        to: Sequence[str],
        *,
        until: str | int,
        reason: str,
        idempotency_key: str | None = None,
        **wanted: Unpack[Wanted],
    ) -> dict[str, Any]:
        """Ask every provider of a received message to let it be passed on to these members.

        `until`: a day, a time, or a span such as `30d`.
        """
        asked = {"message": message_id, "to": list(to), "until": until, "reason": reason, **wanted}
        return await self._post("v1/consent/requests", _given(asked), idempotency_key)

    async def consent_requests(self, box: Literal["in", "out"] = "in") -> AsyncIterator[dict[str, Any]]:
        """Requests received (in) or made (out), the oldest first, page after page."""
        async for row in self._rows("v1/consent/requests", "requests", {"box": box}):
            yield row

    async def consent_request(self, ident: str) -> dict[str, Any]:
        """One request, with every provider's answer."""
        return answers.mapping(await self._transport.json("GET", f"v1/consent/requests/{quote(ident, safe='')}"))

    async def grant_consent(
        self,
        ident: str,
        *,
        to: Sequence[str] | None = None,
        until: str | int | None = None,
        idempotency_key: str | None = None,
        **limits: Unpack[Limits],
    ) -> dict[str, Any]:
        """Grant a request: for one transfer, unless `uses` or `unlimited` says otherwise, or for a whole class.

        The Grant; or, where the node asks for four eyes, what waits for other officials (`state` awaiting-release).
        """
        asked = {"to": None if to is None else list(to), "until": until, **limits}
        return await self._post(f"v1/consent/requests/{quote(ident, safe='')}/grant", _given(asked), idempotency_key)

    async def refuse_consent(self, ident: str, reason: str, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Refuse a request, finally; the request."""
        path = f"v1/consent/requests/{quote(ident, safe='')}/refuse"
        return await self._post(path, {"reason": reason}, idempotency_key)

    async def give_consent(
        self,
        message_id: str,
        holder: str,
        to: Sequence[str],
        *,
        until: str | int,
        idempotency_key: str | None = None,
        **given: Unpack[Given],
    ) -> dict[str, Any]:
        """Give a Grant that nobody asked for, of a message that this state provided; else as `grant_consent`."""
        asked = {"message": message_id, "holder": holder, "to": list(to), "until": until, **given}
        return await self._post("v1/consent/grants", _given(asked), idempotency_key)

    async def grants(self, box: Literal["held", "given"] = "held") -> AsyncIterator[dict[str, Any]]:
        """Grants held or given, the oldest first, page after page."""
        async for row in self._rows("v1/consent/grants", "grants", {"box": box}):
            yield row

    async def consent_log(self, subject: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """What happened in consent, the oldest first, page after page; about one request or Grant, if named."""
        params = {} if subject is None else {"subject": subject}
        async for row in self._rows("v1/consent/log", "events", params):
            yield row

    async def refused_transfers(self) -> AsyncIterator[dict[str, Any]]:
        """What others refused to pass on of what this state provided, the oldest first, page after page.

        `notice` is the proof in hexadecimal: a `RefusedTransfer`, which anyone can check.
        """
        async for row in self._rows("v1/consent/refusals", "refusals", {}, _PROOFS):
            yield row

    async def _post(self, path: str, body: Mapping[str, object], key: str | None) -> dict[str, Any]:
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return answers.mapping(await self._transport.json("POST", path, headers=headers, body=lambda: json_body(body)))

    async def _rows(
        self, path: str, name: str, params: dict[str, str], page: str = _PAGE
    ) -> AsyncIterator[dict[str, Any]]:
        params = {**params, "limit": page}
        while True:
            answer = answers.mapping(await self._transport.json("GET", path, params=params))
            for row in answers.rows(answer, name):
                yield row
            following = answer.get("next")
            if following is None or following == params.get("after"):
                return
            params["after"] = str(following)


def _given(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}
