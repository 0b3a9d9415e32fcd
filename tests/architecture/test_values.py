"""What crosses the wire is an immutable value: every class of `schemas` is frozen and slotted, or no value at all."""

import dataclasses
import enum
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import schemas


def classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(schemas.__path__, "schemas."):
        for thing in vars(importlib.import_module(module.name)).values():
            if isinstance(thing, type) and thing.__module__ == module.name:
                yield thing


def fault(cls: type) -> str | None:
    """Why `cls` is not fit for `schemas`, or None. Codecs (pack and unpack) hold no values and are exempt."""
    if issubclass(cls, enum.Enum | Exception) or getattr(cls, "_is_protocol", False):
        return None
    if dataclasses.is_dataclass(cls):
        if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]  # typeshed leaves the parameters out
            return "not frozen"
        return None if "__slots__" in vars(cls) else "not slotted"
    return None if {"pack", "unpack"} <= vars(cls).keys() else "neither dataclass, enumeration, exception nor codec"


@dataclasses.dataclass(slots=True)
class Mutable:
    field: int


@dataclasses.dataclass(frozen=True)
class Unslotted:
    field: int


class Plain:
    pass


@pytest.mark.parametrize("cls", [Mutable, Unslotted, Plain])
def test_an_unfit_class_is_seen(cls: type) -> None:
    assert fault(cls) is not None


def test_every_class_of_schemas_is_a_frozen_value() -> None:
    found = {f"{cls.__module__}.{cls.__qualname__}": fault(cls) for cls in classes()}
    assert "schemas.canon.Uint" in found
    assert {name: why for name, why in found.items() if why} == {}
