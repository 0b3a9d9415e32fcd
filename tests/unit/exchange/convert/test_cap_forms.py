"""Valid alerts as others write them: whatever the form, one is kept byte for byte; a change of structure is seen."""

# ruff: noqa: RUF001 - words in other scripts

import copy
import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise, product
from math import fsum
from operator import mul
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from exchange.convert.cap import cap_to_record, kept_original, record_to_cap
from exchange.convert.cap_geometry import area_geometry, right_handed
from exchange.convert.cap_write import write_alert
from exchange.convert.errors import ConversionError
from exchange.convert.geojson import records_to_geojson
from schemas.cap import read_alert
from schemas.cap_grammar import ALERT, NAMESPACE, SIGNATURE_NAMESPACE, Element
from schemas.record_errors import RecordError
from schemas.record_limits import MAX_CAP_BYTES, MAX_FAULTS
from tests.support.convert import SCHEMA, SCRIPTS, alert, template

SENDER = "alerts@hydromet.example"
WORDS = ("ភ្លៀង", "წყალდიდობა", "வெள்ளம்", "فيضان", "ཆུ་ལོག", "ጎርፍ", "洪水", "🌊🇰🇿", "\u202eabc\u202c", "e\u0301")
SIGNATURE = f'<d:Signature xmlns:d="{SIGNATURE_NAMESPACE}" Id="s"><d:SignedInfo>x</d:SignedInfo></d:Signature>'
XSI = (
    'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="urn:oasis:names:tc:emergency:cap:1.2 x.xsd"'
)
PAIR = "<{0}><valueName>n</valueName><value/></{0}>"
AREA = "<area><areaDesc>x</areaDesc>{}</area>"


def text(size: int = 0, **members: object) -> str:
    return write_alert(alert(size, **members)).decode()


def within(after: str, added: str) -> str:
    """The alert with `added` behind one of its tags."""
    whole = text()
    assert whole.count(after) == 1
    return whole.replace(after, after + added)


@cache
def standard() -> etree.XMLSchema:
    """The OASIS schema for the library that also reads the encodings that XML parsers need not know."""
    return etree.XMLSchema(etree.parse(SCHEMA))


def is_valid(data: bytes) -> bool:
    try:
        return standard().validate(etree.fromstring(data))
    except etree.XMLSyntaxError:
        return False


def prefixed(xml: str) -> str:
    return re.sub(r"<(/?)([a-zA-Z])", r"<\1cap:\2", xml).replace("xmlns=", "xmlns:cap=")


def encoded(encoding: str, word: str, codec: str = "") -> bytes:
    xml = text(info=[alert()["info"][0] | {"headline": word, "description": word}])
    return xml.replace('"UTF-8"', f'"{encoding}"').encode(codec or encoding)


FORMS: dict[str, bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + text().encode(),
    "no declaration": text().partition("\n")[2].encode(),
    "standalone": text().replace('"UTF-8"', '"UTF-8" standalone="yes"').encode(),
    "carriage returns": text().replace("\n", "\r\n").encode(),
    "utf-16": encoded("UTF-16", "洪水"),
    "utf-16 without declaration": b"\xfe\xff" + text().partition("\n")[2].encode("utf-16-be"),
    "windows-1251": encoded("windows-1251", "Паводок"),
    "koi8-r": encoded("koi8-r", "Паводок"),
    "iso-8859-6": encoded("iso-8859-6", "فيضان"),
    "windows-874": encoded("windows-874", "น้ำท่วม", "cp874"),
    "gb18030": encoded("gb18030", "洪水"),
    "euc-kr": encoded("euc-kr", "홍수"),
    "shift_jis": encoded("shift_jis", "洪水"),
    "ascii with references": text().encode("ascii", "xmlcharrefreplace"),
    "prefixed": prefixed(text()).encode(),
    "mixed prefixes": text().replace("<event>Flood</event>", f'<q:event xmlns:q="{NAMESPACE}">F</q:event>').encode(),
    "namespace again": text().replace("<event>", f'<event xmlns="{NAMESPACE}">').encode(),
    "comments and instructions": text().replace("Flood", "Fl<!-- o -->o<?x y?>od", 1).encode(),
    "stylesheet": text().replace("?>", '?><?xml-stylesheet href="x.xsl"?><!-- a -->', 1).encode() + b"<!-- end -->\n",
    "sections": text().replace("Flood", "<![CDATA[<b>&amp;]]>Flood", 1).encode(),
    "section around a code": text().replace(">Met<", "><![CDATA[Met]]><").encode(),
    "schema location": text().replace("<alert ", f"<alert {XSI} ").encode(),
    "space around times": text().replace("2026-04-12T06:30:00+05:00", "\n 2026-04-12T06:30:00+05:00\t").encode(),
    "zero offset": text().replace("+05:00", "-00:00").encode(),
    "far offset": text().replace("+05:00", "-14:00").encode(),
    "signed": text().replace("</alert>", f"{SIGNATURE}</alert>").encode(),
    "signed twice": text().replace("</alert>", f"{SIGNATURE}\n{SIGNATURE}</alert>").encode(),
    "language unknown": text().replace(">en<", ">x-klingon<").encode(),
    "language empty": text().replace(">en<", "><").encode(),
    "texts empty": re.sub(r">[^<\n]+</(event|description|identifier|sender)>", r"></\1>", text()).encode(),
    "right to left": text().replace("Flood", "\u200f\u202eفيضان\u202c", 1).encode(),
    "not composed": text().replace("Flood", "Ve\u0302\u0301 e\u0301", 1).encode(),
    "private and last characters": text().replace("Flood", "\ue000\ufdd0\U0010fffd\u0085\u2028", 1).encode(),
    "over the antimeridian": within(
        "</description>", AREA.format("<polygon>-9,179 9,-179 9,179 -9,179</polygon>")
    ).encode(),
    "circle of no radius": within("</description>", AREA.format("<circle>1,2 0</circle>")).encode(),
    "areas that cannot be drawn": within("</description>", AREA.format("<polygon>1,2</polygon><circle/>") * 3).encode(),
    "a long size": within(
        "</description>", f"<resource><resourceDesc/><mimeType/><size>{'9' * 40}</size></resource>"
    ).encode(),
    "many codes": within("</scope>", "<code/>" * 20_000).encode(),
    "many categories": within("</category>", "<category>Geo</category>" * 20_000).encode(),
    "many parameters": within("</description>", PAIR.format("parameter") * 20_000).encode(),
    "many polygons": within("</description>", AREA.format("<polygon/>" * 20_000)).encode(),
    "many areas": within("</description>", AREA.format("") * 20_000).encode(),
    "many blocks": text(info=[{**alert()["info"][0], "description": ""}] * 3_000).encode(),
    "one word of a megabyte": text().replace("Flood", "x" * 1_000_000, 1).encode(),
    "a megabyte that JSON escapes": text().replace("Flood", '"\\' * 500_000, 1).encode(),
    "a megabyte in many scripts": text(info=[alert()["info"][0] | {"description": " ".join(WORDS * 7_500)}]).encode(),
    "a megabyte of cyrillic in one byte each": text()
    .replace("UTF-8", "windows-1251")
    .replace(" ".join(SCRIPTS), "Ж" * 1_000_000)
    .encode("windows-1251"),
    "an enclosed file of a megabyte": within(
        "</description>", f"<resource><resourceDesc/><mimeType/><derefUri>{'A' * 1_000_000}</derefUri></resource>"
    ).encode(),
    "a megabyte of comments": text().encode() + b"<!--" + b"x" * 1_000_000 + b"-->",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_valid_alert_is_never_refused_for_its_form(form: str) -> None:
    data = FORMS[form]
    assert is_valid(data)
    assert len(data) < MAX_CAP_BYTES
    found = cap_to_record(data, template())
    assert record_to_cap(json.loads(json.dumps(found.record))) == data
    assert (found.original, kept_original(found.record)) == (None, None)
    assert len(found.warnings) <= MAX_FAULTS + 2
    records_to_geojson([found.record])


@pytest.mark.parametrize(
    ("polygon", "parts"),
    [
        ("-10,179 10,179 10,-179 -10,-179 -10,179", [(179.0, 180.0), (-180.0, -179.0)]),
        ("-10,-179 -10,179 10,179 10,-179 -10,-179", [(179.0, 180.0), (-180.0, -179.0)]),
        ("60,170 70,180 60,-170 60,170", [(170.0, 180.0), (-180.0, -170.0)]),
        ("60,170 70,180 60,180 60,170", [(170.0, 180.0)]),
        ("-9,-80 9,-80 9,80 -9,80 -9,-80", [(-80.0, 80.0)]),
        ("80,0 80,120 80,-120 80,0", [(-120.0, 120.0)]),
    ],
)
def test_a_polygon_over_the_antimeridian_is_cut_there(polygon: str, parts: list[tuple[float, float]]) -> None:
    geometry = area_geometry({"areaDesc": "", "polygon": [polygon]})
    assert geometry is not None
    rings = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    assert sorted((min(x), max(x)) for ((*points,),) in rings for x in [[p[0] for p in points]]) == sorted(parts)
    for (ring,) in rings:
        assert ring[0] == ring[-1]
        assert right_handed(ring) == ring


def rings_of(geometry: dict[str, Any] | None) -> list[list[list[float]]]:
    """The outer rings; none of what cannot be drawn."""
    if geometry is None:
        return []
    whole = geometry["coordinates"]
    return [ring for (ring,) in ([whole] if geometry["type"] == "Polygon" else whole)]


def doubled_area(points: Sequence[Sequence[float]]) -> float:
    return fsum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairwise(points))


@given(
    st.tuples(st.floats(-180, 180), st.floats(-60, 60)),
    st.lists(st.tuples(st.floats(-80, 80), st.floats(-25, 25)), min_size=3, max_size=8),
)
def test_cutting_keeps_the_area(centre: tuple[float, float], offsets: list[tuple[float, float]]) -> None:
    points = [(centre[0] + x, centre[1] + y) for x, y in [*offsets, offsets[0]]]
    wrapped = [((x + 180) % 360 - 180, y) for x, y in points]
    geometry = area_geometry({"polygon": [" ".join(f"{y:.9f},{x:.9f}" for x, y in wrapped)]})
    rings = rings_of(geometry)
    whole = abs(doubled_area(points))
    signed = [doubled_area(ring) for ring in rings]
    # Each part is turned as RFC 7946 wants it: those of a line that crosses itself were not all turned alike.
    turned = [abs(sum(map(mul, signed, signs))) for signs in product((1, -1), repeat=len(signed))]
    assert min(abs(area - whole) for area in turned) < 0.001
    assert all(area >= -0.001 for area in signed)
    assert all(-180 <= x <= 180 for ring in rings for x, _ in ring)


@pytest.mark.parametrize(
    ("polygon", "width"),
    [
        ("0,-180 1,-180 0,180 0,-180", 0),
        ("0,180 1,-180 0,179 0,180", 1),
        ("0,-180 1,180 0,-179 0,-180", 1),
        ("0,180 1,-180 0.5,180 0,180", 0),
    ],
)
def test_the_antimeridian_under_both_its_names_does_not_span_the_world(polygon: str, width: float) -> None:
    (ring,) = rings_of(area_geometry({"polygon": [polygon]}))
    longitudes = [x for x, _ in ring]
    assert max(longitudes) - min(longitudes) == width


@pytest.mark.parametrize(
    "polygon", ["0,180 0,-179 0,-180 0,180", "0,179 2,-179 1,180 0,179", "0,180 1,-179 0,-180 0,180"]
)
def test_a_line_over_the_antimeridian_is_not_drawn_as_an_area(polygon: str) -> None:
    assert area_geometry({"polygon": [polygon]}) is None


def test_a_circle_of_no_radius_is_a_point() -> None:
    (feature,) = records_to_geojson([cap_to_record(FORMS["circle of no radius"], template()).record])["features"]
    assert (feature["geometry"]["coordinates"], feature["properties"]["radius_km"]) == ([2.0, 1.0], 0.0)


NAMES = sorted({element.name for element in ALERT} | {"category", "event", "valueName", "areaDesc", "derefUri"})
TEXTS = ["", " ", "Geo", "Actual", "Likely", "Very Likely", "en_US", "5", "1.5", "2026-04-12T06:30:00Z", "a b"]
WHOLE = etree.fromstring(
    text(
        references=f"{SENDER},XAA-0,2026-04-11T06:30:00+05:00",
        info=[
            alert()["info"][0]
            | {
                "expires": "2026-04-13T06:30:00+05:00",
                "parameter": [{"valueName": "a", "value": "b"}],
                "resource": [{"resourceDesc": "map", "mimeType": "a/b", "size": 5}],
                "area": [{"areaDesc": "x", "polygon": ["1,2 3,4 5,6 1,2"], "altitude": "1"}],
            }
        ],
    ).encode()
)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """The alert after a few changes of its structure, each of which may or may not break it."""
    root = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(list(root.iter(etree.Element))))
        parent = node.getparent()
        match draw(st.integers(0, 6)):
            case 0 if parent is not None:
                parent.remove(node)
            case 1 if parent is not None:
                parent.insert(draw(st.integers(0, len(parent))), copy.deepcopy(node))
            case 2 if parent is not None:
                parent.insert(draw(st.integers(0, len(parent))), node)
            case 3:
                space = draw(st.sampled_from([NAMESPACE, NAMESPACE, "urn:other"]))
                node.tag = f"{{{space}}}{draw(st.sampled_from(NAMES))}"
            case 4:
                node.text = draw(st.sampled_from(TEXTS))
            case 5:
                node.tail = draw(st.sampled_from(["", "\n", "stray", "\u00a0"])) if parent is not None else None
            case _:
                node.set(draw(st.sampled_from(["lang", "{urn:other}lang"])), "en")
    encoding = draw(st.sampled_from(["UTF-8", "UTF-16", "ascii"]))
    xml = etree.tostring(root, encoding=encoding, xml_declaration=True)
    assert isinstance(xml, bytes)
    return xml


@given(changed())
def test_the_reader_takes_what_the_oasis_schema_takes_and_nothing_else(data: bytes) -> None:
    try:
        read_alert(data)
    except RecordError:
        assert not is_valid(data)
    else:
        assert is_valid(data)


@given(changed())
def test_what_is_taken_from_an_accepted_sender_is_valid_told_and_kept(data: bytes) -> None:
    try:
        found = cap_to_record(data, template(), accepted_senders=frozenset({SENDER}))
    except ConversionError:
        assert not is_valid(data)
        return
    if found.original is None:
        assert is_valid(data)
        return
    assert found.original == data
    assert found.warnings
    assert is_valid(record_to_cap(found.record))
    assert record_to_cap(found.record, data) == data


def shown(grammar: tuple[Element, ...]) -> dict[str, Any]:
    """A grammar as nested names, for comparison with the schema's."""
    return {element.name: (element.required, element.repeated, shown(element.children)) for element in grammar}


def test_the_grammar_is_the_oasis_schemas() -> None:
    spaces = {"x": "http://www.w3.org/2001/XMLSchema"}

    def elements(node: etree._Element) -> dict[str, Any]:
        found = {}
        for element in node.findall("x:complexType/x:sequence/x:element", spaces):
            name = (element.get("name") or element.get("ref") or "").removeprefix("cap:")
            required, repeated = element.get("minOccurs", "1") != "0", element.get("maxOccurs") == "unbounded"
            found[name] = (required, repeated, elements(element))
        return found

    (root,) = etree.parse(SCHEMA).getroot().findall("x:element[@name='alert']", spaces)
    assert shown(ALERT) == elements(root)
