"""Codes in the clear part of an envelope. Numbers are the wire's; `label` is what people and records write."""

from enum import IntEnum
from typing import TypeVar


class _Labelled(IntEnum):
    @property
    def label(self) -> str:
        """The code as records, the command line and the API write it."""
        return self.name.lower().replace("_", "-")


class Onward(_Labelled):
    """May a recipient pass the information on (provision 1.7)?"""

    NONE = 0
    ON_CONSENT = 1
    MEMBERS = 2
    PUBLIC = 3


class Precedence(_Labelled):
    """Order of delivery; a lower number goes first."""

    FLASH = 0
    IMMEDIATE = 1
    PRIORITY = 2
    ROUTINE = 3


class Purpose(_Labelled):
    """What the information may be used for. A closed list: a free text in clear would tell the relay of the content."""

    CONFIDENCE_BUILDING = 0
    DISASTER_RESPONSE = 1
    PUBLIC_HEALTH = 2
    LAW_ENFORCEMENT = 3
    ICT_SECURITY = 4
    VERIFICATION = 5
    STATISTICS = 6
    PUBLICATION = 7


class Tlp(_Labelled):
    """Handling marking, FIRST Traffic Light Protocol 2.0; a higher number is stricter."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def label(self) -> str:
        """TLP's own spelling, without the `TLP:` prefix."""
        return self.name.replace("_", "+")


class Suite(_Labelled):
    """Set of primitives; a message states it, a node accepts those of its configuration, nothing is negotiated."""

    HYBRID_1 = 1


L = TypeVar("L", bound=_Labelled)


def from_label(values: type[L], label: str) -> L:
    """The code that is written `label`; raises ValueError naming the choices."""
    for value in values:
        if value.label == label:
            return value
    choices = ", ".join(value.label for value in values)
    raise ValueError(f"{label!r} is not one of: {choices}")
