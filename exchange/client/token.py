"""Where the bearer token comes from, and where it may go."""

import ipaddress
import os
import stat
from pathlib import Path
from typing import Final

from yarl import URL

from exchange.client.errors import NotPrivate

_MAX_TOKEN: Final = 4096


def read_token(path: Path) -> str:
    """The token in a file that only its owner can read; raises NotPrivate when others can, or when there is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise NotPrivate(f"the token file {path} cannot be read: {fault.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise NotPrivate(f"the token file {path} is not private to this user: chmod 600 {path}")
        data = file.read(_MAX_TOKEN + 1)
    return checked_token(data.decode("ascii", "replace").strip(), f"the token file {path}")


def checked_token(token: str, source: str) -> str:
    """A token that fits a header; raises NotPrivate naming its source, never the token."""
    if not 1 <= len(token) <= _MAX_TOKEN or not all("!" <= character <= "~" for character in token):
        raise NotPrivate(f"{source} does not hold one token: ask the node's operator for a new one")
    return token


def checked_url(url: str) -> URL:
    """The node's base address: HTTPS, or plain HTTP on this machine only. Raises NotPrivate."""
    try:
        address = URL(url)
        plain_and_remote = address.scheme == "http" and not _is_loopback(address.host or "")
    except ValueError:
        raise NotPrivate("the node's address is no URL: give one such as https://node.example:8443") from None
    if address.scheme not in ("http", "https") or not address.host or address.user or address.query_string:
        raise NotPrivate("the node's address has to be https://HOST[:PORT], without a user or a query")
    if plain_and_remote:
        raise NotPrivate("the token would travel in clear: plain http is for this machine only, use https")
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
