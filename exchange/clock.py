"""The port through which shells read the time. Cores get the time as an argument and never see this."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Unix seconds, UTC."""
        return int(time.time())


class SetClock:
    """A clock that stands where it is put, for drills and tests of what happens at a given time."""

    def __init__(self, now: int) -> None:
        """Start at `now`."""
        self.time = now

    def now(self) -> int:
        """The time that was set."""
        return self.time
