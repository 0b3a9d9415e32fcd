"""What a request says in its path and its query, as values. Each raises Invalid (bad-request) naming what it wants."""

from datetime import date
from typing import Final

from aiohttp import web

from exchange.errors import Invalid

_KEY_LENGTH: Final = 200


def number(text: str, name: str, most: int) -> int:
    """A number from 0 to `most`."""
    if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) > most:
        raise Invalid("bad-request", f"{name} has to be a number from 0 to {most}")
    return int(text)


def day(request: web.Request, name: str) -> date | None:
    """A day of the query, None if it names none."""
    text = request.query.get(name)
    try:
        return None if text is None else date.fromisoformat(text if len(text) == 10 else "")
    except ValueError:
        raise Invalid("bad-request", f"?{name}= is a day such as 2027-01-31") from None


def flag(request: web.Request, name: str) -> bool:
    """A flag of the query, false if it names none."""
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise Invalid("bad-request", f"?{name}= is true or false")
    return text == "true"


def idempotency_key(request: web.Request) -> str | None:
    """The header `Idempotency-Key`, None without one. Raises Invalid (bad-idempotency-key)."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= _KEY_LENGTH:
        raise Invalid("bad-idempotency-key", f"Idempotency-Key has 1 to {_KEY_LENGTH} characters")
    return key
