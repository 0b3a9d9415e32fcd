"""A strict reader of CAP 1.2 alerts (OASIS Common Alerting Protocol), and the body of a `disaster-alert` record.

The reader judges what the OASIS schema judges: names, order, counts, code lists and lexical forms. It changes nothing
and mends nothing, and tells every fault that one pass finds; rules that the standard has only in prose are in
`cap_rules`.
"""

import base64
import re
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Final

from lxml import etree

from schemas.cap_grammar import ALERT, NAMESPACE, SIGNATURE_NAMESPACE, Element, Kind
from schemas.record_errors import Fault, RecordError, refuse, shorten
from schemas.record_limits import MAX_CAP_BYTES, MAX_CAP_INTEGER_DIGITS, MAX_FAULTS

_XSD: Final = "http://www.w3.org/2001/XMLSchema"
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_HINTS: Final = frozenset({f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"})
_TYPE: Final = f"{_XSI}type"
# What an instance may name as the type of an element: the declared type itself, or one that takes the same texts.
_TYPES: Final = {
    Kind.TEXT: ("string", "normalizedString", "token"),
    Kind.LANGUAGE: ("language",),
    Kind.URI: ("anyURI",),
    Kind.INTEGER: ("integer",),
    Kind.DECIMAL: ("decimal",),
}
# What the OASIS schema puts into an empty language element.
_DEFAULT_LANGUAGE: Final = "en-US"
_WHITE: Final = " \t\r\n"
_WHITE_SPACE: Final = re.compile(f"[{_WHITE}]+")
_FORMS: Final = {
    Kind.TIME: (
        re.compile(
            r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})([+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
        ),
        "a time such as 2026-03-31T12:00:00+05:00, with an offset, without fractions and without Z",
    ),
    Kind.LANGUAGE: (re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*"), "a language tag such as en-US"),
    Kind.INTEGER: (re.compile(r"[+-]?[0-9]+"), "a whole number"),
    Kind.DECIMAL: (re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"), "a decimal number"),
}


def read_alert(xml: bytes) -> dict[str, Any]:
    """Project one alert into a dict with CAP's own names.

    A text stays as it stands, with latitude before longitude in polygons and circles; times, codes and decimals are
    text, `size` is an int; a repeated element is a list and absent when there is none. Left out are `derefUri`, and a
    `size` that no JSON number keeps.

    Raises:
        RecordError: with the first fault of each element; the paths are JSON Pointers into the projection.
    """
    root = parse_xml(xml)
    if root.tag != f"{{{NAMESPACE}}}alert":
        raise refuse("", shorten(root.tag), f"the element alert of {NAMESPACE}")
    children = list(root)
    while children and etree.QName(children[-1]).namespace == SIGNATURE_NAMESPACE:
        children.pop()
    reader = _Reader()
    alert = reader.block(root, children, ALERT, "")
    if reader.faults:
        raise RecordError(reader.faults)
    return alert


def disaster_alert_body(xml: bytes) -> dict[str, Any]:
    """Body of a `disaster-alert` record around one CAP file: its bytes and their projection.

    Raises:
        RecordError: the bytes are no CAP 1.2 alert.
    """
    return {"cap": base64.b64encode(xml).decode("ascii"), "alert": read_alert(xml)}


def cap_bytes(body: dict[str, Any]) -> bytes:
    """The CAP file of a `disaster-alert` body, byte for byte as it was put in.

    Raises:
        RecordError: the text is not the one base64 form of any bytes.
    """
    try:
        xml = base64.b64decode(body["cap"], validate=True)
    except ValueError:  # also for characters beyond ASCII
        raise refuse("", "another text", "base64 with padding") from None
    # Unused bits of the last character would let two texts stand for the same bytes.
    if base64.b64encode(xml).decode("ascii") != body["cap"]:
        raise refuse("", "base64 with stray bits", "base64 whose unused bits are zero")
    return xml


def parse_xml(xml: bytes) -> etree._Element:
    """The root of a well-formed XML file of at most `MAX_CAP_BYTES`, without comments.

    Raises:
        RecordError: it is larger, not well-formed, or has a document type declaration and so perhaps entities.
    """
    if len(xml) > MAX_CAP_BYTES:
        raise refuse("", f"{len(xml)} bytes", f"at most {MAX_CAP_BYTES} bytes")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        load_dtd=False,
        attribute_defaults=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise refuse("", shorten(str(error)), "well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise refuse("", "a document type declaration", "no DTD and no entities, which an alert has no use for")
    return root


def collapsed(text: str) -> str:
    """A text as XML Schema collapses white space, which is not all that Unicode calls so."""
    return " ".join(part for part in _WHITE_SPACE.split(text) if part)


def is_form(kind: Kind, text: str) -> bool:
    """Whether a text without white space around it has the form of a time, a language, a whole or a decimal number."""
    match = _FORMS[kind][0].fullmatch(text)
    return match is not None and (kind is not Kind.TIME or _is_time(match))


def stray_attribute(node: etree._Element, kind: Kind | None) -> str | None:
    """The first attribute of an element that the OASIS schema does not take; hints of XML Schema instances are none."""
    for name, value in node.items():
        typed = name == _TYPE and kind in _TYPES and _names_type(node, str(value), _TYPES[kind])
        if name not in _HINTS and not typed:
            return str(name)
    return None


def whole_number(text: str) -> int | None:
    """The value of a whole number of XML Schema; None for another text, and for one too long for every JSON reader."""
    digits = text.lstrip("+-").lstrip("0")
    if not is_form(Kind.INTEGER, text) or len(digits) > MAX_CAP_INTEGER_DIGITS:
        return None
    return -int(digits or "0") if text.startswith("-") else int(digits or "0")


@dataclass(frozen=True, slots=True)
class _Reader:
    """One pass over one alert; `faults` collects what is wrong on the way."""

    faults: list[Fault] = field(default_factory=list)

    def block(
        self, node: etree._Element, children: list[etree._Element], grammar: tuple[Element, ...], path: str
    ) -> dict[str, Any]:
        """Read children in the grammar's order; only the first that is out of place is told."""
        self._attributes(node, None, path)
        if any((text or "").strip(_WHITE) for text in (node.text, *(child.tail for child in node))):
            self._tell(path, "text between elements", "elements only")
        result: dict[str, Any] = {}
        position = 0
        for element in grammar:
            values: list[object] = []
            while position < len(children) and children[position].tag == f"{{{NAMESPACE}}}{element.name}":
                at = f"{path}/{element.name}" + (f"/{len(values)}" if element.repeated else "")
                values.append(self._value(children[position], element, at))
                position += 1
                if not element.repeated:
                    break
            if element.required and not values:
                found = _local(children[position]) if position < len(children) else "the end"
                self._tell(f"{path}/{element.name}", found, f"the element {element.name}, which is required here")
                self._misplaced(children[position:], grammar, path)
                return result
            kept = [value for value in values if value is not None]
            if kept and element.shown:
                result[element.name] = kept if element.repeated else kept[0]
        if position < len(children):
            found = f"{_local(children[position])} as child {position + 1}"
            self._tell(path, found, "no such element, or not in this place")
            self._misplaced(children[position:], grammar, path)
        return result

    def _misplaced(self, children: list[etree._Element], grammar: tuple[Element, ...], path: str) -> None:
        """The faults inside of elements after the first that is out of place."""
        known = {f"{{{NAMESPACE}}}{element.name}": element for element in grammar}
        counts: dict[str, int] = {}
        for child in children:
            element = known.get(str(child.tag))
            if element is not None:
                index = counts[element.name] = counts.get(element.name, -1) + 1
                self._value(child, element, f"{path}/{element.name}" + (f"/{index}" if element.repeated else ""))

    def _value(self, node: etree._Element, element: Element, path: str) -> object:
        """What an element holds, None for what is not shown; of no meaning once there is a fault."""
        if element.kind is Kind.BLOCK:
            return self.block(node, list(node), element.children, path)
        self._attributes(node, element.kind, path)
        if len(node):
            self._tell(path, f"the element {_local(node[0])} inside", "text only")
            return None
        text = node.text or ""
        if element.kind is Kind.TEXT:
            return text
        if element.kind is Kind.CODE:
            if text not in element.codes:
                self._tell(path, shorten(text), "one of " + ", ".join(element.codes))
            return text
        if element.kind is Kind.LANGUAGE and not text:
            return _DEFAULT_LANGUAGE
        text = collapsed(text)
        if element.kind is Kind.URI:
            return text
        if not is_form(element.kind, text):
            self._tell(path, shorten(text), _FORMS[element.kind][1])
        return whole_number(text) if element.kind is Kind.INTEGER else text

    def _attributes(self, node: etree._Element, kind: Kind | None, path: str) -> None:
        stray = stray_attribute(node, kind)
        if stray is not None:
            self._tell(path, f"the attribute {shorten(stray)}", "no attributes, as CAP has none")

    def _tell(self, path: str, found: str, expected: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(path, found, expected))


def _names_type(node: etree._Element, value: str, names: tuple[str, ...]) -> bool:
    """Whether a qualified name names one of these types of XML Schema."""
    prefix, _, local = collapsed(value).rpartition(":")
    return node.nsmap.get(prefix or None) == _XSD and local in names


def _is_time(match: re.Match[str]) -> bool:
    day, moment, _ = match.groups()
    # XML Schema writes the end of a day as 24:00:00.
    try:
        date.fromisoformat(day)
        time.fromisoformat("00:00:00" if moment == "24:00:00" else moment)
    except ValueError:
        return False
    return True


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname
