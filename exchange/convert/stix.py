"""STIX 2.1 bundles to `ict-incident` records and back out.

The bundle goes into the record as it is. What an exchange adds is a judgement of its form and of its markings: a
marking whose level is unknown is refused, and the record is marked as the strictest part of the bundle is, which the
rules of the record type demand.
"""

import json
from collections.abc import Iterator
from typing import Final

from exchange.convert.errors import ConversionError, refuse
from exchange.convert.imported import Imported, Json, complete
from exchange.convert.limits import MAX_STIX_BYTES, MAX_STIX_OBJECTS
from exchange.convert.stix_marking import without_level
from exchange.convert.stix_model import IDENTIFIER, object_faults
from exchange.convert.texts import title_text
from schemas.record_errors import Fault, RecordError, shorten
from schemas.record_limits import MAX_FAULTS
from schemas.registry import default_tlp
from schemas.stix_markings import markings
from schemas.validate import load_json

_FORM: Final = "stix"
_BUNDLE: Final = frozenset({"type", "id", "objects"})
_RECORD_TYPE: Final = "ict-incident"
_NAMED: Final = ("incident", "report", "grouping", "campaign", "malware", "vulnerability", "indicator")


def stix_to_record(data: bytes, template: Json) -> Imported:
    """The record of one bundle.

    Args:
        data: the bundle, JSON in UTF-8.
        template: what the bundle cannot say (see `imported.complete`), in `body` the assessment: `subtype`, `category`,
            `detected_at`, `severity`, `poc`. Without `handling.tlp` the record takes the bundle's TLP, AMBER+STRICT if
            the bundle has none.

    Raises:
        ConversionError: no STIX 2.1 bundle, or a marking in it whose level is unknown.
        RecordError: the record is not valid, for example because the template lacks a member, or its TLP is not the
            bundle's.
    """
    bundle = read_bundle(data)
    doubts = without_level(bundle["objects"])
    if unknown := [fault for fault in doubts if not fault.warning]:
        raise ConversionError(_FORM, unknown)
    derived = {
        "record_type": _RECORD_TYPE,
        "schema_version": "1.0.0",
        "action": template.get("action", "new"),
        "mode": template.get("mode", "actual"),
        "language": "en",
        "title": title_text(_names(bundle), f"STIX 2.1 bundle of {len(bundle['objects'])} objects"),
    }
    marked = template | {"handling": _handling(template, bundle["objects"])}
    found = complete(_FORM, marked, derived, {"stix_bundle": bundle})
    return Imported(found.record, (*doubts, *found.warnings))


def record_to_stix(record: Json) -> bytes:
    """The bundle of an `ict-incident` record, as JSON; raises ConversionError if it has none."""
    body = record.get("body")
    if not isinstance(body, dict) or not isinstance(body.get("stix_bundle"), dict):
        raise refuse(_FORM, "/body/stix_bundle", "no bundle", "an ict-incident with a bundle")
    return json.dumps(body["stix_bundle"], ensure_ascii=False, indent=2).encode("utf-8")


def read_bundle(data: bytes) -> Json:
    """A bundle whose objects have passed the structural check; raises ConversionError with JSON Pointers into it."""
    if len(data) > MAX_STIX_BYTES:
        raise refuse(_FORM, "", f"{len(data)} bytes", f"at most {MAX_STIX_BYTES} bytes")
    try:
        value = load_json(data)
    except RecordError as error:
        raise ConversionError(_FORM, error.faults) from None
    if not isinstance(value, dict) or value.get("type") != "bundle":
        raise refuse(_FORM, "/type", "another value", "a STIX bundle")
    if "spec_version" in value:
        expected = "STIX 2.1, whose bundle has no spec_version: convert STIX 2.0 first"
        raise refuse(_FORM, "/spec_version", shorten(value["spec_version"]), expected)
    if not isinstance(value.get("id"), str) or not IDENTIFIER.fullmatch(value["id"]) or value["id"][:8] != "bundle--":
        raise refuse(_FORM, "/id", shorten(value.get("id")), "bundle-- and a UUID in lower case")
    if unknown := sorted(value.keys() - _BUNDLE):
        raise refuse(_FORM, f"/{unknown[0]}", "a member", "only type, id and objects")
    objects = value.get("objects")
    if not isinstance(objects, list) or not 0 < len(objects) <= MAX_STIX_OBJECTS:
        raise refuse(_FORM, "/objects", shorten(objects), f"1 to {MAX_STIX_OBJECTS} objects")
    faults: list[Fault] = []
    for fault in _faults(objects):
        faults.append(fault)
        if len(faults) == MAX_FAULTS:
            break
    if faults:
        raise ConversionError(_FORM, faults)
    return value


def _faults(objects: list[object]) -> Iterator[Fault]:
    seen = set()
    for index, item in enumerate(objects):
        path = f"/objects/{index}"
        yield from object_faults(path, item)
        if isinstance(item, dict):
            version = (str(item.get("id")), str(item.get("modified")))
            if version in seen:
                yield Fault(f"{path}/id", shorten(item.get("id")), "each version of an object once")
            seen.add(version)


def _handling(template: Json, objects: list[Json]) -> Json:
    handling = template.get("handling", {})
    if not isinstance(handling, dict):
        raise refuse(_FORM, "/handling", shorten(handling), "an object with tlp and onward")
    if "tlp" in handling:
        return handling
    strictest = max((level for _, level in markings(objects)), default=None)
    return {"onward": "none", **handling, "tlp": default_tlp(_RECORD_TYPE) if strictest is None else strictest.label}


def _names(bundle: Json) -> Iterator[tuple[str, str]]:
    """Names of objects, the most telling kind first, with their language."""
    for kind in _NAMED:
        for item in bundle["objects"]:
            if item["type"] == kind and isinstance(item.get("name"), str):
                yield "en", item["name"]
