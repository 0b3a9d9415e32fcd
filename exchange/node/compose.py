"""From a ministry's request to a stored message: checks, Provision, commit. The sealer takes it from there."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Decision, Ledger, Transfer
from exchange.errors import Forbidden, Invalid, Json, NotFound, Unavailable
from exchange.logs import get_logger
from exchange.node import request as requests
from exchange.node.access import Caller
from exchange.node.files import manifest_name
from exchange.node.outbound import Terms, envelope_id, make_manifest, sign_provision
from exchange.node.parts import Parts
from exchange.node.request import ForwardRequest, SendRequest
from exchange.storage.node_values import Idempotency, Message, StoredAttachment
from keys.digests import message_id, provision_digest
from keys.primitives import random_bytes
from schemas import limits
from schemas.canon import decode, encode
from schemas.content import ATTACHMENT, Attachment, ContentKind, content_size
from schemas.errors import DecodeError
from schemas.grant import SIGNED_GRANT
from schemas.ids import MemberId, ProvisionId
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.terms import Onward, Precedence, Purpose, Tlp

_UUID_CUTS: Final = (8, 12, 16, 20)


@dataclass(frozen=True, slots=True)
class Upload:
    """An attachment whose sealed file is on the disk and belongs to no message yet."""

    attachment: Attachment
    file: str


class Composer:
    """Takes in what ministries send and forward."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("composer")

    async def send(
        self, value: object, uploads: tuple[Upload, ...], caller: Caller, key: str | None
    ) -> tuple[bytes, bool]:
        """Check and store a request; gives the message's id, and whether it is new.

        Raises Invalid, NotFound, Forbidden, Conflict, or Unavailable before this node's key is published; then nothing
        is stored.
        """
        request = requests.parse_model(SendRequest, value)
        requests.require_measure(caller.measures, request.measure, request.record.get("record_type"))
        if not self._parts.directory.current.knows(self._parts.member, self._parts.keyring.signing.key_id):
            why = "this node's signing key is not in the directory yet: see `cbm node status`, is it certified?"
            raise Unavailable("key-not-published", why)
        message = await asyncio.to_thread(self._message, request, uploads, caller)
        files = [encode(ATTACHMENT, upload.attachment) for upload in uploads]
        return await self._store(message, await self._idempotency(caller, key, value, files))

    async def forward(self, source: Message, value: object, caller: Caller, key: str | None) -> tuple[bytes, bool]:
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
        self._require(authorise_transfer(transfer, parts.directory.current, Ledger(), now), source.id)
        expires = now + requests.span(request.expires, "expires")
        forward_id = random_bytes(16)
        vault = parts.keyring.vault
        manifest = vault.open("manifest", manifest_name(source.id, source.attachments), source.sealed_manifest)
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
        )
        return await self._store(message, await self._idempotency(caller, key, value, [source.id]))

    def _copy_files(self, source: Message) -> tuple[StoredAttachment, ...]:
        """A forward has files of its own, so that either message can be purged without the other."""
        files = self._parts.files
        copies = []
        for attachment in source.attachments:
            name = files.new_name()
            files.write_content(name, files.read_content(attachment.file))
            copies.append(StoredAttachment(attachment.position, name))
        return tuple(copies)

    def _message(self, request: SendRequest, uploads: tuple[Upload, ...], caller: Caller) -> Message:
        """Every check of a new message, and its signed Provision; in a thread."""
        parts = self._parts
        now = parts.clock.now()
        sender = parts.member
        to = requests.recipients(request.to, request.copy_secretariat, sender, parts.directory.current)
        terms = _terms(request)
        record = requests.complete_record(request, sender, _uuid(now), now)
        attachments = tuple(upload.attachment for upload in uploads)
        if attachments:
            record["attachments"] = requests.file_refs(attachments)
        record_type = requests.checked_record(record, request, sender, attachments)
        due, expires = _times(request, terms, now)
        body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        try:
            provision = ProvisionId(random_bytes(16))
            manifest = make_manifest((sender,), ContentKind.RECORD, body, attachments, random_bytes(32))
            if content_size(manifest, attachments) > limits.MAX_CONTENT:
                raise Invalid("content-too-large", f"record and attachments exceed {limits.MAX_CONTENT} bytes")
            signed = sign_provision(
                parts.keyring.signing, parts.directory.current, provision, to, terms, manifest, now, expires
            )
        except DecodeError as fault:
            raise Invalid("bad-terms", f"the terms do not fit together: {fault.where}: {fault.reason.value}") from None
        name = message_id(signed.body)
        self._require(self._decide(request, signed, to, max(now, due)), name)
        vault = parts.keyring.vault
        files = tuple(StoredAttachment(index, upload.file) for index, upload in enumerate(uploads))
        return Message(
            id=name,
            box="outbox",
            provision=provision_digest(signed.body),
            state="queued",
            ministry=caller.ministry,
            measure=request.measure,
            record_type=record_type,
            precedence=requests.code(Precedence, request.precedence, "precedence"),
            created=now,
            due=due,
            expires=expires,
            signed_provisions=(encode(SIGNED_PROVISION, signed),),
            signed_grants=(),
            purpose=terms.purpose,
            path=(sender,),
            sealed_manifest=vault.seal("manifest", manifest_name(name, files), manifest),
            sealed_title=vault.seal("title", name, json.dumps(record["title"], ensure_ascii=False).encode()),
            recipients=to,
            attachments=files,
        )

    def _decide(self, request: SendRequest, signed: SignedProvision, to: tuple[MemberId, ...], now: int) -> Decision:
        precedence = requests.code(Precedence, request.precedence, "precedence")
        transfer = Transfer(self._parts.member, to, (signed,), (), signed.provision.purpose, precedence)
        return authorise_transfer(transfer, self._parts.directory.current, Ledger(), now)

    def _require(self, decision: Decision, message: bytes) -> None:
        """Raises Forbidden with the rule, the recipient, the provider whose consent is missing."""
        if decision.allowed:
            return
        first = decision.refusals[0]
        extra: dict[str, Json] = {"rule": first.rule.value, "recipient": first.recipient, "provider": first.provider}
        self._log.warning("transfer.refused", message=message.hex(), code=first.rule.value, recipient=first.recipient)
        raise Forbidden(first.rule.value, first.detail, {k: v for k, v in extra.items() if v is not None})

    async def _idempotency(
        self, caller: Caller, key: str | None, value: object, matter: Iterable[bytes]
    ) -> Idempotency | None:
        """What makes two requests the same: whose token, which key, the JSON, and what it is about."""
        if key is None:
            return None
        text = await asyncio.to_thread(json.dumps, value, sort_keys=True)
        return Idempotency(caller.token, key, self._parts.keyring.vault.request_digest(text.encode("ascii"), *matter))

    async def _store(self, message: Message, idempotency: Idempotency | None) -> tuple[bytes, bool]:
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
            return stored, False
        self._parts.wakes.to_seal.set()
        self._parts.wakes.tell_news()
        self._log.info("message.queued", message=stored.hex(), recipients=list(message.recipients))
        return stored, True


def source_of(message: Message | None) -> Message:
    """A message that can be passed on; raises NotFound or Invalid."""
    if message is None:
        raise NotFound("no-such-message", "there is no message with this id")
    if message.box != "inbox":
        raise Invalid("not-received", "only a received message is forwarded: send your own anew")
    return message


def _terms(request: SendRequest) -> Terms:
    return Terms(
        onward=requests.code(Onward, request.onward, "onward"),
        purpose=requests.code(Purpose, request.purpose, "purpose"),
        tlp=requests.code(Tlp, requests.marking(request), "tlp"),
        max_precedence=requests.code(Precedence, request.precedence, "precedence"),
        until=requests.moment(request.until, "until", end_of_day=True),
        not_before=requests.moment(request.not_before, "not_before"),
    )


def _times(request: SendRequest, terms: Terms, now: int) -> tuple[int, int]:
    """When it may be sealed, and when it expires."""
    due = max(now, terms.not_before or now)
    expires = min(due + requests.span(request.expires, "expires"), now + limits.OUTBOX_LIMIT)
    if due >= expires:
        days = limits.OUTBOX_LIMIT // limits.DAY
        raise Invalid("embargo-too-long", f"/not_before: an outbox holds a message for at most {days} days")
    return due, expires


def _uuid(now: int) -> str:
    """A record's id, a UUIDv7."""
    text = envelope_id(now * 1000, random_bytes(10)).hex()
    cuts = (0, *_UUID_CUTS, 32)
    return "-".join(text[start:end] for start, end in pairwise(cuts))


def date_text(seconds: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
