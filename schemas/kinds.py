"""Objects of several kinds in one place: a kind byte, then one object of the struct that it stands for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from schemas.canon import Struct, decode, encode
from schemas.errors import DecodeError, Reason

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kinds(Generic[T]):
    """The codec of all kinds together; `T` is the union of their classes.

    Attributes:
        name: what an error calls the whole.
        max_size: of the largest object, in bytes, its kind apart.
        structs: by kind byte; no class stands twice.
    """

    name: str
    max_size: int
    structs: Mapping[int, Struct[Any]]
    _numbers: Mapping[type, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Know the kind byte of each class."""
        object.__setattr__(self, "_numbers", {struct.cls: number for number, struct in self.structs.items()})

    def encode(self, value: T) -> bytes:
        """Kind byte and object."""
        number = self._numbers[type(value)]
        return bytes([number]) + encode(self.structs[number], value)

    def decode(self, data: bytes) -> T:
        """Read one object of any kind; raises DecodeError."""
        if not data or data[0] not in self.structs:
            raise DecodeError(Reason.WRONG_TYPE, self.name)
        value: T = decode(self.structs[data[0]], data[1:], self.max_size)
        return value
