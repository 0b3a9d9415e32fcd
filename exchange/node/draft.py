"""From a ministry's request to a message that can be stored: every check that needs no other record, and the signature.

Call it in a thread: it validates, signs and seals.
"""

import json
from dataclasses import dataclass
from typing import Any

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Decision, Ledger, Transfer
from exchange.errors import Invalid
from exchange.node import request as requests
from exchange.node.access import Caller
from exchange.node.consent import require_consent
from exchange.node.editions import default_edition, require_adopted
from exchange.node.files import manifest_name
from exchange.node.outbound import Terms, make_manifest, record_uuid, sign_provision
from exchange.node.parts import Parts
from exchange.node.request import SendRequest
from exchange.records.facts import Box, EnvelopeFacts, RecordFact, record_fact
from exchange.records.threads import refers_to
from exchange.storage.node_values import Message, StoredAttachment
from keys.digests import message_id, provision_digest
from keys.primitives import random_bytes
from schemas import limits
from schemas.canon import encode
from schemas.content import Attachment, ContentKind, content_size
from schemas.errors import DecodeError
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import MemberId, ProvisionId
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.record_errors import Fault
from schemas.terms import Onward, Precedence, Purpose, Tlp


@dataclass(frozen=True, slots=True)
class Upload:
    """An attachment whose sealed file is on the disk and belongs to no message yet."""

    attachment: Attachment
    file: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What the envelope of a compilation has to carry of its sources: their Provisions, and Grants for them (1.7)."""

    provisions: tuple[SignedProvision, ...] = ()
    grants: tuple[SignedGrant, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is complete and not stored yet; `doubts`: what validation found and does not refuse."""

    message: Message
    record: dict[str, Any]
    fact: RecordFact
    doubts: tuple[Fault, ...]


def make_draft(
    parts: Parts, request: SendRequest, uploads: tuple[Upload, ...], caller: Caller, now: int, carried: Carried
) -> Draft:
    """Every check of a new message, and its signed Provision. Raises Invalid, NotFound, Forbidden or Unavailable."""
    to = requests.recipients(request.to, request.copy_secretariat, parts.member, parts.directory.current)
    terms = _terms(request)
    attachments = tuple(upload.attachment for upload in uploads)
    record, doubts = _record(parts, request, attachments, now)
    due, expires = _times(request, terms, now)
    body = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    try:
        provision = ProvisionId(random_bytes(16))
        manifest = make_manifest((parts.member,), ContentKind.RECORD, body, attachments, random_bytes(32))
        if content_size(manifest, attachments) > limits.MAX_CONTENT:
            raise Invalid("content-too-large", f"record and attachments exceed {limits.MAX_CONTENT} bytes")
        signed = sign_provision(
            parts.keyring.signing, parts.directory.current, provision, to, terms, manifest, now, expires
        )
    except DecodeError as fault:
        raise Invalid("bad-terms", f"the terms do not fit together: {fault.where}: {fault.reason.value}") from None
    name = message_id(signed.body)
    carried = _with_own(carried, signed)
    require_consent(_decide(parts, request, carried, to, max(now, due)), name)
    fact = record_fact(record, body, EnvelopeFacts(name.hex(), Box.OUTBOX, parts.member, to, None))
    vault = parts.keyring.vault
    files = tuple(StoredAttachment(index, upload.file) for index, upload in enumerate(uploads))
    message = Message(
        id=name,
        box=Box.OUTBOX.value,
        provision=provision_digest(signed.body),
        state="queued",
        ministry=caller.ministry,
        measure=fact.measure,
        record_type=fact.record_type,
        precedence=requests.code(Precedence, request.precedence, "precedence"),
        created=now,
        due=due,
        expires=expires,
        signed_provisions=tuple(encode(SIGNED_PROVISION, one) for one in carried.provisions),
        signed_grants=tuple(encode(SIGNED_GRANT, one) for one in carried.grants),
        purpose=terms.purpose,
        path=(parts.member,),
        sealed_manifest=vault.seal("manifest", manifest_name(name, files), manifest),
        sealed_title=vault.seal("title", name, json.dumps(record["title"], ensure_ascii=False).encode()),
        recipients=to,
        attachments=files,
        record_id=fact.record_id,
        named=refers_to(fact),
    )
    return Draft(message, record, fact, doubts)


def _record(
    parts: Parts, request: SendRequest, attachments: tuple[Attachment, ...], now: int
) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """The record, completed and valid, of an edition that the charter names."""
    charter = parts.directory.current.charter
    edition = request.record.get("catalogue_id") or default_edition(charter)
    record = requests.complete_record(
        request, parts.member, record_uuid(now * 1000, random_bytes(10)), str(edition), now
    )
    if attachments:
        record["attachments"] = requests.file_refs(attachments)
    report = requests.checked_record(record, request, parts.member, attachments)
    require_adopted(record["catalogue_id"], charter)
    return record, report.warnings


def _decide(parts: Parts, request: SendRequest, carried: Carried, to: tuple[MemberId, ...], now: int) -> Decision:
    """Consent to the own Provision and to each that goes along."""
    precedence = requests.code(Precedence, request.precedence, "precedence")
    purpose = requests.code(Purpose, request.purpose, "purpose")
    transfer = Transfer(parts.member, to, carried.provisions, carried.grants, purpose, precedence)
    return authorise_transfer(transfer, parts.directory.current, Ledger(), now)


def _with_own(carried: Carried, signed: SignedProvision) -> Carried:
    """The own Provision among those of the sources, each list in the order of the wire."""
    provisions = sorted((signed, *carried.provisions), key=lambda s: (s.provision.id, s.provision.providers))
    return Carried(tuple(provisions), tuple(sorted(carried.grants, key=lambda s: (s.grant.id, s.grant.provider))))


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
