"""One HTTP exchange with the node, sent again while that is allowed.

Every request of this package is safe to repeat: it reads, or it carries an idempotency key.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import aiohttp
from yarl import URL

from exchange.client.errors import BadAnswer, Problem, Unreachable
from exchange.client.retry import RETRIED_STATUS, Retry, asked_wait

T = TypeVar("T")

Body = Callable[[], Any]
"""Makes the request's body anew for every attempt."""

# A record has at most 4 MiB; what stands around it is small.
_MAX_ANSWER: Final = 16 * 1024 * 1024
_MAX_PROBLEM: Final = 64 * 1024
# No limit in total: an attachment may be large. An idle event stream has a comment from the node within `sock_read`.
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=120)


class Refused(Exception):  # internal: what is left of it reaches the caller as a Problem
    """An answer that is no success, with the seconds that the node asked to wait."""

    def __init__(self, problem: Problem, wait: float | None) -> None:
        """Keep both."""
        super().__init__()
        self.problem = problem
        self.wait = wait


class Transport:
    """A session with one node. `open` and `close` it; `NodeClient` does."""

    def __init__(self, base: URL, token: str, retry: Retry, tls: ssl.SSLContext | None) -> None:
        """`base`: checked; `tls`: None for the system's authorities."""
        self._base = base
        self._headers = {"Authorization": f"Bearer {token}"}
        self._retry = retry
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None

    @property
    def retry(self) -> Retry:
        """How often a request is sent."""
        return self._retry

    async def open(self) -> None:
        """Make the session; no connection yet."""
        connector = aiohttp.TCPConnector(ssl=self._tls if self._tls is not None else True)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, headers=self._headers)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> object:
        """The JSON of a successful answer. Raises Problem, Unreachable, BadAnswer."""

        async def once() -> object:
            response = await self._request(method, path, params, headers, body)
            async with response:
                return _parse(await _bounded(response, _MAX_ANSWER))

        return await self._repeat(once)

    async def content(self, path: str, params: Mapping[str, str]) -> bytes:
        """The body of a successful answer. Raises Problem, Unreachable, BadAnswer."""
        return (await self.file(path, params))[0]

    async def file(
        self, path: str, params: Mapping[str, str], most: int = _MAX_ANSWER
    ) -> tuple[bytes, Mapping[str, str]]:
        """The body of a successful answer, at most so many bytes, and its headers.

        Raises Problem, Unreachable, BadAnswer.
        """

        async def once() -> tuple[bytes, Mapping[str, str]]:
            response = await self._request("GET", path, params, None, None)
            async with response:
                return await _bounded(response, most), response.headers

        return await self._repeat(once)

    async def stream(self, path: str, headers: Mapping[str, str] | None = None) -> aiohttp.ClientResponse:
        """A successful answer whose body is not read yet; the caller closes it. Raises Problem, Unreachable."""
        return await self._repeat(lambda: self._request("GET", path, None, headers, None))

    async def _repeat(self, once: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            failures += 1
            last = failures >= self._retry.attempts
            try:
                return await once()
            except Refused as refused:
                if last or refused.problem.status not in RETRIED_STATUS:
                    raise refused.problem from None
                wait = refused.wait
            except aiohttp.ClientSSLError as fault:
                raise self.unreachable(fault) from None
            except (aiohttp.ClientError, TimeoutError, OSError) as fault:
                if last:
                    raise self.unreachable(fault) from None
                wait = None
            await asyncio.sleep(self._retry.wait(failures, wait))

    async def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: Body | None,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise Unreachable("the client is closed: use it inside `async with NodeClient(...)`")
        response = await self._session.request(
            method,
            self._base.joinpath(*path.split("/")),
            params=params,
            headers=headers,
            data=body() if body is not None else None,
            allow_redirects=False,  # a redirect would take the token to whoever is named in it
        )
        if 200 <= response.status < 300:
            return response
        async with response:
            data = await _bounded(response, _MAX_PROBLEM)
            raise Refused(_problem(response, data), asked_wait(response.headers.get("Retry-After")))

    def unreachable(self, fault: Exception) -> Unreachable:
        """The error for a network fault."""
        why = str(fault) or type(fault).__name__
        return Unreachable(f"the node at {self._base.origin()} does not answer ({why}): check that it runs")


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > limit:
            response.close()
            raise BadAnswer("the answer is larger than any of the node's interface: check the address")
    return bytes(data)


def _parse(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadAnswer("the answer is no JSON: check that the address is the node's") from None


def _problem(response: aiohttp.ClientResponse, data: bytes) -> Problem:
    """The problem document, or what can be said without one."""
    try:
        document = json.loads(data) if "json" in response.content_type else {}
    except (ValueError, RecursionError):
        document = {}
    if not isinstance(document, dict):
        document = {}
    reason = response.reason or "no reason given"
    members = ("type", "title", "status", "detail")
    return Problem(
        str(document.get("type") or "about:blank"),
        str(document.get("title") or reason),
        response.status,
        str(document.get("detail") or f"the node answered {response.status} ({reason})"),
        {name: value for name, value in document.items() if name not in members},
    )
