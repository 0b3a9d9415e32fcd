"""What people must look at. Each fact is told once, and a hostile peer cannot make facts without end."""

from typing import Final

from exchange.clock import Clock
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

    async def tell(self, fact: str, kind: str, member: str | None, detail: str, relay_time: int | None = None) -> None:
        """Raise an alarm about a fact, unless it was raised before. `relay_time`: by the relay's clock, if known."""
        if fact in self._told:
            return
        await self._store.add_alarm(Alarm(fact, kind, member, detail, self._clock.now()), relay_time)
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told.add(fact)

    async def tell_daily(
        self, cause: str, kind: str, member: str | None, detail: str, relay_time: int | None = None
    ) -> None:
        """Raise an alarm once a day for each cause: for what a peer can bring about as often as it likes."""
        await self.tell(f"{cause}:{self._clock.now() // DAY}", kind, member, detail, relay_time)
