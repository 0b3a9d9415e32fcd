"""What time alone brings about: expiry, missing numbers, late deliveries, a fresh directory, new epochs."""

import asyncio
from collections import defaultdict
from typing import Final

from exchange.delivery.streams import late_up_to, overdue
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.alarms import Alarms
from exchange.node.parts import Parts
from exchange.node.wake import wait_for
from exchange.node.witness import Witness
from exchange.storage.audit_port import AuditFact
from exchange.storage.node_values import Alarm, LateStream
from keys.errors import KeyFault
from schemas.audit import AuditKind
from schemas.errors import DecodeError
from schemas.statement import DirectoryEntry

_TICK: Final = 1.0
_SOON: Final = 1
# How many missing numbers of a stream, and how many streams, an alarm spells out.
_NAMED: Final = 20
_NAMED_STREAMS: Final = 4
# Streams with news of what is missing that one turn looks at; the next turn goes on.
_LATE_STREAMS: Final = 64


class Housekeeper:
    """Each step stands alone, so that a fault of one does not keep the others from their turn."""

    def __init__(self, parts: Parts, statement: DirectoryEntry | None) -> None:
        """`statement`: this node's certified signing key, to be published when the directory lacks it."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._statement = statement
        self._witness = Witness(parts)
        self._log = get_logger("housekeeping")
        self._directory_due = 0
        # Why the directory could not be brought up to date; None while it can.
        self.directory_fault: str | None = None

    async def run(self) -> None:
        """Tick until cancelled. Nothing of it waits for the relay."""
        while True:
            await self.tick()
            await asyncio.sleep(_TICK)

    async def follow(self) -> None:
        """Follow the relay's directory until cancelled: a loop of its own, because the relay may take its time."""
        while True:
            await self.look()
            await wait_for(self._parts.wakes.directory, _TICK)

    async def tick(self) -> None:
        """Everything that is due now."""
        now = self._parts.clock.now()
        for step in (self._epochs, self._trust, self._expiry, self._gaps, self._undelivered):
            try:
                await step(now)
            except ExchangeError as fault:
                self._log.error("housekeeping.fault", step=step.__name__, code=fault.code, why=fault.detail)

    async def look(self) -> None:
        """Bring the directory up to date and publish what it lacks, when that is due."""
        await self._directory(self._parts.clock.now())

    async def _directory(self, now: int) -> None:
        parts = self._parts
        if now < self._directory_due and not parts.wakes.directory.is_set():
            return
        parts.wakes.directory.clear()
        try:
            await parts.directory.update(parts.relay, now)
            await parts.directory.publish(parts.relay, parts.keyring, self._statement, now)
            self.directory_fault = None
            await self._witness.recover()
            # What this node or others have published waits for its cosignatures, which come soon.
            settled = parts.directory.settled
            self._directory_due = now + (parts.config.delivery.directory_every if settled else _SOON)
            parts.wakes.to_seal.set()
        except (ExchangeError, KeyFault, DecodeError) as fault:
            if self.directory_fault != str(fault):
                self._log.warning("directory.stale", why=str(fault), size=parts.directory.current.size)
            self.directory_fault = str(fault)
            self._directory_due = now + _SOON

    async def _epochs(self, now: int) -> None:
        """Destroy the epochs' private halves whose time has come."""
        try:
            destroyed = await asyncio.to_thread(self._parts.keyring.destroy_due, now)
        except KeyFault as fault:
            detail = f"an epoch's private key outlives its time: {fault}"
            await self._alarms.tell_daily("epoch-not-destroyed", "epoch-not-destroyed", None, detail)
            return
        if destroyed:
            gone = [AuditFact(AuditKind.KEY, now, "node", reason="epoch-destroyed", count=one) for one in destroyed]
            await self._parts.stores.audit.add(tuple(gone))

    async def _trust(self, now: int) -> None:
        """Obey what an operator gave this node by hand; tell of a clock and of a directory that cannot be trusted."""
        directory = self._parts.directory
        await directory.obey_by_hand()
        await self._parts.clocks.look()
        # A node that was off for long looks for what is new before it complains.
        age = directory.age_fault(now) if self.directory_fault is not None else None
        for kind, fault in (("clock", directory.clock_fault(now)), ("directory-stale", age)):
            if fault is not None:
                await self._parts.guard.tell(kind, fault)

    async def _expiry(self, now: int) -> None:
        await self._parts.stores.evidence.expire(now)

    async def _gaps(self, now: int) -> None:
        """A number that stays missing is named once: whose stream, which numbers; one alarm for each sender."""
        deadline = self._parts.config.delivery.gap_deadline
        inbox = self._parts.stores.inbox
        late = await inbox.late_streams(now - deadline, _LATE_STREAMS)
        if not late:
            return
        lines: defaultdict[str, list[str]] = defaultdict(list)
        for stream in late:
            missing = [number for number in overdue(stream.state, now, deadline) if number > stream.told]
            if missing:
                lines[stream.sender].append(_line(stream, missing))
        alarms = [_missing(sender, found, now) for sender, found in lines.items()]
        told = tuple((stream, late_up_to(stream.state, now, deadline)) for stream in late)
        await inbox.save_told(told, tuple(alarms))

    async def _undelivered(self, now: int) -> None:
        """Accepted by the relay long ago and not acknowledged by the recipient."""
        before = now - self._parts.config.delivery.undelivered_after
        for message, member in await self._parts.stores.evidence.undelivered(before):
            await self._alarms.tell(
                f"undelivered:{message.hex()}:{member}",
                "undelivered",
                member,
                f"{member} has not acknowledged message {message.hex()} in time: ask {member}",
            )


def _line(stream: LateStream, missing: list[int]) -> str:
    named = ", ".join(str(number) for number in missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"number {named}{more} of stream {stream.stream.hex()}"


def _missing(sender: str, lines: list[str], now: int) -> Alarm:
    named = "; ".join(lines[:_NAMED_STREAMS])
    more = f"; and of {len(lines) - _NAMED_STREAMS} more streams" if len(lines) > _NAMED_STREAMS else ""
    detail = f"envelopes of {sender} did not arrive: {named}{more}; ask {sender}"
    return Alarm(f"missing:{sender}:{now}:{lines[0]}", "missing", sender, detail, now)
