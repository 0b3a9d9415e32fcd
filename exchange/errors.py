"""Faults that reach a user: a stable code, an HTTP status, one line that says what, why and what to do.

Over HTTP each is a problem document (RFC 9457) of type `urn:cbm:problem:<code>`.
"""

from collections.abc import Mapping
from typing import ClassVar

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class ExchangeError(Exception):
    """Base. `detail` never holds a secret or content; `extra` become members of the problem document."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal fault"

    def __init__(self, code: str, detail: str, extra: Mapping[str, Json] | None = None) -> None:
        """`code` in kebab case, part of the contract; `detail` one line."""
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.extra = dict(extra or {})


class Invalid(ExchangeError):
    """The input is wrong; the same input will never be accepted."""

    status = 422
    title = "Invalid input"


class Malformed(Invalid):
    """The input cannot even be read."""

    status = 400
    title = "Malformed input"


class Unauthenticated(ExchangeError):
    """No valid proof of who asks."""

    status = 401
    title = "Not authenticated"


class Forbidden(ExchangeError):
    """Known who asks, and it may not: scope, measure, consent."""

    status = 403
    title = "Refused"


class NotFound(ExchangeError):
    """There is no such thing, or not for this caller."""

    status = 404
    title = "Not found"


class Conflict(ExchangeError):
    """It contradicts what is stored already."""

    status = 409
    title = "Conflict"


class TooLarge(ExchangeError):
    """Larger than a bound allows."""

    status = 413
    title = "Too large"


class TooSlow(ExchangeError):
    """The peer did not send in time."""

    status = 408
    title = "Time-out"


class TooMany(ExchangeError):
    """More than a rate or a quota allows; try later."""

    status = 429
    title = "Too many requests"


class Unavailable(ExchangeError):
    """Cannot be done now, may be done later; nothing was changed."""

    status = 503
    title = "Not available now"


class StoreFault(ExchangeError):
    """The store is damaged, newer than this program, or cannot be written."""

    title = "Store fault"


def problem_type(code: str) -> str:
    """The problem's type, a URN."""
    return f"urn:cbm:problem:{code}"


def problem_document(error: ExchangeError) -> dict[str, Json]:
    """The RFC 9457 document of an error."""
    return {
        **error.extra,
        "type": problem_type(error.code),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
    }
