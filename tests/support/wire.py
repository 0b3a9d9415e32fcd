"""Hand-made msgpack: what the encoder would never write, for tests of the decoder."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgpack
import pytest

from schemas.canon import Codec, decode
from schemas.errors import DecodeError, Reason

ABSENT: Final = object()
"""As a new value in `changed`: leave the field out."""


def pack(value: object) -> bytes:
    """Shortest msgpack of any value."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def fields(data: bytes) -> dict[int, Any]:
    """The map in `data`, unchecked."""
    unpacked: dict[int, Any] = msgpack.unpackb(data, raw=False, strict_map_key=False)
    return unpacked


def changed(data: bytes, changes: Mapping[int, object]) -> bytes:
    """`data` with some fields replaced, added, or left out, in ascending order."""
    merged = {**fields(data), **changes}
    return pack({key: merged[key] for key in sorted(merged) if merged[key] is not ABSENT})


def raw_map(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A map of already packed keys and values in this order, repeats included; at most 15."""
    listed = list(pairs)
    assert len(listed) <= 15
    return bytes([0x80 | len(listed)]) + b"".join(key + value for key, value in listed)


def refusal(read: Callable[..., object], *arguments: object) -> Reason:
    """The reason with which `read` refuses its arguments."""
    with pytest.raises(DecodeError) as caught:
        read(*arguments)
    return caught.value.reason


def refused(codec: Codec[Any], data: bytes, max_size: int = 2**20) -> Reason:
    """The reason with which `data` is refused."""
    return refusal(decode, codec, data, max_size)
