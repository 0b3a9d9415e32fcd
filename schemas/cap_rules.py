"""Rules of CAP 1.2 that its schema cannot say and its text does: areas, and the members that depend on others.

They are warnings: issued alerts break them (polygons of three points, stray brackets), and an alert must not be lost
over its drawing.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.record_errors import Fault

_NUMBER: Final = r"[+-]?[0-9]{1,4}(?:\.[0-9]{0,30})?"
_POINT: Final = re.compile(rf"({_NUMBER}),({_NUMBER})")
_CIRCLE: Final = re.compile(rf"({_NUMBER}),({_NUMBER}) ([0-9]{{1,5}}(?:\.[0-9]{{0,30}})?)")
_REFERENCE: Final = re.compile(r"[^,\s]+,[^,\s]+,[^,\s]+")
_RESERVED: Final = re.compile(r"[\s,<&]")
_MIN_POINTS: Final = 4

Point = tuple[float, float]


def referred(alert: dict[str, Any]) -> list[tuple[str, ...]]:
    """(sender, identifier, sent) of each other alert that an alert refers to, once (CAP 1.2, 3.2.1 `references`).

    What is no such triple is passed over; `prose_warnings` tells of it.
    """
    own = (alert["sender"], alert["identifier"], alert["sent"])
    triples = (tuple(text.split(",")) for text in alert.get("references", "").split())
    return list(dict.fromkeys(names for names in triples if len(names) == len(own) and all(names) and names != own))


def prose_warnings(base: str, alert: dict[str, Any]) -> Iterator[Fault]:
    """Warnings about a projected alert; `base` is the JSON Pointer of the projection."""
    for name in ("identifier", "sender"):
        if not alert[name] or _RESERVED.search(alert[name]):
            expected = "a text without white space, comma, < and &, so that references can name it"
            yield Fault(f"{base}/{name}", "another text", expected, warning=True)
    for scope, name in (("Restricted", "restriction"), ("Private", "addresses")):
        if alert["scope"] == scope and name not in alert:
            yield Fault(f"{base}/{name}", "nothing", f"a value, since the scope is {scope}", warning=True)
    references = alert.get("references", "").split()
    if not all(_REFERENCE.fullmatch(reference) for reference in references):
        expected = "triples sender,identifier,sent with white space between them"
        yield Fault(f"{base}/references", "another text", expected, warning=True)
    for info_index, info in enumerate(alert.get("info", ())):
        for area_index, area in enumerate(info.get("area", ())):
            yield from _area_warnings(f"{base}/info/{info_index}/area/{area_index}", area)


def _area_warnings(base: str, area: dict[str, Any]) -> Iterator[Fault]:
    for index, text in enumerate(area.get("polygon", ())):
        points = [_point(pair) for pair in text.split()]
        if len(points) < _MIN_POINTS or None in points or points[0] != points[-1]:
            expected = "at least 4 points latitude,longitude, the last equal to the first"
            yield Fault(f"{base}/polygon/{index}", "another text", expected, warning=True)
    for index, text in enumerate(area.get("circle", ())):
        match = _CIRCLE.fullmatch(" ".join(text.split()))
        if match is None or _point(f"{match[1]},{match[2]}") is None:
            expected = "latitude,longitude and a radius in kilometres"
            yield Fault(f"{base}/circle/{index}", "another text", expected, warning=True)


def _point(text: str) -> Point | None:
    """(latitude, longitude) on WGS 84, or None."""
    match = _POINT.fullmatch(text)
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None
