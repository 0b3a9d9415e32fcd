"""The relay's own entries in its audit log: about what changes nothing else in the store.

What anybody can cause without end is counted by the minute. Entries about envelopes, acknowledgements, the directory
and anchors are written by the engine, in the transaction of the act.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from exchange.audit.pseudonym import SECRET, pseudonym
from exchange.audit.tally import Act, Tally
from exchange.clock import Clock
from exchange.errors import ExchangeError, StoreFault, Unavailable
from exchange.logs import get_logger
from exchange.relay.core import ClockOff
from exchange.relay.limits import ADDRESSES_APART, HANDED_EVERY, SINGLE_ENTRIES
from exchange.storage.audit_port import AuditFact
from exchange.storage.port import Handed, RelayStore
from exchange.web import as_error
from keys.digests import sha256
from keys.errors import KeyFault
from schemas.audit import AuditKind, read_entry
from schemas.errors import DecodeError
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.limits import DAY

Fault = ExchangeError | KeyFault | DecodeError
OPERATOR: Final = "operator"

log = get_logger("relay.audit")


class Journal:
    """Writes them; `grew` is called after each."""

    def __init__(self, store: RelayStore, clock: Clock) -> None:
        """Nothing is counted yet."""
        self._store = store
        self.clock = clock
        self._tally = Tally(SINGLE_ENTRIES, ADDRESSES_APART)
        self._secret = (0, b"")
        self._alarmed: set[tuple[int, str, str]] = set()
        self._due: list[AuditFact] = []
        self._handed: dict[tuple[MemberId, int], Handed] = {}
        self._news = asyncio.Event()
        self.grew: Callable[[], None] = lambda: None

    def address(self, peer: str | None) -> bytes:
        """Today's pseudonym of a caller's address."""
        day = self.clock.now() // DAY
        if self._secret[0] != day:
            self._secret = (day, secrets.token_bytes(SECRET))
        return pseudonym(self._secret[1], peer)

    async def record(self, *facts: AuditFact) -> None:
        """Durable when this returns. Raises StoreFault or Unavailable."""
        await self._store.record(facts)
        self.grew()

    async def refused(self, fault: Fault, member: MemberId, envelope: EnvelopeId, header: Digest) -> None:
        """An envelope of this member, whose signature holds, was refused. Raises StoreFault or Unavailable."""
        now, reason = self.clock.now(), as_error(fault).code
        if not self._tally.single(AuditKind.REFUSED, member, now):
            self._tally.count(Act(AuditKind.REFUSED, reason, member), now)
            return
        await self.record(
            AuditFact(AuditKind.REFUSED, now, member=member, envelope=envelope, header_digest=header, reason=reason)
        )

    async def begun(self, member: MemberId, peer: str | None) -> None:
        """A session of this member has begun. Raises StoreFault or Unavailable."""
        now, kind, address = self.clock.now(), AuditKind.SESSION_BEGUN, self.address(peer)
        if self._tally.single(kind, member, now):
            await self.record(AuditFact(kind, now, member=member, address=address))
        else:
            self._tally.count(Act(kind, "again", member, address), now)

    def denied(self, fault: Fault, peer: str | None) -> None:
        """A session or a signed request was, of somebody who did not prove who it is; or whose clock is off."""
        member = fault.member if isinstance(fault, ClockOff) else None
        if member is not None:
            self.alarm("clock-skew", member)
        self._count(AuditKind.SESSION_DENIED, fault, peer, member)

    def unattributed(self, fault: Fault, peer: str | None) -> None:
        """Something of nobody that is known was refused."""
        self._count(AuditKind.REFUSED, fault, peer)

    def alarm(self, reason: str, member: str = "") -> None:
        """Once a day for each reason and member; written with the next `flush`."""
        now = self.clock.now()
        key = (now // DAY, reason, member)
        if key not in self._alarmed:
            self._alarmed = {known for known in self._alarmed if known[0] == key[0]} | {key}
            self._due.append(AuditFact(AuditKind.ALARM, now, member=member or None, reason=reason))

    async def operator(self, reason: str, settings: bytes | None = None) -> None:
        """The relay was started or stopped; with `settings` say so too when they are not those of before."""
        now = self.clock.now()
        facts = [AuditFact(AuditKind.OPERATOR, now, actor=OPERATOR, reason=reason)]
        if settings is not None:
            last = await self._store.newest_of(AuditKind.CONFIGURED)
            if last is None or read_entry(last).evidence != sha256(settings):
                facts.append(AuditFact(AuditKind.CONFIGURED, now, actor=OPERATOR, evidence=settings))
        await self.record(*facts)

    # Envelopes that were sent. One at a time would double the commits of a relay that is not busy.

    def handed(self, member: MemberId, place: int) -> None:
        """The envelope in this place was sent to the member; written soon, or with the next acknowledgement."""
        self._handed.setdefault((member, place), Handed(member, place, self.clock.now()))
        self._news.set()

    @asynccontextmanager
    async def handing_over(self) -> AsyncIterator[tuple[Handed, ...]]:
        """What is to be written of these within the block; when that fails it is still to be written."""
        handed, self._handed = self._handed, {}
        try:
            yield tuple(handed.values())
        except BaseException:
            self._handed = {**handed, **self._handed}
            raise
        self.grew()

    async def run(self) -> None:
        """Write them until cancelled."""
        while True:
            await self._news.wait()
            await asyncio.sleep(HANDED_EVERY)
            self._news.clear()
            try:
                await self._write_handed()
            except ExchangeError as fault:
                log.warning("audit.failed", code=fault.code)
                self._news.set()

    async def _write_handed(self) -> None:
        if self._handed:
            async with self.handing_over() as handed:
                await self._store.pushed(handed)

    async def flush(self, whole: bool = False) -> None:
        """Write what was counted in minutes that are over; with `whole`, in this one too, and what was sent.

        Raises StoreFault or Unavailable.
        """
        for item in self._tally.take(self.clock.now(), whole):
            act = item.act
            self._due.append(
                AuditFact(
                    act.kind, item.time, member=act.member, reason=act.reason, address=act.address, count=item.count
                )
            )
        due = len(self._due)
        if due:
            await self.record(*self._due)
            del self._due[:due]
        if whole:
            await self._write_handed()

    def _count(self, kind: AuditKind, fault: Fault, peer: str | None, member: MemberId | None = None) -> None:
        self._tally.count(Act(kind, as_error(fault).code, member, self.address(peer)), self.clock.now())


def attributable(fault: Fault) -> bool:
    """Whether an envelope was refused after its sender's signature had been verified."""
    if not isinstance(fault, ExchangeError) or isinstance(fault, StoreFault | Unavailable):
        return False
    return fault.code != "body-too-large"
