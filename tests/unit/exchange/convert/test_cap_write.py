"""Alerts that this project writes: what they may hold, and how times and areas are said."""

from typing import Any

import pytest

from exchange.convert.cap_geometry import area_geometry, circle, circle_text, polygons, right_handed, ring
from exchange.convert.cap_write import cap_time, write_alert
from exchange.convert.errors import ConversionError
from schemas.cap import cap_bytes, read_alert
from tests.support.convert import alert, oasis_errors
from tests.support.records import example


@pytest.mark.parametrize("name", ["flood-warning", "chemical-spill-update"])
def test_the_projection_of_an_example_written_again_says_the_same(name: str) -> None:
    body = example("disaster-alert", name)["body"]
    built = write_alert(body["alert"], "a remark")
    assert oasis_errors(built) == []
    assert read_alert(built) == read_alert(cap_bytes(body)) == body["alert"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"colour": "red"}, "/colour"),
        ({"sender": 5}, "/sender"),
        ({"sent": "2026-04-12T06:30:00Z"}, "/sent"),
        ({"status": "Real"}, "/status"),
        ({"code": "not a list"}, "/code"),
        ({"identifier": ["a list"]}, "/identifier"),
        ({"note": "a null \x00"}, "/note"),
        ({"note": "half a pair \ud800"}, "/note"),
        ({"info": [5]}, "/info/0"),
        ({"info": [alert()["info"][0] | {"web": "not a uri"}]}, "/info/0/web"),
        ({"info": [alert()["info"][0] | {"language": ""}]}, "/info/0/language"),
        (
            {"info": [alert()["info"][0] | {"resource": [{"resourceDesc": "", "mimeType": "", "size": "1"}]}]},
            "/info/0/resource/0/size",
        ),
        ({"info": [alert()["info"][0] | {"area": [{"areaDesc": "", "altitude": "high"}]}]}, "/info/0/area/0/altitude"),
    ],
)
def test_what_cap_cannot_say_is_refused_at_its_place(change: dict[str, Any], path: str) -> None:
    with pytest.raises(ConversionError) as caught:
        write_alert(alert() | change)
    assert caught.value.faults[0].path == path


def test_a_missing_element_is_refused_at_its_place() -> None:
    value = alert()
    del value["scope"]
    with pytest.raises(ConversionError, match="/scope"):
        write_alert(value)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("2026-03-31T12:00:00Z", "2026-03-31T12:00:00-00:00"),
        ("2026-03-31T12:00:00+00:00", "2026-03-31T12:00:00-00:00"),
        ("2026-03-31T12:00:00.123456+05:30", "2026-03-31T12:00:00+05:30"),
        ("2026-03-31T12:00:00-03:00", "2026-03-31T12:00:00-03:00"),
    ],
)
def test_times_are_written_without_z_and_fractions(given: str, written: str) -> None:
    assert cap_time(given) == written
    assert oasis_errors(write_alert(alert(sent=written))) == []


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-31", "2026-03-31T12:00:00", "2026-02-30T00:00:00Z"])
def test_what_is_no_time_with_its_offset_is_refused(text: str) -> None:
    with pytest.raises(ConversionError):
        cap_time(text)


SQUARE = "43.1,76.2 43.1,77.3 44.4,77.3 44.4,76.2 43.1,76.2"


def test_latitude_and_longitude_change_places_and_come_back() -> None:
    geometry = area_geometry({"areaDesc": "", "polygon": [SQUARE]})
    assert geometry is not None
    assert geometry["coordinates"] == [[[76.2, 43.1], [77.3, 43.1], [77.3, 44.4], [76.2, 44.4], [76.2, 43.1]]]
    assert polygons(geometry) == [SQUARE]


def test_several_polygons_are_one_multipolygon() -> None:
    geometry = area_geometry({"areaDesc": "", "polygon": [SQUARE, SQUARE.replace("43", "13"), "no polygon"]})
    assert geometry is not None
    assert geometry["type"] == "MultiPolygon"
    assert len(polygons(geometry)) == 2


def test_a_ring_that_runs_clockwise_is_turned() -> None:
    found = ring(" ".join(reversed(SQUARE.split())))
    assert found is not None
    assert right_handed(found) == found[::-1]
    assert right_handed(found, clockwise=True) == found


@pytest.mark.parametrize(
    "text", ["", "1,2 3,4 1,2", "1,2 3,4 5,6 7,8", "1,2 3,4 91,6 1,2", "1;2 3;4 5;6 1;2", "1,2 3,4 5,181 1,2"]
)
def test_what_is_no_polygon_is_not_drawn(text: str) -> None:
    assert ring(text) is None
    assert area_geometry({"areaDesc": "", "polygon": [text]}) is None


def test_a_circle_is_a_centre_and_kilometres() -> None:
    assert circle("43.4,76.7 12.5") == ([76.7, 43.4], 12.5)
    assert circle_text([76.7, 43.4], 12.5) == "43.4,76.7 12.5"
    assert [circle(text) for text in ("43.4,76.7", "43.4,76.7 -1", "95,0 1", "")] == [None] * 4


def test_a_small_number_has_no_exponent() -> None:
    assert circle_text([0.0000001, -0.0000001], 1e-6) == "-0.0000001,0.0000001 0.000001"
    assert circle_text([1e-300, -1e-300], 1e5) == "0,0 100000"


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [1, 2]},
        {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]]},
    ],
)
def test_a_shape_that_cap_has_not_is_refused(geometry: dict[str, Any]) -> None:
    with pytest.raises(ConversionError):
        polygons(geometry)
