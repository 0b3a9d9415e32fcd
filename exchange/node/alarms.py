"""What people must look at. Each fact is told once, and a hostile peer cannot make facts without end."""

import traceback
from pathlib import Path
from typing import Final

from exchange.clock import Clock
from exchange.logs import get_logger
from exchange.storage.node_port import InboxStore
from exchange.storage.node_values import Alarm
from schemas.limits import DAY

# Facts that are known to be on file, so that one that comes again costs no commit.
_REMEMBERED: Final = 4096


class Alarms:
    """Tells each fact once, also across restarts."""

    def __init__(self, store: InboxStore, clock: Clock) -> None:
        """Over the node's store."""
        self._store = store
        self._clock = clock
        self._told: set[str] = set()
        self._log = get_logger("alarms")

    async def tell(self, fact: str, kind: str, member: str | None, detail: str) -> None:
        """Raise an alarm about a fact, unless it was raised before."""
        if fact in self._told:
            return
        if await self._store.add_alarm(Alarm(fact, kind, member, detail, self._clock.now())):
            self._log.error("alarm", kind=kind, member=member, detail=detail)
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(fact)

    async def tell_daily(self, cause: str, kind: str, member: str | None, detail: str) -> None:
        """Raise an alarm once a day for each cause: for what a peer can bring about as often as it likes."""
        await self.tell(f"{cause}:{self._clock.now() // DAY}", kind, member, detail)


def place_of(fault: BaseException) -> str:
    """What failed and where in the program, without the fault's own text: that may hold content."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = "/".join(Path(frames[-1].filename).parts[-2:]) + f":{frames[-1].lineno}" if frames else "no place"
    return f"{type(fault).__name__} at {place}"
