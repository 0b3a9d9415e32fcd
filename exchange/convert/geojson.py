"""Places of records as GeoJSON (RFC 7946): longitude first, outer rings counterclockwise, WGS 84."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from exchange.convert.cap_geometry import area_geometry, circle, turned
from schemas.record_errors import pointer

Json = dict[str, Any]

_PLACE: Final = frozenset({"name", "country", "subdivision", "unlocode", "geometry"})
_GEOMETRIES: Final = frozenset({"Point", "Polygon", "MultiPolygon"})


def records_to_geojson(records: Iterable[Json]) -> Json:
    """A FeatureCollection with a feature for each place, geometry and area of each record.

    A place without a geometry is a feature without one; a circle of an alert is its centre with `radius_km`. Each
    feature names its record, the JSON Pointer to what it draws, and the record's marking, which holds for the drawing.
    """
    return {"type": "FeatureCollection", "features": [feature for record in records for feature in _features(record)]}


def _features(record: Json) -> Iterator[Json]:
    common = {
        "record_id": record["record_id"],
        "record_type": record["record_type"],
        "title": record["title"],
        "tlp": record["handling"]["tlp"],
    }
    body = record["body"]
    alert = body.get("alert") if record["record_type"] == "disaster-alert" else None
    if alert is not None:
        for path, geometry, properties in _alert_areas(alert):
            yield _feature(geometry, {**common, "path": path, **properties})
    rest = {name: value for name, value in body.items() if name not in {"alert", "cap", "stix_bundle"}}
    for path, node in _nodes(rest, "/body"):
        if _is_place(node):
            geometry = node.get("geometry")
            properties = {name: value for name, value in node.items() if name != "geometry"}
            yield _feature(turned(geometry) if geometry else None, {**common, "path": path, **properties})
        elif _is_geometry(node.get("geometry")):
            yield _feature(turned(node["geometry"]), {**common, "path": f"{path}/geometry"})


def _feature(geometry: Json | None, properties: Json) -> Json:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _alert_areas(alert: Json) -> Iterator[tuple[str, Json | None, Json]]:
    for info_index, info in enumerate(alert.get("info", ())):
        for area_index, area in enumerate(info.get("area", ())):
            path = f"/body/alert/info/{info_index}/area/{area_index}"
            properties = {name: info[name] for name in ("event", "severity", "language") if name in info}
            properties["area"] = area["areaDesc"]
            geometry = area_geometry(area)
            circles = [found for text in area.get("circle", ()) if (found := circle(text)) is not None]
            if geometry is not None or not circles:
                yield path, geometry, properties
            for centre, radius in circles:
                yield path, {"type": "Point", "coordinates": centre}, {**properties, "radius_km": radius}


def _nodes(value: object, path: str) -> Iterator[tuple[str, Json]]:
    """Every object inside a value with its pointer; not what lies inside a place."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nodes(item, f"{path}/{index}")
    elif isinstance(value, dict):
        yield path, value
        if not _is_place(value):
            for name, item in value.items():
                yield from _nodes(item, path + pointer([name]))


def _is_place(node: Json) -> bool:
    """By its members, since a place and an office (`authority`) both have a name and a country."""
    return {"name", "country"} <= node.keys() <= _PLACE and isinstance(node["name"], dict)


def _is_geometry(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") in _GEOMETRIES and "coordinates" in value
