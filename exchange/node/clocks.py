"""This node's clock against the relay's: compared as a session begins and by signed receipts, watched in between.

Entries of the audit log are by this clock. From when to when it was off the limit is therefore an entry too.
"""

import asyncio
from typing import Final

from exchange.clock import Clock
from exchange.node.alarms import Alarms
from exchange.storage.audit_port import AuditFact, AuditStore
from exchange.storage.node_port import InboxStore
from schemas.audit import AuditKind
from schemas.limits import DAY, MAX_CLOCK_AHEAD

SKEW: Final = "clock-skew"
_ENDED: Final = "clock-skew-ended"
# A clock that hovers at the limit is not right before it is well inside.
_RIGHT: Final = MAX_CLOCK_AHEAD // 2


class ClockWatch:
    """What is known of the two clocks."""

    def __init__(self, clock: Clock, inbox: InboxStore, audit: AuditStore) -> None:
        """Nothing has been compared yet."""
        self._clock = clock
        self._audit = audit
        # This clock, the relay's (Unix seconds) and a steady one when they were compared.
        self._compared: tuple[int, float, float] | None = None
        self._off = False
        # The day on which it was last said that a difference has ended.
        self._ended: int | None = None
        self._alarms = Alarms(inbox, clock)

    def compare(self, relay: int) -> int:
        """The relay's clock says `relay` now; by how many seconds this one is ahead of it."""
        now = self._clock.now()
        self._compared = now, relay, asyncio.get_running_loop().time()
        return now - relay

    def passed(self, relay: int) -> None:
        """The relay has signed something at `relay` by its clock: it is at least as late there."""
        if self._compared is None:
            if relay > self._clock.now():
                self.compare(relay)
        elif relay > self._compared[1] + self._elapsed():
            # When this clock was seen last stays: by that a jump is told.
            self._compared = self._compared[0], relay - self._elapsed(), self._compared[2]

    def relay_time(self) -> int | None:
        """What the relay's clock says now, as far as that can be known; None: not at all."""
        return None if self._compared is None else round(self._compared[1] + self._elapsed())

    def ahead(self) -> int | None:
        """By how many seconds this clock is ahead of the relay's; None: not known."""
        relay = self.relay_time()
        return None if relay is None else self._clock.now() - relay

    def jumped(self) -> float:
        """By how many seconds this clock has jumped ahead since the two were compared."""
        return 0 if self._compared is None else self._clock.now() - self._compared[0] - self._elapsed()

    def fault(self) -> str | None:
        """Why one of the two clocks is wrong; None: they agree, or were not compared."""
        ahead = self.ahead()
        if ahead is None or abs(ahead) <= (_RIGHT if self._off else MAX_CLOCK_AHEAD):
            return None
        which = "ahead of" if ahead > 0 else "behind"
        return f"this clock is {abs(ahead)} s {which} the relay's: check both"

    async def look(self) -> None:
        """Tell that the clocks differ too much, and that they do not any more: each once a day."""
        fault = self.fault()
        if fault is not None:
            await self._alarms.tell_daily(SKEW, SKEW, None, fault, self.relay_time())
        elif self._off:
            await self._tell_ended()
        self._off = fault is not None

    async def _tell_ended(self) -> None:
        now = self._clock.now()
        if self._ended != now // DAY:
            await self._audit.add(
                (AuditFact(AuditKind.ALARM, now, "node", reason=_ENDED, relay_time=self.relay_time()),)
            )
            self._ended = now // DAY

    def _elapsed(self) -> float:
        return 0.0 if self._compared is None else asyncio.get_running_loop().time() - self._compared[2]
