"""What is wrong with an audit log: the first wrong entry, and what was done to it."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """What is wrong with an entry."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    INDEX = "index-differs"
    UNREADABLE = "unreadable"
    TILE = "tile-differs"
    CHECKPOINT = "checkpoint-contradicts"
    SIGNATURE = "checkpoint-not-signed"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Fault:
    """The first wrong entry, and what is wrong. `last`: when only a range is known, the last that may be it."""

    index: int
    wrong: Wrong
    detail: str
    last: int | None = None

    def __str__(self) -> str:
        """One sentence."""
        place = f"entry {self.index}" if self.last is None else f"an entry from {self.index} to {self.last}"
        return f"{place}: {self.wrong.value}: {self.detail}"


class Broken(Exception):
    """The log is not what it was."""

    def __init__(self, fault: Fault) -> None:
        """With the fault."""
        super().__init__(str(fault))
        self.fault = fault
