"""Areas of an alert and GeoJSON geometries: CAP puts latitude first, GeoJSON longitude (RFC 7946, 3.1.1).

A side of a CAP polygon takes the short way; in GeoJSON none crosses the antimeridian, so that a polygon that does is
cut there into its parts (RFC 7946, 3.1.9).
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import fsum
from typing import Any, Final

from exchange.convert.errors import refuse

_NUMBER: Final = r"[+-]?[0-9]{1,4}(?:\.[0-9]{0,30})?"
_POINT: Final = re.compile(rf"({_NUMBER}),({_NUMBER})")
_CIRCLE: Final = re.compile(rf"({_NUMBER},{_NUMBER}) ([0-9]{{1,5}}(?:\.[0-9]{{0,30}})?)")
_MIN_POINTS: Final = 4
_HALF: Final = 180.0
_ROUND: Final = 360.0

Position = list[float]
Ring = list[Position]


def ring(polygon: str) -> Ring | None:
    """The closed ring, longitude first, of a CAP polygon; None when it is none."""
    points = [_position(pair) for pair in polygon.split()]
    found = [point for point in points if point is not None]
    whole = len(found) == len(points) >= _MIN_POINTS and found[0] == found[-1]
    return found if whole else None


def circle(text: str) -> tuple[Position, float] | None:
    """The centre, longitude first, and the radius in kilometres of a CAP circle; None when it is none."""
    match = _CIRCLE.fullmatch(" ".join(text.split()))
    centre = _position(match[1]) if match else None
    return (centre, float(match[2])) if match and centre else None


def area_geometry(area: dict[str, Any]) -> dict[str, Any] | None:
    """Polygon or MultiPolygon of all polygons of a CAP area; None when it has none that can be drawn."""
    rings = [found for text in area.get("polygon", ()) if (found := ring(text)) is not None]
    parts = [right_handed(part) for one in rings for part in _cut(one)]
    if not parts:
        return None
    if len(parts) == 1:
        return {"type": "Polygon", "coordinates": parts}
    return {"type": "MultiPolygon", "coordinates": [[part] for part in parts]}


def _cut(points: Ring) -> list[Ring]:
    """The parts of a ring on each side of the antimeridian; the ring itself when it stays on one, or rounds a pole.

    No part when it crosses it and has no area on either side.
    """
    unrolled, turn = [points[0]], 0.0
    for (before, _), (longitude, latitude) in pairwise(points):
        step = longitude - before
        turn += -_ROUND if step > _HALF else _ROUND if step < -_HALF else 0.0
        unrolled.append([longitude + turn, latitude])
    longitudes = [longitude for longitude, _ in unrolled]
    if turn:
        return [points]
    if min(longitudes) >= -_HALF and max(longitudes) <= _HALF:
        # Not as it was given: the meridian has two names, and a ring with both of them would span the world.
        return [unrolled]
    parts = []
    for centre in (-_ROUND, 0.0, _ROUND):
        part = _half(_half(unrolled, centre - _HALF, 1), centre + _HALF, -1)
        moved = [[longitude - centre, latitude] for longitude, latitude in part]
        if len({tuple(point) for point in moved}) >= _MIN_POINTS - 1:
            parts.append([*moved, moved[0]])
    return parts


def _half(points: Ring, edge: float, side: int) -> Ring:
    """What of an open or closed ring lies east (`side` 1) or west (-1) of a meridian (Sutherland and Hodgman, 1974)."""
    kept: Ring = []
    for (x1, y1), (x2, y2) in pairwise([*points, points[0]]) if points else ():
        inside = (x1 - edge) * side >= 0
        if inside:
            kept.append([x1, y1])
        if inside is not ((x2 - edge) * side >= 0):
            kept.append([edge, y1 + (y2 - y1) * (edge - x1) / (x2 - x1)])
    return [point for place, point in enumerate(kept) if place == 0 or point != kept[place - 1]]


def polygons(geometry: dict[str, Any]) -> list[str]:
    """CAP polygons of a GeoJSON Polygon or MultiPolygon.

    Raises:
        ConversionError: it has a hole, which CAP cannot say, or is of another type.
    """
    match geometry["type"]:
        case "Polygon":
            parts = [geometry["coordinates"]]
        case "MultiPolygon":
            parts = geometry["coordinates"]
        case _:
            raise refuse("cap", "", f"a {geometry['type']}", "a Polygon or a MultiPolygon")
    if any(len(rings) > 1 for rings in parts):
        raise refuse("cap", "", "a polygon with a hole", "polygons without holes, as CAP has none")
    return [" ".join(_pair(position) for position in rings[0]) for rings in parts]


def circle_text(position: Sequence[float], kilometres: float) -> str:
    """A CAP circle around a GeoJSON position."""
    return f"{_pair(position)} {_plain(kilometres)}"


def right_handed(points: Ring, *, clockwise: bool = False) -> Ring:
    """A ring turned as RFC 7946, 3.1.6 wants it: outer rings counterclockwise, holes clockwise."""
    # The exact sum of the terms has the opposite sign for the ring turned round, so that none is turned twice.
    doubled = fsum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(points))
    return points[::-1] if (doubled < 0) is not clockwise and doubled != 0 else points


def turned(geometry: dict[str, Any]) -> dict[str, Any]:
    """A geometry of a record with every ring turned as RFC 7946 wants it."""
    match geometry["type"]:
        case "Polygon":
            return {"type": "Polygon", "coordinates": _turned_rings(geometry["coordinates"])}
        case "MultiPolygon":
            return {"type": "MultiPolygon", "coordinates": [_turned_rings(part) for part in geometry["coordinates"]]}
        case _:
            return geometry


def _turned_rings(rings: Iterable[Ring]) -> list[Ring]:
    return [right_handed(points, clockwise=index > 0) for index, points in enumerate(rings)]


def _position(text: str) -> Position | None:
    match = _POINT.fullmatch(text)
    if match is None:
        return None
    latitude, longitude = float(match[1]), float(match[2])
    return [longitude, latitude] if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _pair(position: Sequence[float]) -> str:
    longitude, latitude = position
    return f"{_plain(latitude)},{_plain(longitude)}"


def _plain(number: float) -> str:
    """A number to 9 decimals (a tenth of a millimetre), without an exponent, which readers of CAP do not know."""
    text = f"{number:.9f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
