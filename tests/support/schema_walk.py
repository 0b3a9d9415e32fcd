"""Which subschemas apply where in a record: what a property-based test needs to break exactly one rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import Draft202012Validator

from schemas.registry import self_contained

Schema = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A value of a record and one subschema that it has to satisfy."""

    path: tuple[str | int, ...]
    schema: Schema


def places(record: Any) -> list[Place]:  # noqa: ANN401 - a JSON value
    """Every place of a valid record, with each subschema that applies there; alternatives are not looked into."""
    root = self_contained(record["record_type"], record["schema_version"])
    return list(_walk(root, root, record, ()))


def _walk(root: Schema, schema: Any, value: Any, path: tuple[str | int, ...]) -> Iterator[Place]:  # noqa: ANN401
    if not isinstance(schema, dict):
        return
    yield Place(path, schema)
    for part in _applied(root, schema, value):
        yield from _walk(root, part, value, path)
    if isinstance(value, dict):
        named = schema.get("properties", {})
        for name, item in value.items():
            yield from _walk(root, named.get(name, schema.get("additionalProperties")), item, (*path, name))
    if isinstance(value, list):
        first = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            inner = first[index] if index < len(first) else schema.get("items")
            yield from _walk(root, inner, item, (*path, index))


def _applied(root: Schema, schema: Schema, value: object) -> Iterator[Schema]:
    """The subschemas that hold for the same value: references, allOf, and the branch that if takes."""
    if "$ref" in schema:
        yield root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
    yield from schema.get("allOf", ())
    if "if" in schema:
        test = Draft202012Validator({**schema["if"], "$defs": root["$defs"]})
        yield schema.get("then" if test.is_valid(value) else "else", {})


def unbounded(schema: Schema) -> list[str]:
    """Paths of texts, lists, objects and numbers of a schema that have no bound."""
    found = []

    def look(node: object, path: str) -> None:
        if isinstance(node, list):
            for index, item in enumerate(node):
                look(item, f"{path}/{index}")
        if not isinstance(node, dict):
            return
        kinds = node.get("type", ())
        if any(not _bounded(kind, node) for kind in ([kinds] if isinstance(kinds, str) else kinds)):
            found.append(path)
        for name, item in node.items():
            look(item, f"{path}/{name}")

    look(schema, "")
    return found


def _bounded(kind: str, node: Schema) -> bool:
    match kind:
        case "string":
            endless = re.search(r"(?<!\\)[*+]|\{\d+,\}", re.sub(r"\[[^]]*\]", "x", node.get("pattern", "*")))
            return "maxLength" in node or node.get("format") in {"date", "email"} or endless is None
        case "array":
            return "maxItems" in node
        case "integer" | "number":
            return {"minimum", "maximum"} <= node.keys() or "enum" in node
        case _:
            return True
