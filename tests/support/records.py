"""Worked examples, changes to them, and what validation says of the result."""

from collections.abc import Callable
from typing import Any

import pytest

from schemas.record_errors import RecordError
from schemas.registry import examples
from schemas.validate import load_json, validate_record

Record = dict[str, Any]
Mutation = Callable[[Record], object]


def example(record_type: str, name: str) -> Record:
    value = load_json(dict(examples(record_type))[f"{name}.json"])
    assert isinstance(value, dict)
    return value


def refusals(record: object) -> dict[str, str]:
    """Path and expectation of each fault; empty when the record is valid."""
    try:
        validate_record(record)
    except RecordError as error:
        return {fault.path: fault.expected for fault in error.faults}
    return {}


def warnings(record: object) -> list[str]:
    return [fault.path for fault in validate_record(record).warnings]


def at(record: Record, path: str) -> Any:  # noqa: ANN401 - a JSON value
    """The value at a JSON Pointer."""
    node: Any = record
    for step in path.split("/")[1:]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return node


def put(path: str, value: object) -> Mutation:
    """Set the member at a JSON Pointer."""

    def change(record: Record) -> None:
        parent, _, last = path.rpartition("/")
        node = at(record, parent)
        node[int(last) if isinstance(node, list) else last] = value

    return change


def drop(path: str) -> Mutation:
    """Remove the member at a JSON Pointer."""

    def change(record: Record) -> None:
        parent, _, last = path.rpartition("/")
        node = at(record, parent)
        del node[int(last) if isinstance(node, list) else last]

    return change


# Cases of one example: what is wrong, how it comes about, and the pointer at which it is refused.
Defects = dict[tuple[str, str], list[tuple[str, Mutation, str]]]


def cases(defects: Defects) -> list[Any]:
    """Parameters `record_type`, `name`, `change`, `path` for a test of each defect."""
    return [
        pytest.param(record_type, name, change, path, id=f"{record_type}: {label}")
        for (record_type, name), rows in defects.items()
        for label, change, path in rows
    ]


def both(*changes: Mutation) -> Mutation:
    """Several changes in turn."""

    def change(record: Record) -> None:
        for one in changes:
            one(record)

    return change
