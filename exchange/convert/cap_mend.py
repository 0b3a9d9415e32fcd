"""What can be read of an alert that breaks the schema: elements out of order, times with `Z`, codes in other case.

Only for senders whose habits the operator accepts. Nothing is invented: what is required and absent is refused unless
CAP has a code for the unknown, and so is a value without a counterpart. Whatever was changed is told.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from exchange.convert.cap_write import cap_time, is_uri
from exchange.convert.errors import ConversionError, refuse
from schemas.cap_grammar import ALERT, Element, Kind
from schemas.record_errors import Fault, shorten
from schemas.record_limits import MAX_CAP_INTEGER_DIGITS, MAX_FAULTS

_FORM: Final = "cap"
_INTEGER: Final = re.compile(rf"[+-]?[0-9]{{1,{MAX_CAP_INTEGER_DIGITS}}}")
# CAP 1.0 and 1.1 had a further degree of certainty.
_OLD_CODES: Final = {"Very Likely": "Likely"}
# Where the standard itself has a code for what is not known. `scope` and `status` have none: to guess them could
# publish an alert, or turn an exercise into a disaster.
_UNKNOWN: Final = {"category": "Other", "urgency": "Unknown", "severity": "Unknown", "certainty": "Unknown"}


class Mender:
    """One alert; `faults` collects what was changed on the way."""

    def __init__(self, namespace: str) -> None:
        """`namespace` is the one whose elements are read: that of CAP 1.2 or of an older version."""
        self._prefix = f"{{{namespace}}}"
        self.faults: list[Fault] = []

    def alert(self, root: etree._Element) -> dict[str, Any]:
        """The projection of the alert with `derefUri`, in the forms of CAP 1.2; raises ConversionError."""
        return self._block(root, ALERT, "")

    def _tell(self, path: str, found: str, expected: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(path, found, expected, warning=True))

    def _block(self, node: etree._Element, grammar: tuple[Element, ...], path: str) -> dict[str, Any]:
        found = self._by_name(node, grammar, path)
        result: dict[str, Any] = {}
        for element in grammar:
            values: list[object] = []
            nodes = found[element.name]
            if len(nodes) > 1 and not element.repeated:
                self._tell(f"{path}/{element.name}", f"{len(nodes)} of them", "one: the first is taken")
                nodes = nodes[:1]
            for index, child in enumerate(nodes):
                at = f"{path}/{element.name}" + (f"/{index}" if element.repeated else "")
                value = self._value(child, element, at)
                if value is not None:
                    values.append(value)
            if element.required and not values:
                values.append(self._unknown(element.name, f"{path}/{element.name}"))
            if values:
                result[element.name] = values if element.repeated else values[0]
        return result

    def _by_name(
        self, node: etree._Element, grammar: tuple[Element, ...], path: str
    ) -> Mapping[str, list[etree._Element]]:
        found: dict[str, list[etree._Element]] = {element.name: [] for element in grammar}
        order = {element.name: position for position, element in enumerate(grammar)}
        last = 0
        for position, child in enumerate(node, start=1):
            name = child.tag.removeprefix(self._prefix)
            if name not in found:
                self._tell(path, f"{shorten(name)} as child {position}", "no such element: it is left out")
                continue
            if order[name] < last:
                self._tell(path, f"{name} as child {position}", "the order of CAP 1.2: it is moved")
            last = max(last, order[name])
            found[name].append(child)
        return found

    def _value(self, node: etree._Element, element: Element, path: str) -> object:
        """The value in CAP 1.2's form; None when it is optional and has none."""
        if element.kind is Kind.BLOCK:
            return self._block(node, element.children, path)
        text = node.text or ""
        if element.kind is Kind.TEXT:
            return text
        text = " ".join(text.split())
        if element.kind is Kind.CODE:
            return self._code(text, element, path)
        if element.kind is Kind.TIME:
            return self._time(text, path)
        if element.kind is Kind.INTEGER:
            if _INTEGER.fullmatch(text):
                return int(text)
            self._tell(path, shorten(text), "a whole number: it is left out")
            return None
        if element.kind is Kind.URI and not is_uri(text):
            self._tell(path, shorten(text), "a URI (RFC 3986): it is left out")
            return None
        # An empty language is the same as none.
        return None if element.kind is Kind.LANGUAGE and not text else text

    def _code(self, text: str, element: Element, path: str) -> str:
        if text in element.codes:
            return text
        folded = {code.casefold(): code for code in element.codes}
        code = folded.get(_OLD_CODES.get(text, text).casefold())
        if code is None:
            raise refuse(_FORM, path, shorten(text), "one of " + ", ".join(element.codes))
        self._tell(path, shorten(text), f"{code}, which is taken for it")
        return code

    def _time(self, text: str, path: str) -> str:
        try:
            written = cap_time(text)
        except ConversionError as error:
            raise refuse(_FORM, path, error.faults[0].found, error.faults[0].expected) from None
        # The zero offset has two spellings in CAP; either stays as it is.
        if text.endswith("+00:00") and written[:-6] == text[:-6]:
            return text
        if written != text:
            self._tell(path, shorten(text), f"{written}, which is taken for it")
        return written

    def _unknown(self, name: str, path: str) -> str:
        if name not in _UNKNOWN:
            raise refuse(_FORM, path, "nothing", f"the element {name}, which is required")
        self._tell(path, "nothing", f"a value: {_UNKNOWN[name]} is put in")
        return _UNKNOWN[name]
