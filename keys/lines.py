"""Lines of the C2SP text formats: decimals and base64, each with exactly one accepted spelling. Raises DecodeError."""

import base64
import binascii
import re
from typing import Final

from schemas.errors import DecodeError, Reason
from schemas.ids import Digest
from schemas.limits import MAX_PROOF, MAX_TREE_SIZE

_MAX_DIGITS: Final = len(str(MAX_TREE_SIZE))
# ASCII control characters other than newline (signed-note, "Format"), and halves of characters, which no UTF-8 holds.
_UNFIT: Final = re.compile("[\\x00-\\x09\\x0b-\\x1f\\ud800-\\udfff]")


def read_text(data: bytes, maximum: int, where: str) -> str:
    """UTF-8 of at most `maximum` bytes that is fit for a note."""
    if len(data) > maximum:
        raise DecodeError(Reason.TOO_LARGE, where)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise DecodeError(Reason.MALFORMED, where) from None
    check_text(text, where)
    return text


def check_text(text: str, where: str) -> None:
    """That a note can hold `text`."""
    if _UNFIT.search(text):
        raise DecodeError(Reason.MALFORMED, where)


def decimal(text: str, where: str) -> int:
    """A size or index: ASCII digits without leading zeros, up to MAX_TREE_SIZE."""
    if not (text.isascii() and text.isdigit()):
        raise DecodeError(Reason.MALFORMED, where)
    if text[0] == "0" and text != "0":
        raise DecodeError(Reason.NON_CANONICAL, where)
    # The length first: to read a number of any length takes quadratic time.
    if len(text) > _MAX_DIGITS or int(text) > MAX_TREE_SIZE:
        raise DecodeError(Reason.OUT_OF_RANGE, where)
    return int(text)


def after(prefix: str, line: str, where: str) -> str:
    """What follows a fixed word and its space."""
    if not line.startswith(prefix):
        raise DecodeError(Reason.MALFORMED, where)
    return line[len(prefix) :]


def base64_text(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def base64_bytes(text: str, where: str) -> bytes:
    """The one spelling of `base64_text`: bits that belong to no byte are zero."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise DecodeError(Reason.MALFORMED, where) from None
    if base64_text(data) != text:
        raise DecodeError(Reason.NON_CANONICAL, where)
    return data


def hash_bytes(text: str, where: str) -> Digest:
    """A SHA-256 hash in base64."""
    data = base64_bytes(text, where)
    if len(data) != 32:
        raise DecodeError(Reason.OUT_OF_RANGE, where)
    return Digest(data)


def hash_lines(lines: list[str], where: str) -> tuple[Digest, ...]:
    """The hashes of a Merkle proof, one a line."""
    if len(lines) > MAX_PROOF:
        raise DecodeError(Reason.TOO_LARGE, where)
    return tuple(hash_bytes(line, where) for line in lines)
