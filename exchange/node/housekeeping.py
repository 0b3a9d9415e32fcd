"""What time alone brings about: expiry, missing numbers, late deliveries, a fresh directory, new epochs."""

from typing import Final

from exchange.delivery.streams import overdue
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.node.wake import wait_for
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.statement import DirectoryEntry

_TICK: Final = 1.0
# How many missing numbers an alarm spells out.
_NAMED: Final = 20


class Housekeeper:
    """One loop; each step stands alone, so that a fault of one does not keep the others from their turn."""

    def __init__(self, parts: Parts, receiver: Receiver, statement: DirectoryEntry | None) -> None:
        """`statement`: this node's certified signing key, to be published when the directory lacks it."""
        self._parts = parts
        self._receiver = receiver
        self._statement = statement
        self._log = get_logger("housekeeping")
        self._directory_due = 0
        # Why the directory could not be brought up to date; None while it can.
        self.directory_fault: str | None = None

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await self.tick()
            await wait_for(self._parts.wakes.directory, _TICK)

    async def tick(self) -> None:
        """Everything that is due now."""
        now = self._parts.clock.now()
        for step in (self._directory, self._expiry, self._gaps, self._undelivered):
            try:
                await step(now)
            except ExchangeError as fault:
                self._log.error("housekeeping.fault", step=step.__name__, code=fault.code, why=fault.detail)

    async def _directory(self, now: int) -> None:
        parts = self._parts
        if now < self._directory_due and not parts.wakes.directory.is_set():
            return
        parts.wakes.directory.clear()
        try:
            await parts.directory.update(parts.relay, now)
            await parts.directory.publish(parts.relay, parts.keyring, self._statement, now)
            self.directory_fault = None
            self._directory_due = now + parts.config.delivery.directory_every
            parts.wakes.to_seal.set()
        except (ExchangeError, KeyFault, DecodeError) as fault:
            if self.directory_fault != str(fault):
                self._log.warning("directory.stale", why=str(fault), size=parts.directory.current.size)
            self.directory_fault = str(fault)
            self._directory_due = now + 2

    async def _expiry(self, now: int) -> None:
        await self._parts.stores.evidence.expire(now)

    async def _gaps(self, now: int) -> None:
        """A number that stays missing is named: whose stream, which numbers."""
        deadline = self._parts.config.delivery.gap_deadline
        for (sender, stream), state in (await self._parts.stores.inbox.streams_in()).items():
            missing = overdue(state, now, deadline)
            if not missing:
                continue
            named = ", ".join(str(number) for number in missing[:_NAMED])
            more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            await self._receiver.alarm(
                f"missing:{sender}:{stream.hex()}:{missing[0]}:{len(missing)}",
                "missing",
                sender,
                f"envelopes of {sender} did not arrive: number {named}{more} of stream {stream.hex()}; ask {sender}",
            )

    async def _undelivered(self, now: int) -> None:
        """Accepted by the relay long ago and not acknowledged by the recipient."""
        before = now - self._parts.config.delivery.undelivered_after
        for message, member in await self._parts.stores.evidence.undelivered(before):
            await self._receiver.alarm(
                f"undelivered:{message.hex()}:{member}",
                "undelivered",
                member,
                f"{member} has not acknowledged message {message.hex()} in time: ask {member}",
            )
