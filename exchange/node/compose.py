"""From a ministry's request to a stored message: judged by what is held, committed. The sealer takes it from there.

What the node's settings ask other officials to release is checked in the same way, kept, and composed when it is.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from exchange.errors import Invalid, Unavailable
from exchange.node import request as requests
from exchange.node.access import Caller, Scope
from exchange.node.act_values import Opened, Performer, Submission
from exchange.node.acts import Acts
from exchange.node.classes import Classes
from exchange.node.draft import Carried, Draft, Upload, make_draft
from exchange.node.entry import Entry
from exchange.node.groups import Groups
from exchange.node.held import carried_of, send_submission
from exchange.node.holding import HeldGrants
from exchange.node.intake import Intake
from exchange.node.judging import Judge
from exchange.node.parts import Parts
from exchange.node.passing import Passer
from exchange.node.request import SendRequest
from exchange.node.shelf import Shelf
from exchange.node.taken import Taken, Warned
from exchange.records import notices
from exchange.records.procedure import MODALITIES
from exchange.storage.node_values import Idempotency, Message
from schemas.canon import encode
from schemas.content import ATTACHMENT

MESSAGE_ID: Final = re.compile("[0-9a-f]{32}")
SEND: Final = "send"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A request that this node made of another: what it was asked, which a repeated request repeats; its sources."""

    asked: object
    carried: Carried


class Composer:
    """Takes in what ministries send and forward; `acts` are those that wait for other officials."""

    def __init__(self, parts: Parts, acts: Acts | None = None) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._entry = Entry(parts)
        self._shelf = Shelf(parts)
        self._judge = Judge(parts)
        self._groups = Groups(parts)
        self._classes = Classes(parts)
        self._intake = Intake(parts)
        # Between the judgement by what is held and the commit nothing may be added that would change it.
        self._judging = asyncio.Lock()
        self.acts = Acts(parts) if acts is None else acts
        self._passer = Passer(parts, self._intake, self._groups, self.acts)
        self.acts.register(SEND, Performer(Scope.RELEASE, self._perform, self._show, self._revise))

    async def send(
        self,
        value: object,
        uploads: tuple[Upload, ...],
        caller: Caller,
        key: str | None,
        compiled: Compiled | None = None,
    ) -> Taken:
        """Check, judge and store a request; `compiled`: what it was compiled from, if it was.

        Raises Invalid, NotFound, Forbidden, Conflict, or Unavailable before this node's key is published; then nothing
        is stored.
        """
        files = [encode(ATTACHMENT, upload.attachment) for upload in uploads]
        same = (value, files) if compiled is None else (compiled.asked, ())
        request = self._parsed(value, caller)
        idempotency = await self._intake.idempotency(caller, key, *same)
        earlier = await self._intake.earlier(idempotency, uploads)
        if earlier is not None:
            return earlier
        carried = Carried() if compiled is None else compiled.carried
        request, draft = await self._drafted(request, uploads, caller, carried)
        if not _to_be_judged(request, draft):
            return await self._take(request, draft, uploads, carried, caller, idempotency, ())
        async with self._judging:
            earlier = await self._intake.earlier(idempotency, uploads)
            if earlier is not None:
                return earlier
            doubts = await self._judge.intended(draft.fact, caller)
            return await self._take(request, draft, uploads, carried, caller, idempotency, doubts)

    async def known(self, asked: object, caller: Caller, key: str | None) -> Taken | None:
        """What was compiled and stored before for this very request. Raises Conflict for a key of another request."""
        return await self._intake.earlier(await self._intake.idempotency(caller, key, asked, ()), ())

    async def forward(self, source: Message, value: object, caller: Caller, key: str | None) -> Taken:
        """Pass a received message on, unmodified, to others. Raises Forbidden when consent is missing."""
        return await self._passer.forward(source, value, caller, key)

    def _parsed(self, value: object, caller: Caller) -> SendRequest:
        """Raises Invalid, Forbidden, or Unavailable."""
        parts = self._parts
        request = requests.parse_model(SendRequest, value)
        requests.require_measure(caller.measures, request.measure, request.record.get("record_type"))
        if not parts.directory.current.knows(parts.member, parts.keyring.signing.key_id):
            why = "this node's signing key is not in the directory yet: see `cbm node status`, is it certified?"
            raise Unavailable("key-not-published", why)
        return request

    async def _drafted(
        self, request: SendRequest, uploads: tuple[Upload, ...], caller: Caller, carried: Carried
    ) -> tuple[SendRequest, Draft]:
        """The request with recipients and thread settled, and the complete message."""
        parts = self._parts
        request = await self._threaded(request, caller)
        request = request.model_copy(update={"to": await self._groups.expand(request.to)})
        classes = await self._classes.meanings(request.classes)
        now = parts.clock.now()
        return request, await asyncio.to_thread(make_draft, parts, request, uploads, caller, now, carried, classes)

    async def _take(
        self,
        request: SendRequest,
        draft: Draft,
        uploads: tuple[Upload, ...],
        carried: Carried,
        caller: Caller,
        idempotency: Idempotency | None,
        doubts: tuple[str, ...],
    ) -> Taken:
        """Store it, or keep it until others have released it."""
        warned = self._warned(draft, doubts)
        if not self.acts.needed(SEND, draft.message.measure, draft.message.record_type):
            return await self._intake.store(draft.message, idempotency, warned, draft.joint)
        return await self.acts.hold(
            send_submission(SEND, request, draft, uploads, carried), caller, idempotency, warned
        )

    async def _perform(self, opened: Opened) -> bytes:
        known = await self._intake.stored(opened.idempotency)
        if known is not None:
            return known
        request = self._parsed(opened.payload["request"], opened.caller)
        carried = await self._recounted(carried_of(opened.payload))
        _, draft = await self._drafted(request, opened.uploads, opened.caller, carried)
        async with self._judging:
            await self._judge.intended(draft.fact, opened.caller)
            return await self._intake.commit(draft.message, opened.idempotency, draft.joint)

    async def _recounted(self, carried: Carried) -> Carried:
        """What waited for officials: others may have used its Grants meanwhile."""
        return replace(carried, counted=await HeldGrants(self._parts).uses(*carried.grants))

    async def _show(self, opened: Opened, _viewer: Caller) -> dict[str, Any]:
        return {"request": opened.payload["request"]}

    async def _revise(self, opened: Opened, value: object, uploads: tuple[Upload, ...]) -> Submission:
        carried = carried_of(opened.payload)
        if carried.provisions:
            raise Invalid("not-changeable", "an edition is not changed: refuse it, and compile anew")
        request, draft = await self._drafted(self._parsed(value, opened.caller), uploads, opened.caller, carried)
        await self._judge.intended(draft.fact, opened.caller)
        return send_submission(SEND, request, draft, uploads, carried)

    async def _threaded(self, request: SendRequest, caller: Caller) -> SendRequest:
        """The request with the record that begins its thread among the references. Raises NotFound."""
        if request.thread is None:
            return request
        record_id = request.thread
        if MESSAGE_ID.fullmatch(record_id) is not None:
            record_id = (await self._shelf.of(await self._entry.message(record_id, caller))).record_id
        stated = request.record.get("references", [])
        # Anything but a list is for validation to refuse.
        if not isinstance(stated, list) or record_id in stated:
            return request
        return request.model_copy(update={"record": {**request.record, "references": [*stated, record_id]}})

    def _warned(self, draft: Draft, doubts: tuple[str, ...]) -> tuple[Warned, ...]:
        """What validation, the records that are held, and this state's own declaration say of it."""
        declaration = self._parts.declaration
        departures = () if declaration is None else notices.warnings(draft.record, declaration)
        return (
            *(Warned("record", f"/record{d.path}: found {d.found}, expected {d.expected}") for d in draft.doubts),
            *(Warned("chain", doubt) for doubt in doubts),
            *(Warned(notice.code, notice.detail) for notice in departures),
        )


def date_text(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _to_be_judged(request: SendRequest, draft: Draft) -> bool:
    """Its id is new and it names nothing: nothing that is held says anything about it."""
    return "record_id" in request.record or bool(draft.message.named) or draft.fact.measure in MODALITIES
