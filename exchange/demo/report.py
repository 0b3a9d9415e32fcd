"""What the demo tells: steps as they happen, and one JSON value at the end."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from exchange.errors import Json


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was to be shown, whether it held, and what was seen."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class RefusalSeen:
    """A transfer without consent that was refused: where (node, relay, receiver), by which rule, whose node refused."""

    at: str
    type: str
    member: str


@dataclass(slots=True)
class Report:
    """Collects the steps. `tell` is called with each as it happens."""

    tell: Callable[[Step], None]
    steps: list[Step] = field(default_factory=list)
    refusals: list[RefusalSeen] = field(default_factory=list)
    sent: int = 0
    delivered: int = 0
    duplicates: int = 0

    def step(self, name: str, ok: bool, detail: str) -> None:
        """Note a step."""
        step = Step(name, ok, detail)
        self.steps.append(step)
        self.tell(step)

    @property
    def ok(self) -> bool:
        """Whether all of it held."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def as_json(self) -> dict[str, Json]:
        """The demo's answer."""
        return {
            "ok": self.ok,
            "steps": [asdict(step) for step in self.steps],
            "sent": self.sent,
            "delivered": self.delivered,
            "duplicates": self.duplicates,
            "refusals": [asdict(refusal) for refusal in self.refusals],
        }
