"""What the node's interface writes into the audit log: who came in or was turned away, what was refused, what was read.

Whoever is not authenticated is counted, a minute at a time, and so is what is refused to one token again and again, so
that nobody makes the log grow at will; addresses are pseudonyms of one day and one run of the process.
"""

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from exchange.audit.pseudonym import SECRET, pseudonym
from exchange.audit.tally import Act, Tally
from exchange.clock import Clock
from exchange.errors import ExchangeError
from exchange.node.access import Caller
from exchange.storage.audit_port import AuditFact, AuditStore, exported
from exchange.web import as_error
from keys.errors import KeyFault
from keys.primitives import random_bytes
from schemas.audit import AuditKind
from schemas.errors import DecodeError
from schemas.limits import DAY

# Addresses told apart in one minute of denied requests; acts of one kind and token in it that are entries of their own.
_APART: Final = 16
_SINGLE: Final = 32
# Logins, and first readings, that are remembered for a day; when there are more, all are first ones again.
_MOST: Final = 50_000
_AGAIN: Final = "again"
_CALLER: Final = web.RequestKey("caller", Caller)


class Doorkeeper:
    """One for a node."""

    def __init__(self, audit: AuditStore, clock: Clock) -> None:
        """Nothing is counted yet."""
        self._audit = audit
        self._clock = clock
        self._tally = Tally(_SINGLE, _APART)
        self._due: list[AuditFact] = []
        self._day = -1
        self._secret = b""
        self._seen: set[tuple[str, bytes]] = set()
        self._read: set[tuple[str, bytes]] = set()

    async def admitted(self, request: web.Request, caller: Caller) -> None:
        """Somebody came in: the first time of a day for each token and address; more than a few a minute are counted.

        Raises StoreFault or Unavailable.
        """
        request[_CALLER] = caller
        seen = (caller.token, self._address(request))
        if seen not in self._seen and self._single(AuditKind.LOGIN, caller):
            await self._write(AuditKind.LOGIN, caller, address=seen[1])
            _remember(self._seen, seen)

    def denied(self, request: web.Request, fault: ExchangeError) -> None:
        """Somebody was turned away; written down when the minute is over."""
        address = self._address(request)
        self._tally.count(Act(AuditKind.LOGIN_DENIED, fault.code, address=address), self._clock.now())

    async def opened(self, caller: Caller, provision: bytes, subject: bytes) -> None:
        """An official reads what was received; what cannot be written down is not read.

        Who reads the same again and again is counted; a first reading of a day is always an entry.
        """
        first = (caller.token, subject)
        self._turn()
        if first not in self._read or self._single(AuditKind.OPENED, caller):
            await self._write(AuditKind.OPENED, caller, provision=provision, subject=subject)
            _remember(self._read, first)

    async def exported(self, caller: Caller) -> None:
        """An official takes entries of the log out; more than a few times a minute are counted."""
        if self._single(AuditKind.EXPORTED, caller):
            await self._audit.add((exported(self._clock.now(), caller.official),))

    async def flush(self, whole: bool = False) -> None:
        """Write what was counted in minutes that are over; with `whole`, in this one too.

        Raises StoreFault or Unavailable: then it is written the next time.
        """
        self._due += [
            AuditFact(act.kind, item.time, act.actor, reason=act.reason, address=act.address, count=item.count)
            for item in self._tally.take(self._clock.now(), whole)
            for act in (item.act,)
        ]
        if self._due:
            due, self._due = self._due, []
            try:
                await self._audit.add(tuple(due))
            except Exception:
                self._due = due + self._due
                raise

    def _single(self, kind: AuditKind, caller: Caller) -> bool:
        """Whether this may be an entry of its own; else it is counted."""
        now = self._clock.now()
        if self._tally.single(kind, caller.official, now):
            return True
        self._tally.count(Act(kind, _AGAIN, actor=caller.official), now)
        return False

    def watching(self) -> Middleware:
        """A middleware that writes down what is refused to somebody who is known, when it was to change something."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except (ExchangeError, DecodeError, KeyFault) as fault:
                await self._refused(request, fault)
                raise

        return middleware

    async def _refused(self, request: web.Request, fault: ExchangeError | DecodeError | KeyFault) -> None:
        caller, error = request.get(_CALLER), as_error(fault)
        changing = request.method not in ("GET", "HEAD")
        if caller is None or error.status >= 500 or not (changing or error.status == 403):
            return
        now, kind = self._clock.now(), AuditKind.SUBMISSION_REFUSED
        if self._tally.single(kind, caller.official, now):
            await self._write(kind, caller, reason=error.code)
        else:
            self._tally.count(Act(kind, error.code, actor=caller.official), now)

    async def _write(
        self,
        kind: AuditKind,
        caller: Caller,
        *,
        provision: bytes | None = None,
        subject: bytes | None = None,
        reason: str | None = None,
        address: bytes | None = None,
    ) -> None:
        fact = AuditFact(
            kind,
            self._clock.now(),
            caller.official,
            provision=provision,
            subject=subject,
            reason=reason,
            address=address,
        )
        await self._audit.add((fact,))

    def _address(self, request: web.Request) -> bytes:
        self._turn()
        return pseudonym(self._secret, request.remote)

    def _turn(self) -> None:
        """Another day has another secret, and nothing was seen in it."""
        day = self._clock.now() // DAY
        if day != self._day:
            self._day, self._secret = day, random_bytes(SECRET)
            self._seen.clear()
            self._read.clear()


def _remember(found: set[tuple[str, bytes]], one: tuple[str, bytes]) -> None:
    if len(found) >= _MOST:
        found.clear()
    found.add(one)
