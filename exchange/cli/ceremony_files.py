"""Reading and writing the files of the ceremonies. What exists is never overwritten."""

import os
from pathlib import Path
from typing import Any, TypeVar

from exchange.cli.output import Refusal
from schemas.errors import DecodeError
from schemas.files import MAX_FILE, FileKind, decode_file, encode_file, kind_of

T = TypeVar("T")


def load(path: Path, kind: FileKind[T]) -> T:
    """The object in a file that has to be of `kind`; raises Refusal."""
    data = read_bytes(path)
    try:
        return decode_file(kind, data)
    except DecodeError as fault:
        raise Refusal(f"{path} is not a {kind.name} file that this version reads ({fault})") from None


def load_any(path: Path) -> tuple[FileKind[Any], Any]:
    """The object in a file of any kind; raises Refusal."""
    data = read_bytes(path)
    try:
        kind = kind_of(data)
        return kind, decode_file(kind, data)
    except DecodeError as fault:
        raise Refusal(f"{path} is not a file of this protocol ({fault})") from None


def read_bytes(path: Path, limit: int = MAX_FILE) -> bytes:
    """All of a file of at most `limit` bytes; raises Refusal for a larger one, OSError."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Refusal(f"{path} is larger than {limit} bytes: it is not what is wanted here")
    return data


def refuse_existing(*paths: Path) -> None:
    """Raises Refusal when one of the files exists."""
    for path in paths:
        if os.path.lexists(path):
            raise Refusal(f"{path} exists: move it away or choose another name, nothing is overwritten")


def store(path: Path, kind: FileKind[T], value: T) -> None:
    """Write a new file; raises Refusal when it exists, OSError."""
    data = encode_file(kind, value)
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        refuse_existing(path)
        raise
