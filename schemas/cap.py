"""A strict reader of CAP 1.2 alerts (OASIS Common Alerting Protocol), and the body of a `disaster-alert` record.

The reader judges what the OASIS schema judges: names, order, counts, code lists and lexical forms. It changes nothing
and mends nothing; rules that the standard has only in prose are in `cap_rules`.
"""

import base64
import re
from datetime import datetime, timedelta
from typing import Any, Final

from lxml import etree

from schemas.cap_grammar import ALERT, NAMESPACE, SIGNATURE_NAMESPACE, Element, Kind
from schemas.record_errors import refuse, shorten
from schemas.record_limits import MAX_CAP_BYTES, MAX_CAP_INTEGER_DIGITS

_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_HINTS: Final = frozenset({f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"})
# What the OASIS schema puts into an empty language element.
_DEFAULT_LANGUAGE: Final = "en-US"
_WHITE: Final = " \t\r\n"
_FORMS: Final = {
    Kind.TIME: (
        re.compile(
            r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}:[0-9]{2})([+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
        ),
        "a time such as 2026-03-31T12:00:00+05:00, with an offset, without fractions and without Z",
    ),
    Kind.LANGUAGE: (re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*"), "a language tag such as en-US"),
    Kind.INTEGER: (re.compile(rf"[+-]?[0-9]{{1,{MAX_CAP_INTEGER_DIGITS}}}"), "a whole number"),
    Kind.DECIMAL: (re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"), "a decimal number"),
}


def read_alert(xml: bytes) -> dict[str, Any]:
    """Project one alert into a dict with CAP's own names.

    A text stays as it stands, with latitude before longitude in polygons and circles; times, codes and decimals are
    text, `size` is an int; a repeated element is a list and absent when there is none; `derefUri` is left out.

    Raises:
        RecordError: one fault, whose path is a JSON Pointer into the projection.
    """
    root = parse_xml(xml)
    if root.tag != f"{{{NAMESPACE}}}alert":
        raise refuse("", shorten(root.tag), f"the element alert of {NAMESPACE}")
    children = list(root)
    while children and etree.QName(children[-1]).namespace == SIGNATURE_NAMESPACE:
        children.pop()
    return _block(root, children, ALERT, "")


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


def _block(
    node: etree._Element, children: list[etree._Element], grammar: tuple[Element, ...], path: str
) -> dict[str, Any]:
    """Read children in the grammar's order; whatever is left over has no place."""
    _refuse_attributes(node, path)
    if any((text or "").strip(_WHITE) for text in (node.text, *(child.tail for child in node))):
        raise refuse(path, "text between elements", "elements only")
    result: dict[str, Any] = {}
    position = 0
    for element in grammar:
        values: list[object] = []
        while position < len(children) and children[position].tag == f"{{{NAMESPACE}}}{element.name}":
            at = f"{path}/{element.name}" + (f"/{len(values)}" if element.repeated else "")
            values.append(_value(children[position], element, at))
            position += 1
            if not element.repeated:
                break
        if element.required and not values:
            found = _local(children[position]) if position < len(children) else "the end"
            raise refuse(f"{path}/{element.name}", found, f"the element {element.name}, which is required here")
        if values and element.shown:
            result[element.name] = values if element.repeated else values[0]
    if position < len(children):
        expected = "no such element, or not in this place"
        raise refuse(path, f"{_local(children[position])} as child {position + 1}", expected)
    return result


def _value(node: etree._Element, element: Element, path: str) -> object:
    if element.kind is Kind.BLOCK:
        return _block(node, list(node), element.children, path)
    _refuse_attributes(node, path)
    if len(node):
        raise refuse(path, f"the element {_local(node[0])} inside", "text only")
    text = node.text or ""
    if element.kind is Kind.TEXT:
        return text
    if element.kind is Kind.CODE:
        if text not in element.codes:
            raise refuse(path, shorten(text), "one of " + ", ".join(element.codes))
        return text
    if element.kind is Kind.LANGUAGE and not text:
        return _DEFAULT_LANGUAGE
    # XML Schema collapses white space in every type but string.
    text = " ".join(text.split())
    if element.kind is Kind.URI:
        return text
    form, expected = _FORMS[element.kind]
    match = form.fullmatch(text)
    if match is None or (element.kind is Kind.TIME and not _is_time(match)):
        raise refuse(path, shorten(text), expected)
    return int(text) if element.kind is Kind.INTEGER else text


def _is_time(match: re.Match[str]) -> bool:
    day, time, _ = match.groups()
    # XML Schema writes the end of a day as 24:00:00.
    try:
        moment = datetime.fromisoformat(f"{day}T{'00:00:00' if time == '24:00:00' else time}")
        moment + timedelta(days=time == "24:00:00")
    except (ValueError, OverflowError):
        return False
    return True


def _refuse_attributes(node: etree._Element, path: str) -> None:
    for name in node.keys():  # noqa: SIM118 - an element is no mapping, iterating it gives children
        if name not in _HINTS:
            raise refuse(path, f"the attribute {shorten(name)}", "no attributes, as CAP has none")


def _local(node: etree._Element) -> str:
    return etree.QName(node).localname
