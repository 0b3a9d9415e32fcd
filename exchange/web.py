"""What both HTTP servers share: every fault becomes a problem document, and never a traceback."""

import re
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from exchange.errors import (
    ExchangeError,
    Forbidden,
    Malformed,
    NotFound,
    TooLarge,
    Unavailable,
    problem_document,
)
from keys.errors import KeyFault
from schemas.errors import DecodeError

PROBLEM_TYPE = "application/problem+json"
# What may hold what the caller wrote: names of fields, a group's name.
_CALLERS_WORDS: Final = frozenset({"path", "group"})
_IDENT: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")


def problem_response(error: ExchangeError) -> web.Response:
    """The HTTP answer for an error; a temporary one says when to try again."""
    response = web.json_response(problem_document(error), status=error.status, content_type=PROBLEM_TYPE)
    if error.status in (429, 503):
        response.headers["Retry-After"] = "1"
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def problems(log: structlog.stdlib.BoundLogger) -> Middleware:
    """A middleware that answers every fault with its problem document and logs it with its code."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except (ExchangeError, DecodeError, KeyFault, web.HTTPException) as fault:
            error = as_error(fault)
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            log.exception("request.fault", method=request.method, route=_route(request), **_ident(request))
            error = ExchangeError("internal", "a fault of this server: its log has the details")
        if error.status >= 300:
            extra = {k: v for k, v in error.extra.items() if isinstance(v, str | int) and k not in _CALLERS_WORDS}
            log.info(
                "request.refused",
                method=request.method,
                route=_route(request),
                code=error.code,
                status=error.status,
                **_ident(request),
                **{f"fact_{key}": value for key, value in extra.items()},
            )
        return problem_response(error)

    return middleware


def _route(request: web.Request) -> str:
    """The path as it is described; a caller may have put anything into its own."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _ident(request: web.Request) -> dict[str, str]:
    """The id that the path names."""
    ident = request.match_info.get("id", "")
    return {"id": ident} if _IDENT.fullmatch(ident) else {}


def as_error(fault: ExchangeError | DecodeError | KeyFault | web.HTTPException) -> ExchangeError:
    """Any declared fault as one that has a status and a code."""
    if isinstance(fault, ExchangeError):
        return fault
    if isinstance(fault, DecodeError):
        return Malformed(fault.reason.value, f"{fault.where} is refused: {fault.reason.value}")
    if isinstance(fault, KeyFault):
        return Forbidden(_kebab(type(fault).__name__), str(fault))
    if fault.status == 404:
        return NotFound("no-such-path", "there is nothing at this path: see the API's description")
    if fault.status == 413:
        return TooLarge("too-large", "the request is larger than this server accepts")
    if fault.status == 503:
        return Unavailable("unavailable", "not available now: try again later")
    error = Malformed("bad-request", fault.reason or "the request is not understood")
    error.status = fault.status  # type: ignore[misc]  # the framework's own status, such as 405
    return error


def _kebab(name: str) -> str:
    return "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")
