"""From a request to pass a received message on to a message that can be stored: the content unmodified, consent judged.

What is passed on keeps its Provisions; the transfer may state another purpose than they do, and then takes Grants of
every provider for that purpose.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from exchange.consent.decision import Ledger, Transfer, Use
from exchange.consent.selecting import with_grants
from exchange.errors import Invalid, Json, NotFound
from exchange.node import request as requests
from exchange.node.access import Caller, Scope
from exchange.node.act_values import Opened, Performer, Submission
from exchange.node.acts import Acts
from exchange.node.consent import require_passing
from exchange.node.draft import Upload
from exchange.node.files import manifest_name
from exchange.node.groups import Groups
from exchange.node.holding import HeldGrants, carried_grants, stored_uses
from exchange.node.intake import Intake
from exchange.node.obeying import obeying
from exchange.node.openings import Readings
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.request import ForwardRequest
from exchange.node.shelf import Shelf
from exchange.node.stored import open_manifest, provision_of
from exchange.node.taken import Taken
from exchange.records.threads import refers_to
from exchange.storage.node_values import Message
from keys.primitives import random_bytes
from schemas.canon import decode, encode
from schemas.grant import SIGNED_GRANT
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION
from schemas.terms import Precedence, Purpose

FORWARD: Final = "forward"


@dataclass(frozen=True, slots=True)
class Passage:
    """A transfer that is allowed now, with the Grants that it needs and their uses; `expires` in Unix seconds."""

    transfer: Transfer
    expires: int
    uses: tuple[Use, ...] = ()


class Passer:
    """Takes in what ministries pass on."""

    def __init__(self, parts: Parts, intake: Intake, groups: Groups, acts: Acts) -> None:
        """Over the node's parts; what others have to release waits among `acts`."""
        self._parts = parts
        self._intake = intake
        self._groups = groups
        self._acts = acts
        self._shelf = Shelf(parts)
        self._origins = OriginKeeper(parts)
        self._held = HeldGrants(parts)
        self._readings = Readings(parts)
        # Between the judgement and the commit no other transfer may take the last use of a Grant.
        self._passing = asyncio.Lock()
        acts.register(FORWARD, Performer(Scope.RELEASE, self._perform, self._show, self._revise))

    async def forward(self, source: Message, value: object, caller: Caller, key: str | None) -> Taken:
        """Pass a received message on, unmodified, to others. Raises Forbidden when consent is missing."""
        request = _parsed(source, value, caller)
        idempotency = await self._intake.idempotency(caller, key, value, [source.id])
        earlier = await self._intake.earlier(idempotency, ())
        if earlier is not None:
            return earlier
        request = await self._settled(request)
        async with self._passing:
            passage = await self._judge(source, request)
            if self._acts.needed(FORWARD, source.measure, source.record_type):
                return await self._acts.hold(_submission(source, request), caller, idempotency)
            return await self._intake.store(await self._compose(source, passage, caller), idempotency)

    async def _settled(self, request: ForwardRequest) -> ForwardRequest:
        """The request with codes in place of groups. Raises Invalid, NotFound, Conflict."""
        return request.model_copy(update={"to": await self._groups.expand(request.to)})

    async def _perform(self, opened: Opened) -> bytes:
        known = await self._intake.stored(opened.idempotency)
        if known is not None:
            return known
        source = await self._source(opened)
        request = await self._settled(_parsed(source, opened.payload["request"], opened.caller))
        async with self._passing:
            passage = await self._judge(source, request)
            message = await self._compose(source, passage, opened.caller)
            return (await self._intake.store(message, opened.idempotency)).message

    async def _show(self, opened: Opened, viewer: Caller) -> dict[str, Json]:
        """The request, and of what is passed on the record and the terms that it came under."""
        source = await self._source(opened)
        await self._readings.read(viewer, source)
        manifest = open_manifest(self._parts.keyring.vault, source)
        provision = provision_of(source)
        terms: dict[str, Json] = {
            "providers": list(provision.providers),
            "onward": provision.onward.label,
            "purpose": provision.purpose.label,
            "tlp": provision.tlp.label,
        }
        return {
            "request": opened.payload["request"],
            "source": opened.payload["source"],
            "record": json.loads(manifest.body),
            "terms": terms,
        }

    async def _revise(self, opened: Opened, value: object, uploads: tuple[Upload, ...]) -> Submission:
        if uploads:
            raise Invalid("bad-form", "what is passed on has its own files: send no others")
        source = await self._source(opened)
        request = await self._settled(_parsed(source, value, opened.caller))
        await self._judge(source, request)
        return _submission(source, request)

    async def _source(self, opened: Opened) -> Message:
        return source_of(await self._parts.stores.views.message(bytes.fromhex(opened.payload["source"])))

    async def _judge(self, source: Message, request: ForwardRequest) -> Passage:
        """Whether it may be passed on. `request.to`: codes only. Raises Forbidden when consent is missing, Invalid."""
        parts = self._parts
        now = parts.clock.now()
        to = requests.recipients(request.to, False, parts.member, parts.directory.current)
        precedence = requests.code(Precedence, request.precedence, "precedence")
        purpose = provision_of(source).purpose
        if request.purpose is not None:
            purpose = requests.code(Purpose, request.purpose, "purpose")
        provisions = tuple(decode(SIGNED_PROVISION, s, 2 * MAX_PROVISION) for s in source.signed_provisions)
        grants = carried_grants(source, provisions)
        transfer = Transfer(parts.member, to, provisions, grants, purpose, precedence)
        held = await self._held.of(provisions, now)
        known = (*grants, *held)
        ledger = Ledger(await self._held.uses(*known), origins=await self._origins.proved(provisions, known, now))
        directory = await obeying(parts, provisions, known)
        transfer, decision = await asyncio.to_thread(with_grants, transfer, held, directory, ledger, now)
        require_passing(decision, source.id)
        asked = now + requests.span(request.expires, "expires")
        ends = (signed.provision.until for signed in provisions)
        return Passage(transfer, requests.expiry(asked, now, ends, now), decision.uses)

    async def _compose(self, source: Message, passage: Passage, caller: Caller) -> Message:
        """The message that passes it on, with files of its own; whoever does not store it removes them."""
        parts, transfer = self._parts, passage.transfer
        now = parts.clock.now()
        ident = random_bytes(16)
        vault = parts.keyring.vault
        manifest = vault.open("manifest", manifest_name(source.id, source.attachments), source.sealed_manifest)
        fact = await self._shelf.of(source)
        copies = await asyncio.to_thread(parts.files.copy_content, source.attachments)
        return Message(
            id=ident,
            box="outbox",
            provision=source.provision,
            state="queued",
            ministry=caller.ministry,
            measure=source.measure,
            record_type=source.record_type,
            precedence=transfer.precedence,
            created=now,
            due=now,
            expires=passage.expires,
            signed_provisions=source.signed_provisions,
            signed_grants=tuple(encode(SIGNED_GRANT, signed) for signed in transfer.grants),
            purpose=transfer.purpose,
            path=(*source.path, parts.member) if parts.member not in source.path else source.path,
            sealed_manifest=vault.seal("manifest", manifest_name(ident, copies), manifest),
            sealed_title=vault.seal("title", ident, vault.open("title", source.id, source.sealed_title)),
            recipients=transfer.recipients,
            attachments=copies,
            record_id=fact.record_id,
            named=refers_to(fact),
            uses=stored_uses(passage.uses),
            official=caller.official,
        )


def source_of(message: Message | None) -> Message:
    """A message that can be passed on; raises NotFound or Invalid."""
    if message is None:
        raise NotFound("no-such-message", "there is no message with this id")
    if message.box != "inbox":
        raise Invalid("not-received", "only a received message is forwarded: send your own anew")
    return message


def _parsed(source: Message, value: object, caller: Caller) -> ForwardRequest:
    """Raises Invalid, or Forbidden for a measure that the token is not for."""
    request = requests.parse_model(ForwardRequest, value)
    requests.require_measure(caller.measures, source.measure, source.record_type)
    return request


def _submission(source: Message, request: ForwardRequest) -> Submission:
    payload = {"source": source.id.hex(), "request": request.model_dump(mode="json")}
    return Submission(FORWARD, source.measure, source.record_type, payload)
