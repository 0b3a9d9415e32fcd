"""Write docs/catalogue.md: each measure of the Catalogue, the record types that serve it, and their fields.

Run `python scripts/catalogue_doc.py > docs/catalogue.md` after a change of `schemas/catalogue.json` or of a schema.
"""

import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from schemas import catalogue
from schemas.edition import Dimension, Edition, Measure, Modality
from schemas.registry import default_tlp, list_schemas, self_contained

Schema = dict[str, Any]

_LOCAL: Final = "#/$defs/"
_RECORD: Final = "record"
# A longer list of codes is cut here; the schema has it whole.
_MAX_CODES: Final = 12
SHARED: Final[dict[str, Schema]] = json.loads(files("schemas").joinpath("common.json").read_text("utf-8"))["$defs"]
_HEADING: Final = "| field | type | required | codes and bounds | rests on |\n| --- | --- | --- | --- | --- |"
_INTRODUCTION: Final = """# The Catalogue and its records

Made from `schemas/catalogue.json` and the JSON Schemas by `scripts/catalogue_doc.py`; change those and not this page.

Marks: **[V]** follows practice that was checked in public material, **[M]** follows practice from memory and is to be
checked before anyone relies on it, **[S]** is the Catalogue's own text, **[D]** is this project's design. *Required*: R
always, C under a condition, else optional. Titles are this project's own. What JSON Schema cannot say is checked in
`schemas/checks/`, one module for each type.
"""


def cell(text: str) -> str:
    """Text that cannot break a table."""
    return " ".join(text.replace("|", "\\|").split())


def link(record_type: str) -> str:
    """A link to the section of a record type."""
    return f"[{record_type}](#{record_type})"


def edition_lines(edition: Edition) -> Iterator[str]:
    """Where the text is from, and what in it is open."""
    yield f"## Edition `{edition.catalogue_id}`\n"
    yield f"Status: **{edition.status}**. Source: {edition.source}.\n"
    yield from (f"- {remark}" for remark in edition.remarks)
    yield "\n### General provisions\n"
    yield "| number | text | record types |\n| --- | --- | --- |"
    for row in edition.general_provisions:
        yield f"| {row.number} | {cell(row.text)} | {', '.join(map(link, row.record_types))} |"


def measure_line(row: Measure) -> str:
    """The row of a measure."""
    types = "the lettered items" if row.chapeau else ", ".join(map(link, row.record_types))
    disputed = " **Bracketed text is not agreed.**" if row.brackets else ""
    title = f"{cell(row.title.en)}<br>{cell(row.title.ru)}"
    return f"| {row.number} | {title} | {cell(row.text)}{disputed} | {row.kind} | {types} |"


def dimension_lines(dimension: Dimension) -> Iterator[str]:
    """A dimension with its priority areas and their measures."""
    yield f"\n### {dimension.number} {dimension.title.en}\n\n{dimension.introduction}"
    for area in dimension.priority_areas:
        yield f"\n#### {area.title.en}\n\n{area.title.ru}. Priority area `{area.name}`.\n"
        yield "| number | title | text | kind | record types |\n| --- | --- | --- | --- | --- |"
        yield from map(measure_line, area.measures)


def modality_lines(modality: Modality) -> Iterator[str]:
    """A modality with its steps."""
    yield f"\n### {modality.measure}\n"
    yield from (f"> {passage}\n>" for passage in modality.text)
    yield "\n| step | actors | act | record |\n| --- | --- | --- | --- |"
    for step in modality.steps:
        where = "".join(f", `{name}` = {code}" for name, code in step.where)
        yield f"| {step.step} | {', '.join(step.actors)} | {cell(step.act)} | {link(step.record_type)}{where} |"


def resolved(schema: Schema, root: Schema) -> tuple[Schema, str]:
    """A schema with what it refers to inside this type merged in, and the name of a shared definition that it uses."""
    name = schema.get("$ref", "").removeprefix(_LOCAL)
    if not name:
        return schema, ""
    target = root["$defs"][name]
    inner, shared = resolved(target, root)
    merged = {**inner, **{key: value for key, value in schema.items() if key != "$ref"}}
    return merged, name if target == SHARED.get(name) else shared


def shown_type(schema: Schema, shared: str) -> str:
    """The JSON type, or a link to the shared definition."""
    if shared:
        return f"[{shared}](#shared-{shared.replace('_', '-')})"
    kind = schema.get("type", "code" if {"enum", "const"} & schema.keys() else "value")
    return str(kind if isinstance(kind, str) else " or ".join(kind))


def codes(schema: Schema) -> str:
    """Codes and bounds in few words."""
    options = schema.get("enum", [schema["const"]] if "const" in schema else [])
    more = f" and {len(options) - _MAX_CODES} more" if len(options) > _MAX_CODES else ""
    told = [", ".join(f"`{str(o).lower() if isinstance(o, bool) else o}`" for o in options[:_MAX_CODES]) + more]
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if high in schema:
            told.append(f"{schema.get(low, 0)} to {schema[high]}{unit}")
    if "pattern" in schema and len(schema["pattern"]) < 100:
        told.append(f"`{cell(schema['pattern'])}`")
    return "; ".join(part for part in told if part)


def conditional(schema: object) -> set[str]:
    """Members that some condition requires."""
    if isinstance(schema, list):
        return {name for item in schema for name in conditional(item)}
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("required", ()))
    for branch in ("then", "else", "allOf", "anyOf", "oneOf"):
        found |= conditional(schema.get(branch))
    return found | {name for names in schema.get("dependentRequired", {}).values() for name in names}


def field_lines(schema: Schema, root: Schema, prefix: str = "", seen: tuple[str, ...] = ()) -> Iterator[str]:
    """A row for each member, with the members of what it consists of below it; shared definitions are linked."""
    asked = conditional({key: value for key, value in schema.items() if key != "required"})
    for name, member in schema.get("properties", {}).items():
        inner, shared = resolved(member, root)
        path = f"{prefix}{name}"
        always = "R" if name in schema.get("required", ()) else "C" if name in asked else ""
        item = inner
        while item.get("type") == "array" and not shared:
            path += "[]"
            item, shared = resolved(item.get("items", {}), root)
        limits = (
            codes(inner) if item is inner else "; ".join(filter(None, [codes(inner), "" if shared else codes(item)]))
        )
        comment = cell(member.get("$comment", "" if shared else inner.get("$comment", item.get("$comment", ""))))
        limits = "" if shared and item is inner else limits
        yield f"| `{path}` | {shown_type(item, shared)} | {always} | {limits} | {comment} |"
        local = member.get("$ref", inner.get("items", {}).get("$ref", ""))
        if not shared and local not in seen:
            yield from field_lines(item, root, f"{path}.", (*seen, local))


def type_lines(record_type: str, version: str) -> Iterator[str]:
    """A record type with the fields of its body."""
    root = self_contained(record_type, version)
    served = ", ".join(catalogue.measures_of(record_type))
    yield f"\n### {record_type}\n\n{root['title']}, version {version}. {root['$comment']}\n"
    actions = ", ".join(root["properties"]["action"]["enum"])
    yield f"Measures: {served}. Actions: {actions}. Marking unless stated otherwise: TLP:{default_tlp(record_type)}.\n"
    if around := sorted(conditional({key: value for key, value in root.items() if key != "required"})):
        yield f"Asked of some of these records, around the body: {', '.join(f'`{name}`' for name in around)}.\n"
    yield _HEADING
    yield from field_lines(root["$defs"]["body"], root, "", (f"{_LOCAL}body",))
    if "reply" in root["$defs"]:
        yield f"\nThe body of a reply:\n\n{_HEADING}"
        yield from field_lines(root["$defs"]["reply"], root, "", (f"{_LOCAL}reply",))


def shared_lines() -> Iterator[str]:
    """What several types have in common."""
    root = {"$defs": SHARED}
    for name, schema in SHARED.items():
        if name == _RECORD:
            continue
        yield f"\n### Shared: {name.replace('_', '-')}\n"
        told = " ".join(filter(None, [schema.get("title", ""), schema.get("$comment", ""), codes(schema)]))
        yield cell(told) or shown_type(schema, "")
        for prefix, part in (("", schema), ("[].", schema.get("items", {}))):
            if isinstance(part, dict) and "properties" in part:
                yield f"\n{_HEADING}"
                yield from field_lines(part, root, prefix)


def document() -> str:
    """The whole page."""
    edition = catalogue.edition()
    lines = [_INTRODUCTION, *edition_lines(edition), "\n## Measures"]
    lines += [line for dimension in edition.dimensions for line in dimension_lines(dimension)]
    lines += [f"\n## Modalities\n\n{edition.modalities_introduction}"]
    lines += [line for modality in edition.modalities for line in modality_lines(modality)]
    lines += ["\n## Around every body\n", _HEADING, *field_lines(SHARED[_RECORD], {"$defs": SHARED})]
    lines += ["\n## Record types", *(line for row in list_schemas() for line in type_lines(*row))]
    lines += ["\n## Shared definitions", *shared_lines()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
