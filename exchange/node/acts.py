"""Acts that wait for other officials: held, shown, approved, refused, changed, and performed once when released.

What kind of act there is, and how it is done, others register (`Performer`). An act is performed after its release is
durable, and by a key of its own: whoever performs it again after a crash finds what it did.
"""

import asyncio
import json
from dataclasses import replace
from typing import Final

from exchange.consent.four_eyes import ActState, Approval, Obstacle
from exchange.errors import Conflict, ExchangeError, Forbidden, Invalid, Json, NotFound, StoreFault, Unavailable
from exchange.logs import get_logger, place_of
from exchange.node.access import Caller, Scope
from exchange.node.act_values import ActSealer, Opened, Performer, Submission
from exchange.node.draft import Upload
from exchange.node.parts import Parts
from exchange.node.request import may_use_measure
from exchange.node.taken import Taken, Warned
from exchange.node.wake import wait_for
from exchange.storage.act_port import Act, ActBounds, Change
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Idempotency
from keys.errors import KeyFault
from keys.primitives import random_bytes
from schemas.errors import DecodeError
from schemas.limits import DAY, MAX_REASON

OPEN: Final = (ActState.PENDING, ActState.APPROVED)
# Each may keep a record and its files; officials look through them by hand.
_MOST_PENDING: Final = ActBounds(pending=1000, of_token=100)
_MOST_LISTED: Final = 1000
# With those of revoked tokens and those that wait to be performed.
_MOST_OPEN: Final = 10_000
_PAUSE: Final = 5.0
_OBSTACLES: Final[dict[Obstacle, tuple[type[ExchangeError], str]]] = {
    Obstacle.ENDED: (Conflict, "this act does not wait for officials any more: see how it ended"),
    Obstacle.OWN: (Forbidden, "its author does not count: another official has to approve it"),
    Obstacle.STALE: (Conflict, "it was changed since you looked at it: look again, and approve the digest that it has"),
    Obstacle.NOT_AUTHOR: (Forbidden, "only its author changes it: refuse it, and say why"),
}


class Acts:
    """One for a node."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._store = parts.stores.acts
        self._sealer = ActSealer(parts.keyring.vault)
        self._performers: dict[str, Performer] = {}
        # Performed one after another, so that the loop and the last approval do not do one act side by side.
        self._turn = asyncio.Lock()
        self._released = asyncio.Event()
        self._log = get_logger("acts")

    def register(self, kind: str, performer: Performer) -> None:
        """Say how acts of a kind are done."""
        self._performers[kind] = performer

    def performer(self, act: Act) -> Performer:
        """How it is done. Raises Unavailable for a kind that this program does not know."""
        if act.kind not in self._performers:
            raise Unavailable("unknown-act", f"this program does not know acts of the kind {act.kind}")
        return self._performers[act.kind]

    def needed(self, kind: str, measure: str, record_type: str) -> int:
        """How many others have to approve an act of this kind; 0: it is done at once."""
        settings = self._parts.config.four_eyes
        if self._performers[kind].scope is Scope.CONSENT:
            return settings.consents
        return settings.releases if may_use_measure(settings.release, measure, record_type) else 0

    async def hold(
        self, what: Submission, caller: Caller, idempotency: Idempotency | None, warnings: tuple[Warned, ...] = ()
    ) -> Taken:
        """Keep what was checked until others approve it. Raises Conflict, TooMany; its files are the caller's then."""
        now = self._parts.clock.now()
        ident = random_bytes(16)
        sealed, digest = self._sealer.seal(ident, what)
        act = Act(
            id=ident,
            kind=what.kind,
            token=caller.token,
            ministry=caller.ministry,
            scopes=tuple(sorted(caller.scopes)),
            measures=caller.measures,
            measure=what.measure,
            record_type=what.record_type,
            sealed_request=sealed,
            digest=digest,
            needed=self.needed(what.kind, what.measure, what.record_type),
            state=ActState.PENDING,
            created=now,
            expires=now + self._parts.config.four_eyes.days * DAY,
            files=tuple(upload.file for upload in what.uploads),
        )
        event = self._event("act.held", act, caller, {"kind": what.kind, "measure": what.measure})
        stored = await self._store.add(act, idempotency, _MOST_PENDING, event)
        if stored != ident:
            self._parts.files.remove_content(act.files)
            return Taken(stored, False)
        self._parts.wakes.tell_news()
        return Taken(ident, True, warnings)

    async def visible(self, ident: str, caller: Caller) -> Act:
        """An act by its id in hexadecimal: its author and who may decide it see it. Raises NotFound."""
        try:
            act = await self._store.act(bytes.fromhex(ident))
        except ValueError:
            act = None
        if act is None or not self._may_see(act, caller):
            raise NotFound("no-such-release", "nothing with this id waits for you: see `cbm release list`")
        return act

    async def listed(self, caller: Caller, states: tuple[ActState, ...]) -> tuple[Act, ...]:
        """The acts that a caller sees, the newest first."""
        return tuple(act for act in await self._store.acts(states, _MOST_LISTED) if self._may_see(act, caller))

    async def approve(self, ident: str, caller: Caller, digest: bytes) -> Act:
        """An official's approval of what has this digest; the last that is needed performs the act.

        Raises NotFound, Forbidden, Conflict. A repeated approval changes nothing.
        """
        act = await self.visible(ident, caller)
        if act.token != caller.token:
            caller.require(self.performer(act).scope)
        author = await self._parts.stores.access.token(act.token)
        if author is not None and author.revoked is not None:
            raise Conflict("author-revoked", "its author's token was revoked since: refuse it, and have it asked anew")
        approval = Approval(caller.token, caller.ministry, digest, self._parts.clock.now())
        event = self._event("act.approved", act, caller, {"digest": digest.hex()})
        obstacle = await self._store.approve(act.id, approval, event)
        if obstacle is not None and not (obstacle is Obstacle.ENDED and await self._approved(act, approval)):
            raise _error(obstacle)
        await self.perform(act.id)
        return await self._again(act)

    async def refuse(self, ident: str, caller: Caller, reason: str) -> Act:
        """An official's refusal, or its author's withdrawal: final. Raises NotFound, Forbidden, Conflict, Invalid."""
        if not 1 <= len(reason) <= MAX_REASON:
            raise Invalid("bad-reason", f"/reason: write 1 to {MAX_REASON} characters")
        act = await self.visible(ident, caller)
        if act.token != caller.token:
            caller.require(self.performer(act).scope)
        if not await self._end(act, ActState.REFUSED, None, reason, caller):
            raise _error(Obstacle.ENDED)
        return await self._again(act)

    async def change(self, ident: str, caller: Caller, value: object, uploads: tuple[Upload, ...]) -> Act:
        """Put another request in its place; every approval is gone. Raises as asking for it does."""
        act = await self.visible(ident, caller)
        if act.token != caller.token:
            raise _error(Obstacle.NOT_AUTHOR)
        revise = self.performer(act).revise
        if revise is None:
            raise Invalid("not-changeable", "an act of this kind is not changed: refuse it, and ask anew")
        if act.state is not ActState.PENDING:
            raise _error(Obstacle.ENDED)
        what = await revise(self.open(act), value, uploads)
        sealed, digest = self._sealer.seal(act.id, what)
        files = tuple(upload.file for upload in what.uploads)
        now = self._parts.clock.now()
        # Of another measure it may need fewer; it began as one that is not done alone, and stays so.
        needed = max(act.needed, self.needed(act.kind, what.measure, what.record_type))
        expires = now + self._parts.config.four_eyes.days * DAY
        change = Change(sealed, digest, files, what.measure, what.record_type, needed, expires)
        event = self._event("act.changed", act, caller, {"digest": digest.hex()})
        obstacle = await self._store.change(act.id, caller.token, change, event)
        if obstacle is not None:
            raise _error(obstacle)
        self._parts.files.remove_content(set(act.files) - set(files))
        # Not read again: a fault here would have who sent the new files remove them.
        return replace(
            act,
            sealed_request=sealed,
            digest=digest,
            files=files,
            measure=what.measure,
            record_type=what.record_type,
            needed=needed,
            expires=expires,
        )

    def open(self, act: Act) -> Opened:
        """What is asked for. Raises Undecryptable or Conflict."""
        return self._sealer.open(act)

    def fault(self, act: Act) -> str | None:
        """Why nothing came of it."""
        return self._sealer.fault(act)

    async def run(self) -> None:
        """Perform what was released and end what is late, until cancelled."""
        while True:
            self._released.clear()
            try:
                await self.turn()
            except ExchangeError as fault:
                self._log.error("acts.fault", code=fault.code, why=fault.detail)
            await wait_for(self._released, _PAUSE)

    async def turn(self) -> None:
        """What a crash or a fault left released is performed; what waited too long expires."""
        now = self._parts.clock.now()
        for act in await self._store.acts(OPEN, _MOST_OPEN):
            if act.state is ActState.APPROVED:
                await self.perform(act.id)
            elif act.expires <= now:
                await self._end(act, ActState.EXPIRED, None, "nobody decided it in time", None)

    async def perform(self, ident: bytes) -> None:
        """Perform an act if it is released; what cannot be done now is left to a later turn."""
        async with self._turn:
            act = await self._store.act(ident)
            if act is None or act.state is not ActState.APPROVED:
                return
            why = None
            result = None
            try:
                result = await self.performer(act).perform(self.open(act))
            except (Unavailable, StoreFault, OSError, MemoryError) as fault:
                self._log.error("act.put-off", act=ident.hex(), why=str(fault))
                return
            except (ExchangeError, KeyFault, DecodeError) as fault:
                why = str(fault)
            except Exception as fault:  # noqa: BLE001  # the same act would meet the same fault of this program for ever
                why = f"it meets a fault of this program: {place_of(fault)}"
            state = ActState.DONE if why is None else ActState.FAILED
            await self._end(act, state, result, why, None)

    async def _end(self, act: Act, state: ActState, result: bytes | None, why: str | None, by: Caller | None) -> bool:
        sealed = None if why is None else self._sealer.seal_fault(act.id, why)
        told: dict[str, Json] = {} if result is None else {"result": result.hex()}
        ended = await self._store.end(act.id, state, result, sealed, self._event(f"act.{state}", act, by, told))
        if ended and state in (ActState.REFUSED, ActState.EXPIRED):
            # Of what was performed the files may be those of a message; orphans are removed at the next start.
            self._parts.files.remove_content(act.files)
        if ended:
            self._parts.wakes.tell_news()
        return ended

    async def _approved(self, act: Act, approval: Approval) -> bool:
        known = await self._store.approvals(act.id)
        return any((one.token, one.digest) == (approval.token, approval.digest) for one in known)

    async def _again(self, act: Act) -> Act:
        found = await self._store.act(act.id)
        return act if found is None else found

    def _may_see(self, act: Act, caller: Caller) -> bool:
        if act.token == caller.token:
            return True
        performer = self._performers.get(act.kind)
        return (
            performer is not None
            and performer.scope.value in caller.scopes
            and may_use_measure(caller.measures, act.measure, act.record_type)
        )

    def _event(self, kind: str, act: Act, by: Caller | None, told: dict[str, Json]) -> ConsentEvent:
        official = None if by is None else f"{by.ministry}/{by.token}"
        return ConsentEvent(self._parts.clock.now(), kind, act.id.hex(), None, official, json.dumps(told))


def _error(obstacle: Obstacle) -> ExchangeError:
    kind, detail = _OBSTACLES[obstacle]
    return kind(obstacle.value, detail)
