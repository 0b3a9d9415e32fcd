"""Requests to a node's API as bytes, so that a test can spoil them."""

import json
from typing import Final

from tests.support.node import request_of

BOUNDARY: Final = "b0undary"
FORM: Final = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON: Final = {"Content-Type": "application/json"}


def text(**changes: object) -> bytes:
    """A request's JSON; `changes` replace or add fields."""
    return json.dumps({**request_of(["MNG"]), **changes}).encode()


def part(name: str, body: bytes, filename: str | None = None, more: str = "") -> bytes:
    """One part of a form; `more` are further header lines."""
    shown = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n{more}\r\n'
    return head.encode() + body + b"\r\n"


def form(*parts: bytes, end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> bytes:
    """A form of these parts."""
    return b"".join(parts) + end
