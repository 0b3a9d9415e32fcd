"""Worked examples, changes to them, and what validation says of the result."""

from collections.abc import Callable
from typing import Any

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
