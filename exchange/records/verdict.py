"""The answer of a rule about an intended record: allowed, perhaps with warnings, or refused with the reason."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Allowed:
    """Nothing forbids it; `warnings` say what is unusual, each one sentence without content of a record."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """What forbids it and what to do, one sentence without content of a record."""

    reason: str


Verdict: TypeAlias = Allowed | Refused
