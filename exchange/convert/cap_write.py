"""Alerts that this project writes itself, from the projection that `schemas.cap` reads; and times in CAP's form."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from lxml import etree

from exchange.convert.errors import ConversionError, refuse
from schemas.cap import read_alert
from schemas.cap_grammar import ALERT, NAMESPACE, Element, Kind
from schemas.record_errors import RecordError, shorten

_FORM: Final = "cap"
# Characters of a URI (RFC 3986) without brackets; readers differ in what else they take for one. What stands before a
# colon in the first segment is a scheme, and a per cent sign begins an escape.
_CHARACTER: Final = r"(?:[A-Za-z0-9\-._~/?@!$&'()*+,;=:]|%[0-9A-Fa-f]{2})"
_URI: Final = re.compile(rf"(?:[A-Za-z][A-Za-z0-9+.\-]*:|(?![^/?#]*:)){_CHARACTER}*(?:#{_CHARACTER}*)?")


def write_alert(alert: Mapping[str, Any], remark: str | None = None) -> bytes:
    """A CAP 1.2 file in UTF-8 that the OASIS schema accepts and that reads back as `alert`.

    Args:
        alert: the projection of an alert; a resource may have `derefUri` besides.
        remark: a comment in front of the alert, without `--`.

    Raises:
        ConversionError: a value has no place or no form in CAP; the path is a JSON Pointer into `alert`.
    """
    root = etree.fromstring(f'<alert xmlns="{NAMESPACE}"/>')
    _fill(root, alert, ALERT, "")
    etree.indent(root)
    xml = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    if remark is not None:
        xml += f"<!-- {remark} -->\n".encode()
    xml += etree.tostring(root, encoding="UTF-8") + b"\n"
    try:
        read_alert(xml)
    except RecordError as error:
        raise ConversionError(_FORM, error.faults) from None
    return xml


def cap_time(text: str) -> str:
    """An RFC 3339 time in the form of CAP 1.2: without fractions and without `Z`, whose place `-00:00` takes.

    Raises:
        ConversionError: it is no such time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise refuse(_FORM, "", shorten(text), "a time such as 2026-03-31T12:00:00+05:00") from None
    if moment.utcoffset() is None:
        raise refuse(_FORM, "", shorten(text), "a time with its offset")
    written = moment.replace(microsecond=0).isoformat()
    return written.removesuffix("+00:00") + "-00:00" if moment.utcoffset() == timedelta(0) else written


def _fill(node: etree._Element, block: Mapping[str, Any], grammar: tuple[Element, ...], path: str) -> None:
    if unknown := sorted(block.keys() - {element.name for element in grammar}):
        raise refuse(_FORM, f"{path}/{unknown[0]}", "a member", "only elements of CAP 1.2")
    for element in grammar:
        if element.name not in block:
            continue
        value = block[element.name]
        if isinstance(value, list) != element.repeated:
            raise refuse(_FORM, f"{path}/{element.name}", shorten(value), "a list exactly for what may be repeated")
        for index, item in enumerate(value if element.repeated else [value]):
            at = f"{path}/{element.name}" + (f"/{index}" if element.repeated else "")
            _add(node, item, element, at)


def _add(parent: etree._Element, value: object, element: Element, path: str) -> None:
    node = etree.SubElement(parent, f"{{{NAMESPACE}}}{element.name}")
    if element.kind is Kind.BLOCK:
        if not isinstance(value, dict):
            raise refuse(_FORM, path, shorten(value), "an object")
        _fill(node, value, element.children, path)
        return
    whole = element.kind is Kind.INTEGER
    if not isinstance(value, int if whole else str) or isinstance(value, bool):
        raise refuse(_FORM, path, shorten(value), "a whole number" if whole else "a text")
    text = str(value)
    if element.kind is Kind.URI and not is_uri(text):
        raise refuse(_FORM, path, shorten(text), "a URI (RFC 3986)")
    if element.kind is Kind.LANGUAGE and not text:
        raise refuse(_FORM, path, "nothing", "a language tag")
    try:
        node.text = text
    except ValueError:
        raise refuse(_FORM, path, shorten(text), "characters that XML 1.0 has") from None


def is_uri(text: str) -> bool:
    """Whether a text is a URI or a relative reference (RFC 3986), possibly empty."""
    try:
        urlsplit(text)
    except ValueError:
        return False
    return _URI.fullmatch(text) is not None
