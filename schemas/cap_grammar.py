"""The grammar of a CAP 1.2 alert as data: elements in their order, as the OASIS schema states them (CAP-v1.2.xsd)."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
SIGNATURE_NAMESPACE: Final = "http://www.w3.org/2000/09/xmldsig#"


class Kind(Enum):
    """What an element holds."""

    TEXT = auto()
    TIME = auto()
    LANGUAGE = auto()
    URI = auto()
    INTEGER = auto()
    DECIMAL = auto()
    CODE = auto()
    BLOCK = auto()


@dataclass(frozen=True, slots=True)
class Element:
    """One line of the grammar: `codes` belongs to CODE, `children` to BLOCK; what is not `shown` is not projected."""

    name: str
    kind: Kind = Kind.TEXT
    required: bool = False
    repeated: bool = False
    codes: tuple[str, ...] = ()
    children: tuple["Element", ...] = ()
    shown: bool = True


def _code(name: str, codes: str, *, required: bool = False, repeated: bool = False) -> Element:
    return Element(name, Kind.CODE, required, repeated, tuple(codes.split()))


def _block(name: str, *children: Element) -> Element:
    return Element(name, Kind.BLOCK, repeated=True, children=children)


def _pairs(name: str) -> Element:
    return _block(name, Element("valueName", required=True), Element("value", required=True))


_RESOURCE: Final = _block(
    "resource",
    Element("resourceDesc", required=True),
    Element("mimeType", required=True),
    Element("size", Kind.INTEGER),
    Element("uri", Kind.URI),
    # A whole file in base64; whoever wants it reads the alert's own bytes.
    Element("derefUri", shown=False),
    Element("digest"),
)
_AREA: Final = _block(
    "area",
    Element("areaDesc", required=True),
    Element("polygon", repeated=True),
    Element("circle", repeated=True),
    _pairs("geocode"),
    Element("altitude", Kind.DECIMAL),
    Element("ceiling", Kind.DECIMAL),
)
_INFO: Final = _block(
    "info",
    Element("language", Kind.LANGUAGE),
    _code(
        "category",
        "Geo Met Safety Security Rescue Fire Health Env Transport Infra CBRNE Other",
        required=True,
        repeated=True,
    ),
    Element("event", required=True),
    _code("responseType", "Shelter Evacuate Prepare Execute Avoid Monitor Assess AllClear None", repeated=True),
    _code("urgency", "Immediate Expected Future Past Unknown", required=True),
    _code("severity", "Extreme Severe Moderate Minor Unknown", required=True),
    _code("certainty", "Observed Likely Possible Unlikely Unknown", required=True),
    Element("audience"),
    _pairs("eventCode"),
    Element("effective", Kind.TIME),
    Element("onset", Kind.TIME),
    Element("expires", Kind.TIME),
    Element("senderName"),
    Element("headline"),
    Element("description"),
    Element("instruction"),
    Element("web", Kind.URI),
    Element("contact"),
    _pairs("parameter"),
    _RESOURCE,
    _AREA,
)
ALERT: Final = (
    Element("identifier", required=True),
    Element("sender", required=True),
    Element("sent", Kind.TIME, required=True),
    _code("status", "Actual Exercise System Test Draft", required=True),
    _code("msgType", "Alert Update Cancel Ack Error", required=True),
    Element("source"),
    _code("scope", "Public Restricted Private", required=True),
    Element("restriction"),
    Element("addresses"),
    Element("code", repeated=True),
    Element("note"),
    Element("references"),
    Element("incidents"),
    _INFO,
)
