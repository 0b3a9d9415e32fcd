"""The one encoding: a msgpack subset in which every value has exactly one sequence of bytes.

An object is a msgpack map with small integer keys in ascending order; a field that is absent is left out; integers,
lengths and strings take their shortest form; nil, floats and extension types do not occur. A decoder refuses unknown,
missing, repeated or unordered fields, and anything that does not encode again to the same bytes.

Evolution rule: a field key is never renumbered or given another meaning; a new field is optional with a new key.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

import msgpack

from schemas import limits
from schemas.errors import DecodeError, Reason

T = TypeVar("T")
E = TypeVar("E", bound=IntEnum)

# No list of this protocol is longer than this (see limits); msgpack reserves memory by the stated length,
# so the bound also caps what a hostile length costs.
_MAX_LIST = 256
_MAX_KEYS = 32
_FORBIDDEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


class Codec(Protocol[T]):
    """How one kind of value becomes a msgpack tree (`pack`) and is checked on the way back (`unpack`)."""

    def pack(self, value: T, where: str) -> object:
        """Give the tree of `value`; raises DecodeError when the value is outside the protocol."""
        ...

    def unpack(self, wire: object, where: str) -> T:
        """Check a tree and give its value; raises DecodeError."""
        ...


@dataclass(frozen=True, slots=True)
class Uint:
    """An integer from `low` to `high`."""

    low: int = 0
    high: int = limits.MAX_TIME

    def unpack(self, wire: object, where: str) -> int:
        """Refuse bool (an int to Python), and what is out of range."""
        if type(wire) is not int:
            raise DecodeError(Reason.WRONG_TYPE, where)
        if not self.low <= wire <= self.high:
            raise DecodeError(Reason.OUT_OF_RANGE, where)
        return wire

    pack = unpack


@dataclass(frozen=True, slots=True)
class Blob:
    """A byte string of `low` to `high` bytes."""

    low: int
    high: int

    def unpack(self, wire: object, where: str) -> bytes:
        """Refuse other types and lengths."""
        if type(wire) is not bytes:
            raise DecodeError(Reason.WRONG_TYPE, where)
        if not self.low <= len(wire) <= self.high:
            raise DecodeError(Reason.OUT_OF_RANGE, where)
        return wire

    pack = unpack


def fixed(size: int) -> Blob:
    """A byte string of exactly `size` bytes."""
    return Blob(size, size)


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `high` characters that matches `pattern` as a whole."""

    high: int
    pattern: re.Pattern[str] | None = None

    def unpack(self, wire: object, where: str) -> str:
        """Refuse other types, lengths, forms, control characters, and surrogates (which have no UTF-8)."""
        if type(wire) is not str:
            raise DecodeError(Reason.WRONG_TYPE, where)
        if not 1 <= len(wire) <= self.high or _FORBIDDEN.search(wire) is not None:
            raise DecodeError(Reason.OUT_OF_RANGE, where)
        if self.pattern is not None and self.pattern.fullmatch(wire) is None:
            raise DecodeError(Reason.OUT_OF_RANGE, where)
        return wire

    pack = unpack


@dataclass(frozen=True, slots=True)
class Choice(Generic[E]):
    """One of the numbered values of an enumeration."""

    values: type[E]

    def pack(self, value: E, where: str) -> int:
        """Give the number."""
        return self.unpack(int(value), where).value

    def unpack(self, wire: object, where: str) -> E:
        """Refuse what the enumeration does not number."""
        if type(wire) is not int:
            raise DecodeError(Reason.WRONG_TYPE, where)
        try:
            return self.values(wire)
        except ValueError:
            raise DecodeError(Reason.OUT_OF_RANGE, where) from None


@dataclass(frozen=True, slots=True)
class Seq(Generic[T]):
    """A list of `low` to `high` items; with `key`, strictly ascending by it, so sorted and without repeats."""

    item: Codec[T]
    low: int
    high: int
    key: Callable[[T], Any] | None = None

    def pack(self, value: tuple[T, ...], where: str) -> list[object]:
        """Give the list, under the same rules as reading."""
        self._check(value, where)
        return [self.item.pack(item, where) for item in value]

    def unpack(self, wire: object, where: str) -> tuple[T, ...]:
        """Refuse other lengths and orders."""
        if type(wire) is not list:
            raise DecodeError(Reason.WRONG_TYPE, where)
        if not self.low <= len(wire) <= self.high:
            raise DecodeError(Reason.OUT_OF_RANGE, where)
        value = tuple([self.item.unpack(item, where) for item in wire])
        self._check(value, where)
        return value

    def _check(self, value: tuple[T, ...], where: str) -> None:
        if not self.low <= len(value) <= self.high:
            raise DecodeError(Reason.OUT_OF_RANGE, where)
        if self.key is not None:
            keys = [self.key(item) for item in value]
            if any(not before < after for before, after in pairwise(keys)):
                raise DecodeError(Reason.BAD_ORDER, where)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct: its number on the wire, its attribute, its codec, and whether it may be absent (None)."""

    key: int
    name: str
    codec: Codec[Any]
    optional: bool = False


class Struct(Generic[T]):
    """The codec of a frozen dataclass; `fields` in ascending order of their numbers."""

    def __init__(self, cls: type[T], *fields: Field) -> None:
        """Raises ValueError when the field numbers do not ascend (a programming fault)."""
        keys = [f.key for f in fields]
        if keys != sorted(set(keys)):
            raise ValueError(f"field numbers of {cls.__name__} do not ascend")
        self.cls = cls
        self._fields = fields
        self._known = frozenset(keys)

    def pack(self, value: T, where: str = "") -> dict[int, object]:
        """Give the map of the fields that are present."""
        path = where or self.cls.__name__
        packed = {}
        for field in self._fields:
            item = getattr(value, field.name)
            if item is None and field.optional:
                continue
            packed[field.key] = field.codec.pack(item, f"{path}.{field.name}")
        return packed

    def unpack(self, wire: object, where: str = "") -> T:
        """Refuse unknown and missing fields, then build the object, whose own checks may refuse too."""
        path = where or self.cls.__name__
        if type(wire) is not dict:
            raise DecodeError(Reason.WRONG_TYPE, path)
        if not wire.keys() <= self._known:
            raise DecodeError(Reason.UNKNOWN_FIELD, path)
        values = {}
        for field in self._fields:
            if field.key in wire:
                values[field.name] = field.codec.unpack(wire[field.key], f"{path}.{field.name}")
            elif field.optional:
                values[field.name] = None
            else:
                raise DecodeError(Reason.MISSING_FIELD, f"{path}.{field.name}")
        return self.cls(**values)


def encode(codec: Codec[T], value: T) -> bytes:
    """The bytes of `value`; raises DecodeError when the value is outside the protocol."""
    packed: bytes = msgpack.packb(codec.pack(value, ""), use_bin_type=True)
    return packed


def decode(codec: Codec[T], data: bytes, max_size: int) -> T:
    """Read one object from all of `data`, at most `max_size` bytes.

    Raises DecodeError, and nothing else, for any input that is not the one encoding of a value.
    """
    if len(data) > max_size:
        raise DecodeError(Reason.TOO_LARGE, "object")
    tree = _tree(data)
    value = codec.unpack(tree, "")
    # Field order and repeats were refused while reading; this catches integers and lengths in a longer form.
    if msgpack.packb(tree, use_bin_type=True) != data:
        raise DecodeError(Reason.NON_CANONICAL, "object")
    return value


def glimpse(objects: Sequence[bytes]) -> Sequence[Any]:
    """The trees of many objects at once, with bytes in place of texts, and nothing checked.

    Only to see that they agree with what is known: of what does not agree, or of bad bytes (DecodeError), one object
    may have been taken for part of another.
    """
    try:
        trees: Sequence[Any] = msgpack.unpackb(
            b"\xdd" + len(objects).to_bytes(4, "big") + b"".join(objects), strict_map_key=False, raw=True
        )
    except (ValueError, TypeError, msgpack.exceptions.UnpackException):
        raise DecodeError(Reason.MALFORMED, "objects") from None
    return trees


def _tree(data: bytes) -> object:
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=False,
            object_pairs_hook=_fields_in_order,
            ext_hook=_no_extension,
            max_array_len=_MAX_LIST,
            max_map_len=_MAX_KEYS,
            max_ext_len=0,
        )
    except DecodeError:
        raise
    except msgpack.exceptions.ExtraData:
        raise DecodeError(Reason.TRAILING_BYTES, "object") from None
    except msgpack.exceptions.StackError:
        raise DecodeError(Reason.TOO_DEEP, "object") from None
    except (ValueError, TypeError, msgpack.exceptions.UnpackException):
        raise DecodeError(Reason.MALFORMED, "object") from None


def _fields_in_order(pairs: list[tuple[object, object]]) -> dict[int, object]:
    fields: dict[int, object] = {}
    last = -1
    for key, value in pairs:
        if type(key) is not int:
            raise DecodeError(Reason.WRONG_TYPE, "field number")
        if key in fields:
            raise DecodeError(Reason.DUPLICATE_FIELD, "object")
        if key < last:
            raise DecodeError(Reason.BAD_ORDER, "object")
        fields[key] = value
        last = key
    return fields


def _no_extension(_code: int, _data: bytes) -> object:
    raise DecodeError(Reason.MALFORMED, "extension type")
