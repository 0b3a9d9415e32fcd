"""Codecs in the words of docs/protocol.md, so that a test can hold the document against the code."""

import importlib
import pkgutil
from collections.abc import Iterator
from enum import IntEnum
from typing import Any

import schemas
from schemas import ids, limits
from schemas.canon import Blob, Choice, Codec, Field, Seq, Struct, Text, Uint
from schemas.files import KINDS


def objects() -> dict[str, Struct[Any]]:
    """Every object of the wire by the name of its class."""
    of_files = [kind.codec for kind in KINDS.values() if isinstance(kind.codec, Struct)]
    return {struct.cls.__name__: struct for struct in (*_found(Struct), *of_files)}


def enumerations() -> dict[str, type[IntEnum]]:
    """Every enumeration that has numbers on the wire, by name."""
    return {cls.__name__: cls for cls in _found(type) if issubclass(cls, IntEnum) and list(cls)}


def _found(kind: type[Any]) -> Iterator[Any]:
    for module in pkgutil.iter_modules(schemas.__path__, "schemas."):
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, kind) and getattr(thing, "__module__", "schemas").startswith("schemas"):
                yield thing


def row(field: Field) -> str:
    """A field's line in its table."""
    return f"| {field.key} | `{field.name}` | {phrase(field.codec)} | {'yes' if field.optional else ''} |"


def phrase(codec: Codec[Any]) -> str:
    """What a codec accepts."""
    match codec:
        case Uint(low=0, high=limits.MAX_TIME):
            return "time"
        case Uint(low=low, high=high):
            return f"integer, {low} to {high}"
        case Blob(low=low, high=high) if low == high:
            return f"{low} bytes"
        case Blob(low=low, high=high):
            return f"{low} to {high} bytes"
        case Text() if codec == ids.MEMBER:
            return "member"
        case Text(high=high):
            return f"text, 1 to {high} characters"
        case Seq(item=item, low=low, high=high, key=key):
            return f"list of {low} to {high}{'' if key is None else ', ascending'}: {phrase(item)}"
        case Choice(values=values):
            return f"code `{values.__name__}`"
        case Struct():
            return f"`{codec.cls.__name__}`"
        case _:
            return "code `Suite`"
