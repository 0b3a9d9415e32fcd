"""From a ministry's request to a stored message: judged by what is held, committed. The sealer takes it from there."""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Ledger, Transfer
from exchange.errors import Invalid, NotFound, Unavailable
from exchange.logs import get_logger
from exchange.node import request as requests
from exchange.node.access import Caller
from exchange.node.consent import require_consent
from exchange.node.draft import Carried, Draft, Upload, make_draft
from exchange.node.entry import Entry
from exchange.node.files import manifest_name
from exchange.node.judging import Judge
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.request import ForwardRequest, SendRequest
from exchange.node.shelf import Shelf
from exchange.records import notices
from exchange.records.procedure import MODALITIES
from exchange.records.threads import refers_to
from exchange.storage.node_values import Idempotency, Message, StoredAttachment
from keys.primitives import random_bytes
from schemas import limits
from schemas.canon import decode, encode
from schemas.content import ATTACHMENT
from schemas.grant import SIGNED_GRANT
from schemas.provision import SIGNED_PROVISION
from schemas.terms import Precedence, Purpose

MESSAGE_ID: Final = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Warned:
    """What is unusual about a message that was taken: a stable code, and one sentence for who sent it."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A request that is stored: its message, and whether it is new; what was taken before is not warned of again."""

    message: bytes
    new: bool
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A request that this node made of another: what it was asked, which a repeated request repeats; its sources."""

    asked: object
    carried: Carried


class Composer:
    """Takes in what ministries send and forward."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._entry = Entry(parts)
        self._shelf = Shelf(parts)
        self._judge = Judge(parts)
        self._origins = OriginKeeper(parts)
        # Between the judgement by what is held and the commit nothing may be added that would change it.
        self._judging = asyncio.Lock()
        self._log = get_logger("composer")

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
        parts = self._parts
        request = requests.parse_model(SendRequest, value)
        requests.require_measure(caller.measures, request.measure, request.record.get("record_type"))
        if not parts.directory.current.knows(parts.member, parts.keyring.signing.key_id):
            why = "this node's signing key is not in the directory yet: see `cbm node status`, is it certified?"
            raise Unavailable("key-not-published", why)
        files = [encode(ATTACHMENT, upload.attachment) for upload in uploads]
        same = (value, files) if compiled is None else (compiled.asked, ())
        idempotency = await self._idempotency(caller, key, *same)
        earlier = await self._earlier(idempotency, uploads)
        if earlier is not None:
            return earlier
        request = await self._threaded(request, caller)
        carried = Carried() if compiled is None else compiled.carried
        draft = await asyncio.to_thread(make_draft, parts, request, uploads, caller, parts.clock.now(), carried)
        if "record_id" not in request.record and not draft.message.named and draft.fact.measure not in MODALITIES:
            # Its id is new and it names nothing: nothing that is held says anything about it.
            return await self._store(draft.message, idempotency, self._warned(draft, ()))
        async with self._judging:
            earlier = await self._earlier(idempotency, uploads)
            if earlier is not None:
                return earlier
            doubts = await self._judge.intended(draft.fact, caller)
            return await self._store(draft.message, idempotency, self._warned(draft, doubts))

    async def known(self, asked: object, caller: Caller, key: str | None) -> Taken | None:
        """What was compiled and stored before for this very request. Raises Conflict for a key of another request."""
        return await self._earlier(await self._idempotency(caller, key, asked, ()), ())

    async def forward(self, source: Message, value: object, caller: Caller, key: str | None) -> Taken:
        """Pass a received message on, unmodified, to others. Raises Forbidden when consent is missing."""
        parts = self._parts
        request = requests.parse_model(ForwardRequest, value)
        requests.require_measure(caller.measures, source.measure, source.record_type)
        now = parts.clock.now()
        to = requests.recipients(request.to, False, parts.member, parts.directory.current)
        precedence = requests.code(Precedence, request.precedence, "precedence")
        provisions = tuple(decode(SIGNED_PROVISION, s, 2 * limits.MAX_PROVISION) for s in source.signed_provisions)
        grants = tuple(decode(SIGNED_GRANT, s, 2 * limits.MAX_GRANT) for s in source.signed_grants)
        transfer = Transfer(parts.member, to, provisions, grants, Purpose(source.purpose), precedence)
        ledger = Ledger(origins=await self._origins.proved(provisions, grants, now))
        require_consent(authorise_transfer(transfer, parts.directory.current, ledger, now), source.id)
        expires = now + requests.span(request.expires, "expires")
        forward_id = random_bytes(16)
        vault = parts.keyring.vault
        manifest = vault.open("manifest", manifest_name(source.id, source.attachments), source.sealed_manifest)
        fact = await self._shelf.of(source)
        copies = await asyncio.to_thread(self._copy_files, source)
        message = Message(
            id=forward_id,
            box="outbox",
            provision=source.provision,
            state="queued",
            ministry=caller.ministry,
            measure=source.measure,
            record_type=source.record_type,
            precedence=precedence,
            created=now,
            due=now,
            expires=expires,
            signed_provisions=source.signed_provisions,
            signed_grants=source.signed_grants,
            purpose=source.purpose,
            path=(*source.path, parts.member) if parts.member not in source.path else source.path,
            sealed_manifest=vault.seal("manifest", manifest_name(forward_id, copies), manifest),
            sealed_title=vault.seal("title", forward_id, vault.open("title", source.id, source.sealed_title)),
            recipients=to,
            attachments=copies,
            record_id=fact.record_id,
            named=refers_to(fact),
        )
        return await self._store(message, await self._idempotency(caller, key, value, [source.id]), ())

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

    def _copy_files(self, source: Message) -> tuple[StoredAttachment, ...]:
        """A forward has files of its own, so that either message can be purged without the other."""
        files = self._parts.files
        copies = []
        for attachment in source.attachments:
            name = files.new_name()
            files.write_content(name, files.read_content(attachment.file))
            copies.append(StoredAttachment(attachment.position, name))
        return tuple(copies)

    async def _idempotency(
        self, caller: Caller, key: str | None, value: object, matter: Iterable[bytes]
    ) -> Idempotency | None:
        """What makes two requests the same: whose token, which key, the JSON, and what it is about."""
        if key is None:
            return None
        text = await asyncio.to_thread(json.dumps, value, sort_keys=True)
        return Idempotency(caller.token, key, self._parts.keyring.vault.request_digest(text.encode("ascii"), *matter))

    async def _earlier(self, idempotency: Idempotency | None, uploads: tuple[Upload, ...]) -> Taken | None:
        """What this request stored before; its files came twice. Raises Conflict for a key of another request."""
        stored = None if idempotency is None else await self._parts.stores.outbox.stored_for(idempotency)
        if stored is None:
            return None
        self._parts.files.remove_content(upload.file for upload in uploads)
        return Taken(stored, False)

    async def _store(self, message: Message, idempotency: Idempotency | None, warnings: tuple[Warned, ...]) -> Taken:
        """Commit; the files of a request that was stored before, or not stored at all, are removed."""
        files = [attachment.file for attachment in message.attachments]
        try:
            stored = await self._parts.stores.outbox.add_message(message, idempotency)
        except Exception:
            # Not when it is cancelled: the commit may stand, and orphans are removed at the next start.
            self._parts.files.remove_content(files)
            raise
        if stored != message.id:
            self._parts.files.remove_content(files)
            return Taken(stored, False)
        self._parts.wakes.to_seal.set()
        self._parts.wakes.tell_news()
        self._log.info("message.queued", message=stored.hex(), recipients=list(message.recipients))
        return Taken(stored, True, warnings)


def source_of(message: Message | None) -> Message:
    """A message that can be passed on; raises NotFound or Invalid."""
    if message is None:
        raise NotFound("no-such-message", "there is no message with this id")
    if message.box != "inbox":
        raise Invalid("not-received", "only a received message is forwarded: send your own anew")
    return message


def date_text(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
