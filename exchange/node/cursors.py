"""Places in lists and event streams, as callers see them: opaque, since the numbers inside count the whole node.

A number would tell each ministry how many messages the others have, and when.
"""

from typing import Final

from exchange.errors import Invalid
from exchange.node.access import Caller
from keys.errors import Undecryptable
from keys.vault import Vault

_START: Final = "0"
_SIZE: Final = 8
# A sealed number has 96 digits.
_MAX_TEXT: Final = 200


def cursor(vault: Vault, kind: str, caller: Caller, number: int) -> str:
    """A place in lists of one kind, good for the caller's ministry; another text every time."""
    return vault.seal(f"cursor-{kind}", caller.ministry.encode(), number.to_bytes(_SIZE, "big")).hex()


def place(vault: Vault, kind: str, caller: Caller, text: str) -> int:
    """The number in what `cursor` made for this kind and ministry; 0 for "0", the beginning. Raises Invalid."""
    if text == _START:
        return 0
    try:
        sealed = bytes.fromhex(text) if len(text) <= _MAX_TEXT else b""
        return int.from_bytes(vault.open(f"cursor-{kind}", caller.ministry.encode(), sealed), "big")
    except (ValueError, Undecryptable):
        detail = f"this is no place in your {kind}: give `next` or the id of an event as this node wrote it, or 0"
        raise Invalid("bad-request", detail) from None
