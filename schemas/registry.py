"""The record types that this package carries: their schemas, examples and measures.

Adding a type takes a file `records/<type>/<version>.json`, its measures in `catalogue.json`, two examples, and a check
in `checks/` if JSON Schema cannot say all of its rules. The files are read once, through importlib.resources.
"""

import copy
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

from schemas import catalogue
from schemas.record_errors import refuse

Schema = dict[str, Any]

# The number of every measure that states agree on outside the Catalogue: it does not say what a record is about.
AGREED_ELSEWHERE: Final = "1.5"

# How tokens and rules name measures: a number, a beginning of one and a star, or all.
MEASURE_PATTERN: Final = r"\*|(?!1\.5$)[0-9A-Za-z.]{1,20}\*?|1\.5:[a-z0-9-]{0,64}\*?"

_COMMON_REF: Final = "../../common.json#/$defs/"
_LOCAL_REF: Final = "#/$defs/"
# As `semver` in common.json: a version is read before its schema is chosen, so a sender writes it freely until here.
_PART: Final = "(0|[1-9][0-9]{0,3})"
_VERSION: Final = re.compile(rf"{_PART}\.{_PART}\.{_PART}")


def list_schemas() -> list[tuple[str, str]]:
    """Every (record type, version), by type, oldest version first."""
    return [(record_type, version) for record_type in sorted(_load()) for version in versions(record_type)]


def versions(record_type: str) -> list[str]:
    """The versions of one type, oldest first; empty for an unknown type."""
    return sorted(_load().get(record_type, {}), key=parse_version)


def parse_version(version: str) -> tuple[int, int, int]:
    """(major, minor, patch) of a semantic version, each at most 9999; raises RecordError."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise refuse("/schema_version", "another text", "a version such as 1.0.0")
    major, minor, patch = match.groups()
    return int(major), int(minor), int(patch)


def self_contained(record_type: str, version: str | None = None) -> Schema:
    """One JSON Schema (2020-12) that needs no other file: the type's own with the shared definitions it uses.

    It is the schema that validation enforces, so what is shown is what holds. The caller may change the result.

    Args:
        record_type: such as `defence-budget`.
        version: the newest if None.

    Raises:
        RecordError: no such type or version; the fault names those that exist.
    """
    known = versions(record_type)
    if not known:
        raise refuse("/record_type", "an unknown type", "one of " + ", ".join(sorted(_load())))
    if version is not None and version not in known:
        raise refuse("/schema_version", "an unknown version", "one of " + ", ".join(known))
    return copy.deepcopy(_bundle(record_type, version or known[-1]))


def examples(record_type: str) -> list[tuple[str, bytes]]:
    """(file name, exact bytes) of the worked examples of a type, by name; empty for an unknown type."""
    if record_type not in _load():
        return []
    return list(_example_files(record_type))


def measures_of(record_type: str) -> tuple[str, ...]:
    """Measures of the newest edition that a type serves, last 1.5, a measure agreed outside the Catalogue."""
    return catalogue.measures_of(record_type)


def record_types_of(measure: str) -> tuple[str, ...]:
    """Record types that serve a measure of the newest edition, the most apt first; empty when none does."""
    return tuple(sorted(_load())) if measure == catalogue.OUTSIDE else catalogue.record_types_of(measure)


@cache
def default_tlp(record_type: str) -> str:
    """The marking that a type has unless its originator chooses another: RED for personal or otherwise grave data."""
    schema = self_contained(record_type)
    own: Schema = schema["properties"].get("handling", schema["$defs"]["handling"])
    return str(own["properties"]["tlp"]["default"])


@cache
def _load() -> dict[str, dict[str, Schema]]:
    folder = files("schemas").joinpath("records")
    return {
        kind.name: {
            file.name.removesuffix(".json"): json.loads(file.read_text("utf-8"))
            for file in kind.iterdir()
            if file.name.endswith(".json")
        }
        for kind in folder.iterdir()
        if kind.is_dir()
    }


@cache
def _common() -> dict[str, Schema]:
    definitions: dict[str, Schema] = json.loads(files("schemas").joinpath("common.json").read_text("utf-8"))["$defs"]
    return definitions


@cache
def _example_files(record_type: str) -> tuple[tuple[str, bytes], ...]:
    folder = files("schemas").joinpath("examples").joinpath(record_type)
    found = [(file.name, file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".json")]
    return tuple(sorted(found))


@cache
def _bundle(record_type: str, version: str) -> Schema:
    schema = copy.deepcopy(_load()[record_type][version])
    own: Schema = schema.pop("$defs", {})
    used: Schema = {}
    waiting = _common_names(schema) | _common_names(own)
    while waiting:
        name = waiting.pop()
        used[name] = copy.deepcopy(_common()[name])
        waiting |= {ref.removeprefix(_LOCAL_REF) for ref in _refs(used[name])} - used.keys()
    if clash := own.keys() & used.keys():
        raise ValueError(f"{record_type} defines {sorted(clash)} that common.json defines too; rename them")
    _localise(schema)
    _localise(own)
    return {
        "$schema": schema.pop("$schema"),
        "$id": f"urn:cbm:record:{record_type}:{version}",
        **schema,
        "$defs": own | dict(sorted(used.items())),
    }


def _nodes(value: object) -> list[Schema]:
    if isinstance(value, list):
        return [node for item in value for node in _nodes(item)]
    if isinstance(value, dict):
        return [value, *(node for item in value.values() for node in _nodes(item))]
    return []


def _refs(value: object) -> set[str]:
    return {node["$ref"] for node in _nodes(value) if isinstance(node.get("$ref"), str)}


def _common_names(value: object) -> set[str]:
    return {ref.removeprefix(_COMMON_REF) for ref in _refs(value) if ref.startswith(_COMMON_REF)}


def _localise(value: object) -> None:
    for node in _nodes(value):
        ref = node.get("$ref")
        if isinstance(ref, str):
            node["$ref"] = ref.replace(_COMMON_REF, _LOCAL_REF)


def admits(patterns: tuple[str, ...], measure: str, record_type: object) -> bool:
    """Whether patterns of measures admit a record: its measure, or a beginning of that and a star.

    The number 1.5 does not say what a record is about, so there the record type is part of what is admitted.
    """
    name = f"{measure}:{record_type}" if measure == AGREED_ELSEWHERE else measure
    return any(name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns)
