"""Joint Provisions (1.7): what several states provide together, and what each of them says to it before it is sent.

Each answer is the plain object of the node's interface; times are RFC 3339 texts.
"""

import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp

from exchange.client import answers
from exchange.client.transport import Transport
from exchange.client.upload import json_body

_PIECE = 256 * 1024


class Joint:
    """The part of `NodeClient` that signs and refuses them."""

    _transport: Transport

    async def joint(self, *, every: bool = False) -> AsyncIterator[dict[str, Any]]:
        """Those that wait for signatures, or all, newest first; each with the answer of every provider."""
        params = {"state": "all" if every else "open"}
        while True:
            answer = answers.mapping(await self._transport.json("GET", "v1/joint", params=params))
            for row in answers.rows(answer, "joint"):
                yield row
            following = answer.get("next")
            if following is None or following == params.get("after"):
                return
            params["after"] = str(following)

    async def joint_draft(self, digest: str) -> dict[str, Any]:
        """One of them, whole: the record, the attachments, and the terms that are signed."""
        return answers.mapping(await self._transport.json("GET", _path(digest)))

    async def joint_attachment(self, digest: str, index: int) -> AsyncIterator[bytes]:
        """The bytes of an attachment, piece by piece; complete only when the iteration ends without an error."""
        response = await self._transport.stream(f"{_path(digest)}/attachments/{index:d}")
        async with response:
            try:
                async for piece in response.content.iter_chunked(_PIECE):
                    yield piece
            except (aiohttp.ClientError, TimeoutError) as fault:
                raise self._transport.unreachable(fault) from None

    async def sign_joint(self, digest: str, *, idempotency_key: str | None = None) -> dict[str, Any]:
        """Sign what has this digest; the other providers are told.

        Where other officials have to agree first, the answer has the state `awaiting-release` and the `id` of what
        waits for them.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        path = f"{_path(digest)}/sign"
        return answers.mapping(await self._transport.json("POST", path, headers=headers, body=lambda: json_body({})))

    async def refuse_joint(self, digest: str, reason: str) -> dict[str, Any]:
        """Refuse it, for a reason that the other providers are told. Final."""
        body = {"reason": reason}
        return answers.mapping(
            await self._transport.json("POST", f"{_path(digest)}/refuse", body=lambda: json_body(body))
        )


def _path(digest: str) -> str:
    return f"v1/joint/{quote(digest, safe='')}"
