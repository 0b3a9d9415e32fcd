"""What a STIX 2.1 object must have (OASIS STIX 2.1, sections 3 to 7): type, required properties, ids and times.

A structural check of our own: the library `stix2` brings a network client and a parser of patterns, while an exchange
has to know only whether the bundle is STIX 2.1 and how it is marked. Tests compare this table with `stix2`.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.record_errors import Fault, pointer, shorten

Json = dict[str, Any]

_DOMAIN: Final = ("created", "modified")
DOMAIN_OBJECTS: Final[dict[str, tuple[str, ...]]] = {
    "attack-pattern": ("name",),
    "campaign": ("name",),
    "course-of-action": ("name",),
    "grouping": ("context", "object_refs"),
    "identity": ("name",),
    "incident": ("name",),
    "indicator": ("pattern", "pattern_type", "valid_from"),
    "infrastructure": ("name",),
    "intrusion-set": ("name",),
    "location": (),
    "malware": ("is_family",),
    "malware-analysis": ("product",),
    "note": ("content", "object_refs"),
    "observed-data": ("first_observed", "last_observed", "number_observed"),
    "opinion": ("object_refs", "opinion"),
    "report": ("name", "object_refs", "published"),
    "threat-actor": ("name",),
    "tool": ("name",),
    "vulnerability": ("name",),
    "relationship": ("relationship_type", "source_ref", "target_ref"),
    "sighting": ("sighting_of_ref",),
    "language-content": ("contents", "object_ref"),
    "extension-definition": ("created_by_ref", "extension_types", "name", "schema", "version"),
}
OBSERVABLES: Final[dict[str, tuple[str, ...]]] = {
    "artifact": (),
    "autonomous-system": ("number",),
    "directory": ("path",),
    "domain-name": ("value",),
    "email-addr": ("value",),
    "email-message": ("is_multipart",),
    "file": (),
    "ipv4-addr": ("value",),
    "ipv6-addr": ("value",),
    "mac-addr": ("value",),
    "mutex": ("name",),
    "network-traffic": ("protocols",),
    "process": (),
    "software": ("name",),
    "url": ("value",),
    "user-account": (),
    "windows-registry-key": (),
    "x509-certificate": (),
}
MARKING: Final = "marking-definition"
REQUIRED: Final = {
    **{name: ("spec_version", *_DOMAIN, *own) for name, own in DOMAIN_OBJECTS.items()},
    **OBSERVABLES,
    MARKING: ("spec_version", "created"),
}
IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9-]{2,249}--[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](?:\.[0-9]+)?Z")
_TIMES: Final = ("created", "modified", "valid_from", "valid_until", "first_observed", "last_observed", "published")


def object_faults(path: str, item: object) -> Iterator[Fault]:
    """What is wrong with one object of a bundle; `path` is its JSON Pointer."""
    if not isinstance(item, dict):
        yield Fault(path, shorten(item), "an object")
        return
    kind = item.get("type")
    if not isinstance(kind, str) or kind not in REQUIRED:
        yield Fault(f"{path}/type", shorten(kind), "a type of STIX 2.1; custom types are not taken")
        return
    identifier = item.get("id")
    if not _is_identifier(identifier) or not str(identifier).startswith(f"{kind}--"):
        yield Fault(f"{path}/id", shorten(identifier), f"{kind}-- and a UUID in lower case")
    if item.get("spec_version", "2.1") != "2.1":
        yield Fault(f"{path}/spec_version", shorten(item["spec_version"]), "2.1")
    for name in REQUIRED[kind]:
        if name not in item:
            why = "this property; without it the object is STIX 2.0" if name == "spec_version" else "this property"
            yield Fault(f"{path}/{name}", "nothing", why)
    for name in _TIMES:
        if name in item and not (isinstance(item[name], str) and _TIME.fullmatch(item[name])):
            yield Fault(f"{path}/{name}", shorten(item[name]), "a time in UTC that ends in Z")
    yield from _inner_faults(path, item)


def _inner_faults(path: str, value: object) -> Iterator[Fault]:
    """References that are no identifiers, and custom properties, at any depth."""
    waiting = [(path, value)]
    while waiting:
        place, node = waiting.pop()
        if isinstance(node, list):
            waiting.extend((f"{place}/{index}", item) for index, item in enumerate(node))
        elif isinstance(node, dict):
            for name, item in node.items():
                at = place + pointer([name])
                if name.startswith("x_"):
                    yield Fault(at, "a custom property", "properties of STIX 2.1 only")
                elif name.endswith("_ref") and not _is_identifier(item):
                    yield Fault(at, shorten(item), "the id of an object")
                elif name.endswith("_refs") and not _are_identifiers(item):
                    yield Fault(at, shorten(item), "a list of ids of objects")
                waiting.append((at, item))


def _is_identifier(value: object) -> bool:
    return isinstance(value, str) and IDENTIFIER.fullmatch(value) is not None


def _are_identifiers(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_identifier, value))
