"""What went wrong between a node and the relay, in words. The relay is not trusted to say it well."""

import json
import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import aiohttp

from exchange.errors import ExchangeError

_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_MAX_DETAIL: Final = 300
# uvloop says so, in a RuntimeError, of a new socket with the number of one whose connection has just broken, and which
# still stands in its books.
_NUMBER_IN_USE: Final = "File descriptor "


@contextmanager
def network_faults(told: Callable[[BaseException], ExchangeError]) -> Iterator[None]:
    """Raise what `told` makes of it when a connection cannot be made, or breaks, within the block."""
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, OSError) as fault:
        raise told(fault) from None
    except RuntimeError as fault:
        if not str(fault).startswith(_NUMBER_IN_USE):
            raise
        raise told(fault) from None


def reason(fault: BaseException) -> str:
    """A network fault in words, without the library's objects."""
    cause = fault.os_error if isinstance(fault, aiohttp.ClientConnectorError) else fault
    if isinstance(cause, ssl.SSLError):
        # Its number is one of the TLS library's, not the system's.
        return f"TLS failed: {cause.reason or 'no reason given'}"
    if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
        return os.strerror(cause.errno)
    if isinstance(cause, TimeoutError):
        return "not in time"
    return str(cause) or type(cause).__name__


def problem(data: bytes) -> tuple[str, str, dict[str, Any]]:
    """Code, detail and members of a problem document; the relay is not trusted to send one."""
    try:
        document = json.loads(data)
        kind, detail = str(document.get("type", "")), str(document.get("detail", ""))
    except (ValueError, AttributeError, RecursionError):
        return "", "", {}
    code = kind.removeprefix("urn:cbm:problem:")
    known = ("rule", "recipient", "provider", "provision")
    extra = {key: _clean(value) for key, value in document.items() if key in known and isinstance(value, str)}
    return code if _CODE.fullmatch(code) else "", _clean(detail), extra


def _clean(text: str) -> str:
    """One line that can be stored and shown: JSON may hold halves of characters, and control codes."""
    return "".join(char if char.isprintable() else " " for char in text[:_MAX_DETAIL]).strip()
