"""Compiles editions of the Secretariat's database (1.6; section 3.B, step B2; 2.3.14) from what this node holds.

What goes in is decided by `exchange.records.database`; who may have each source by `authorise`, asked here before the
edition is made, again when it is sealed, at the relay, and at each reader: its envelope carries the signed Provision of
every source beside its own, and the Grants that they need (1.7). The list that comes along names them all.
"""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from exchange.errors import Conflict, Forbidden, Invalid, Json
from exchange.node import request as requests
from exchange.node.access import Caller
from exchange.node.acts import OPEN
from exchange.node.compilation import CompileRequest, edition_request, marking_of
from exchange.node.compose import Compiled, Composer
from exchange.node.draft import Carried, Upload
from exchange.node.parts import Parts
from exchange.node.shelf import Shelf
from exchange.node.sources import Sources
from exchange.node.stored import open_manifest
from exchange.node.taken import Taken
from exchange.records.chain import State, build
from exchange.records.compiled import LIST_FILE, LIST_TYPE, MAX_LIST, RECORD_TYPE, read_compilation, write_compilation
from exchange.records.database import COMMON_DATABASE, MODALITY_B, Compilation, LeftOut, Topic, compile_edition
from exchange.records.facts import RecordFact
from exchange.records.links import key_of
from exchange.storage.node_values import Message
from schemas import catalogue
from schemas.content import Attachment
from schemas.ids import SECRETARIAT, Digest, MemberId
from schemas.terms import Precedence, Purpose

_PAGE: Final = 200
_TRADE: Final = "2.3."
_ENDED: Final = frozenset({State.CANCELLED, State.WITHDRAWN, State.REFUSED})


@dataclass(frozen=True, slots=True)
class Before:
    """The edition before: what it said, and its record."""

    compilation: Compilation
    fact: RecordFact


class Compiler:
    """Makes the next edition for an audience. One for a node, so that no two editions have one number."""

    def __init__(self, parts: Parts, composer: Composer) -> None:
        """Over the node's parts; what is compiled goes out through the composer."""
        self._parts = parts
        self._composer = composer
        self._shelf = Shelf(parts)
        self._turn = asyncio.Lock()

    async def compile(self, value: object, caller: Caller, key: str | None) -> tuple[Taken, dict[str, Json]]:
        """The next edition, queued, and what the Secretariat is told of it.

        Raises Forbidden at any other node, Conflict when no source may go to all readers, Invalid, NotFound.
        """
        if self._parts.member != SECRETARIAT:
            why = f"editions are compiled at the Secretariat's node, this is that of {self._parts.member} (1.6)"
            raise Forbidden("not-the-secretariat", why)
        request = requests.parse_model(CompileRequest, value)
        topic = _topic(request)
        readers = requests.recipients(request.to, False, self._parts.member, self._parts.directory.current)
        measures = _measures(topic)
        for measure in measures:
            requests.require_measure(caller.measures, measure, None)
        async with self._turn:
            known = await self._composer.known(value, caller, key)
            if known is not None:
                return known, await self._told(known.message, ())
            await self._require_released(topic)
            before = await self._before(topic, readers)
            compilation, left_out, carried, tlp = await self._compiled(request, topic, readers, measures, before)
            send = edition_request(request, compilation, await self._replaced(before), tlp)
            upload = await asyncio.to_thread(self._upload, compilation)
            try:
                taken = await self._composer.send(send, (upload,), caller, key, Compiled(value, carried))
            except Exception:
                # Not when it is cancelled: the commit may stand, and orphans are removed at the next start.
                self._parts.files.remove_content([upload.file])
                raise
        return taken, await self._told(taken.message, left_out)

    async def _require_released(self, topic: Topic) -> None:
        """Raises Conflict while an edition waits for its release: the next one goes on from it."""
        waiting = await self._parts.stores.acts.acts(OPEN, _PAGE)
        if any((act.measure, act.record_type) == (topic.measure, RECORD_TYPE) for act in waiting):
            why = f"an edition for {topic.measure} waits for its release: see `cbm release list`"
            raise Conflict("edition-awaits-release", why)

    async def _compiled(
        self,
        request: CompileRequest,
        topic: Topic,
        readers: tuple[MemberId, ...],
        measures: tuple[str, ...],
        before: Before | None,
    ) -> tuple[Compilation, tuple[LeftOut, ...], Carried, str]:
        previous = None if before is None else before.compilation
        if request.sources is None:
            facts = await self._shelf.about(measures)
        else:
            held = () if previous is None else tuple(row.record_id for row in previous.rows)
            facts = await self._shelf.around((*request.sources, *held))
        purpose = requests.code(Purpose, request.purpose, "purpose")
        precedence = requests.code(Precedence, request.precedence, "precedence")
        at = max(self._parts.clock.now(), requests.moment(request.not_before, "not_before") or 0)
        sources = Sources(self._parts, topic, readers, purpose, precedence, at, request.sources)
        gathered = await sources.gather(facts)
        compilation, left_out = await asyncio.to_thread(compile_edition, gathered, topic, readers, previous)
        if not compilation.rows:
            reasons = "; ".join(f"{row.record_id}: {row.reason}" for row in left_out[:3])
            why = f"no source may go to all of {', '.join(readers)}: {reasons or 'none is here'}"
            raise Conflict("nothing-to-compile", f"{why}. Cancel the edition before if it is void")
        carried = sources.carried(compilation)
        return compilation, left_out, carried, marking_of(request, carried.provisions)

    async def _before(self, topic: Topic, readers: tuple[MemberId, ...]) -> Before | None:
        """The newest edition on one topic for the same readers that anybody may have, from this node's own outbox."""
        views = self._parts.stores.views
        idents, last = [], 0
        while page := await views.messages("outbox", last, _PAGE, (topic.measure,), None):
            idents += [message.id for message in page if message.record_type == RECORD_TYPE]
            last = page[-1].seq
        for ident in reversed(idents):
            message = await views.message(ident)
            compilation = None if message is None else await asyncio.to_thread(self._list_of, message)
            if message is None or compilation is None:
                continue
            fact = await self._shelf.of(message)
            unsent = fact.evidenced_at is None and message.state in {"refused", "expired"}
            if (compilation.topic, compilation.audience) == (topic, readers) and not unsent:
                return Before(compilation, fact)
        return None

    async def _replaced(self, before: Before | None) -> str | None:
        """The record that the edition updates; None when it begins a line, as after one that was cancelled."""
        if before is None:
            return None
        chains = await asyncio.to_thread(build, await self._shelf.around([before.fact.record_id]))
        entry = chains.entries.get(key_of(before.fact))
        return None if entry is None or entry.state in _ENDED else before.fact.record_id

    def _list_of(self, message: Message) -> Compilation | None:
        """The list that a sent edition carries; None for what was not compiled here."""
        manifest = open_manifest(self._parts.keyring.vault, message)
        for attachment, stored in zip(manifest.attachments, message.attachments, strict=True):
            if attachment.filename == LIST_FILE and attachment.size <= MAX_LIST:
                try:
                    return read_compilation(b"".join(self._parts.files.read_content(stored.file)))
                except Invalid:
                    return None
        return None

    def _upload(self, compilation: Compilation) -> Upload:
        data = write_compilation(compilation)
        if len(data) > MAX_LIST:
            raise Invalid("compilation-too-large", f"the list of the edition exceeds {MAX_LIST} bytes: choose sources")
        name = self._parts.files.new_name()
        self._parts.files.write_content(name, [data])
        return Upload(Attachment(LIST_FILE, LIST_TYPE, len(data), Digest(hashlib.sha256(data).digest())), name)

    async def _told(self, ident: bytes, left_out: Iterable[LeftOut]) -> dict[str, Json]:
        """What the Secretariat learns: the edition as it is stored, and what it left out and why."""
        message = await self._parts.stores.views.message(ident)
        compilation = None if message is None else await asyncio.to_thread(self._list_of, message)
        if compilation is None:
            return {}
        return {
            "edition": compilation.edition,
            "sources": [row.record_id for row in compilation.rows],
            "void": [{"record_id": trace.record_id, "reason": trace.reason} for trace in compilation.traces],
            "left_out": [
                {"record_id": row.record_id, "message": row.message, "reason": row.reason} for row in left_out
            ],
        }


def _topic(request: CompileRequest) -> Topic:
    """Raises Invalid for what is no database of the Catalogue."""
    if request.measure not in (COMMON_DATABASE, MODALITY_B):
        detail = f"/measure: editions are made for {COMMON_DATABASE} and {MODALITY_B}"
        raise Invalid("bad-request", detail, {"path": "/measure"})
    if (request.measure == MODALITY_B) != (request.priority_area is not None):
        detail = f"/priority_area: name one for {MODALITY_B}, and none for {COMMON_DATABASE}"
        raise Invalid("bad-request", detail, {"path": "/priority_area"})
    return Topic(request.measure, request.priority_area)


def _measures(topic: Topic) -> tuple[str, ...]:
    """What it is compiled from: `Topic.covers` has the rule, this is where the records are looked for."""
    if topic.measure != COMMON_DATABASE:
        return (topic.measure,)
    known: set[Any] = {row.number for ed in catalogue.editions() for row in catalogue.measures(ed.catalogue_id)}
    return tuple(sorted(number for number in known if number.startswith(_TRADE)))
