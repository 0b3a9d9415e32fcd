"""A vector: what an implementation is given, at which stage, and what it has to answer."""

from dataclasses import dataclass, field
from typing import Any, Final

ACCEPTED: Final = "accepted"
STAGES: Final = ("decode", "derive", "signature", "times", "authorise", "open", "stream")


@dataclass(frozen=True, slots=True)
class Vector:
    """One file `<stage>/<name>.json`. `name` is the object, a dash, and the defect or what is special."""

    stage: str
    name: str
    object: str
    expect: Any
    note: str
    given: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Its JSON."""
        return {"object": self.object, "stage": self.stage, "note": self.note, **self.given, "expect": self.expect}


def decode(name: str, of: str, data: bytes, expect: str = ACCEPTED, note: str = "") -> Vector:
    """A vector of the first stage."""
    return Vector("decode", f"{of}-{name}", of, expect, note, {"hex": data.hex()})
