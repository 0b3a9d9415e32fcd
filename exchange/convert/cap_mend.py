"""What can be read of an alert that breaks the schema: elements out of order, times with `Z`, codes in other case.

Only for senders whose habits the operator accepts. Nothing is invented: what is required and absent is refused unless
CAP has a code for the unknown or a narrowest code, and so is a code or a time without a counterpart. Whatever was
changed is told.
"""

from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from exchange.convert.cap_write import cap_time, is_uri
from exchange.convert.errors import ConversionError, refuse
from schemas.cap import collapsed, is_form, stray_attribute, whole_number
from schemas.cap_grammar import ALERT, Element, Kind
from schemas.record_errors import Fault, shorten
from schemas.record_limits import MAX_CAP_INTEGER_DIGITS, MAX_FAULTS

_FORM: Final = "cap"
# CAP 1.0 and 1.1 had a further degree of certainty.
_OLD_CODES: Final = {"Very Likely": "Likely"}
# Where the standard itself has a code for what is not known. `scope` has none, and the narrowest of its codes publishes
# nothing; `status` has none either, and to guess it could turn an exercise into a disaster.
_UNKNOWN: Final = {
    "category": "Other",
    "urgency": "Unknown",
    "severity": "Unknown",
    "certainty": "Unknown",
    "scope": "Private",
}
# A language that is not known (BCP 47); without one, CAP would take the text for English.
_NO_LANGUAGE: Final = "und"
_LEFT_OUT: Final = {
    Kind.INTEGER: f"a whole number of at most {MAX_CAP_INTEGER_DIGITS} digits: it is left out",
    Kind.DECIMAL: "a decimal number: it is left out",
    Kind.URI: "a URI (RFC 3986): it is left out",
}


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
        self._beside(node, Kind.BLOCK, path)
        if any(collapsed(text or "") for text in (node.text, *(child.tail for child in node))):
            self._tell(path, "text between elements", "elements only: it is left out")
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

    def _beside(self, node: etree._Element, kind: Kind, path: str) -> None:
        stray = stray_attribute(node, kind)
        if stray is not None:
            self._tell(path, f"the attribute {shorten(stray)}", "no attributes: they are left out")

    def _value(self, node: etree._Element, element: Element, path: str) -> object:
        """The value in CAP 1.2's form; None when there is none."""
        if element.kind is Kind.BLOCK:
            return self._block(node, element.children, path)
        self._beside(node, element.kind, path)
        if len(node):
            self._tell(path, "an element inside", "text only: its text is taken, without the element")
        raw = "".join(str(text) for text in node.itertext())
        text = collapsed(raw)
        if element.kind is Kind.TEXT:
            return raw
        if element.kind is Kind.LANGUAGE:
            # An empty language is the same as none.
            return self._language(text, path) if raw else None
        if element.kind in _LEFT_OUT:
            return self._number_or_uri(text, element.kind, path)
        if not text:
            self._tell(path, "nothing", "a value")
            return None
        return self._code(raw, element, path) if element.kind is Kind.CODE else self._time(text, path)

    def _language(self, text: str, path: str) -> str | None:
        """One in another form is written as a tag, or is not known."""
        if is_form(Kind.LANGUAGE, text):
            return text
        dashed = text.replace("_", "-")
        taken = dashed if is_form(Kind.LANGUAGE, dashed) else _NO_LANGUAGE
        self._tell(path, shorten(text), f"{taken}, which is taken for it")
        return taken

    def _number_or_uri(self, text: str, kind: Kind, path: str) -> str | int | None:
        value: str | int | None = text
        if kind is Kind.INTEGER:
            value = whole_number(text)
        elif not (is_uri(text) if kind is Kind.URI else is_form(kind, text)):
            value = None
        if value is None:
            self._tell(path, shorten(text), _LEFT_OUT[kind])
        return value

    def _code(self, raw: str, element: Element, path: str) -> str:
        if raw in element.codes:
            return raw
        text = collapsed(raw)
        folded = {code.casefold(): code for code in element.codes}
        code = folded.get(_OLD_CODES.get(text, text).casefold())
        if code is None:
            raise refuse(_FORM, path, shorten(raw), "one of " + ", ".join(element.codes))
        self._tell(path, shorten(raw), f"{code}, which is taken for it")
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
