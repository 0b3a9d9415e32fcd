"""From a ministry's request to a message that can be stored: every check that needs no other record, and the signature.

Call it in a thread: it validates, signs and seals.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Decision, Ledger, Transfer, Use
from exchange.errors import Invalid
from exchange.node import request as requests
from exchange.node.access import Caller
from exchange.node.consent import require_consent
from exchange.node.editions import default_edition, require_adopted
from exchange.node.files import manifest_name
from exchange.node.holding import stored_uses
from exchange.node.outbound import Terms, make_manifest, provision_body, record_uuid
from exchange.node.parts import Parts
from exchange.node.request import SendRequest
from exchange.records.facts import Box, EnvelopeFacts, RecordFact, record_fact
from exchange.records.threads import refers_to
from exchange.storage.node_values import Message, StoredAttachment
from keys.digests import message_id, provision_digest
from keys.primitives import random_bytes
from schemas import limits
from schemas.canon import decode, encode
from schemas.content import Attachment, ClassMeaning, ContentKind, content_size
from schemas.contexts import Context
from schemas.errors import DecodeError
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import MemberId, ProvisionId
from schemas.provision import PROVISION, SIGNED_PROVISION, SignedProvision
from schemas.record_errors import Fault
from schemas.signed import Signature
from schemas.terms import Onward, Precedence, Purpose, Tlp


@dataclass(frozen=True, slots=True)
class Upload:
    """An attachment whose sealed file is on the disk and belongs to no message yet."""

    attachment: Attachment
    file: str


@dataclass(frozen=True, slots=True)
class Carried:
    """What the envelope of a compilation has to carry of its sources: their Provisions, and Grants for them (1.7).

    `counted`: the uses of these Grants by earlier transfers; `uses`: those that this one makes.
    """

    provisions: tuple[SignedProvision, ...] = ()
    grants: tuple[SignedGrant, ...] = ()
    counted: frozenset[Use] = frozenset()
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A Provision of several providers, with this one's signature: exact bytes, and until when the others may sign."""

    body: bytes
    manifest: bytes
    attachments: tuple[Attachment, ...]
    signature: Signature
    sign_by: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is complete and not stored yet; `doubts`: what validation found and does not refuse.

    `joint`: what other providers are asked to sign first; the message has no signed Provision then.
    """

    message: Message
    record: dict[str, Any]
    fact: RecordFact
    doubts: tuple[Fault, ...]
    joint: Proposal | None = None


def make_draft(
    parts: Parts,
    request: SendRequest,
    uploads: tuple[Upload, ...],
    caller: Caller,
    now: int,
    carried: Carried,
    classes: tuple[ClassMeaning, ...] = (),
) -> Draft:
    """Every check of a new message, and its signed Provision. Raises Invalid, NotFound, Forbidden or Unavailable.

    `classes`: what the request's class names mean, in the order of their tags.
    """
    to = requests.recipients(request.to, request.copy_secretariat, parts.member, parts.directory.current)
    providers = requests.providers(request.joint, to, parts.member, parts.directory.current)
    terms = _terms(request, classes)
    attachments = tuple(upload.attachment for upload in uploads)
    record, doubts = _record(parts, request, attachments, now)
    due, expires = _times(request, terms, now)
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    try:
        manifest = make_manifest(providers, ContentKind.RECORD, text, attachments, random_bytes(32), classes)
        if content_size(manifest, attachments) > limits.MAX_CONTENT:
            raise Invalid("content-too-large", f"record and attachments exceed {limits.MAX_CONTENT} bytes")
        provision = ProvisionId(random_bytes(16))
        body = provision_body(providers, parts.directory.current, provision, to, terms, manifest, now, expires)
    except DecodeError as fault:
        raise Invalid("bad-terms", f"the terms do not fit together: {fault.where}: {fault.reason.value}") from None
    name = message_id(body)
    signature = parts.keyring.signing.sign(Context.PROVISION, body)
    joint = None
    if len(providers) > 1:
        # Judged by the sealer, as every message is: it needs the signatures of all.
        sign_by = min(now + requests.span(request.sign_by, "sign_by"), expires)
        joint = Proposal(body, manifest, attachments, signature, sign_by)
    else:
        carried = _with_own(carried, SignedProvision(body, (signature,)))
        decision = _decide(parts, request, carried, to, max(now, due))
        require_consent(decision, name)
        carried = replace(carried, uses=decision.uses)
    fact = record_fact(record, text, EnvelopeFacts(name.hex(), Box.OUTBOX, parts.member, to, None))
    files = tuple(StoredAttachment(index, upload.file) for index, upload in enumerate(uploads))
    sealed = parts.keyring.vault.seal("manifest", manifest_name(name, files), manifest)
    message = queued_message(parts, body, carried, fact, sealed, files, caller.ministry, now)
    return Draft(replace(message, official=caller.official), record, fact, doubts, joint)


def queued_message(
    parts: Parts,
    body: bytes,
    carried: Carried,
    fact: RecordFact,
    sealed_manifest: bytes,
    files: tuple[StoredAttachment, ...],
    ministry: str | None,
    now: int,
) -> Message:
    """A record of this state, to be sealed when its Provision (`body`) allows: for its audience and other providers."""
    provision = decode(PROVISION, body, limits.MAX_PROVISION)
    name = message_id(body)
    title = json.dumps(dict(fact.title), ensure_ascii=False).encode("utf-8")
    return Message(
        id=name,
        box=Box.OUTBOX.value,
        provision=provision_digest(body),
        state="queued",
        ministry=ministry,
        measure=fact.measure,
        record_type=fact.record_type,
        precedence=provision.max_precedence,
        created=now,
        due=max(now, provision.not_before or now),
        expires=provision.send_by,
        signed_provisions=tuple(encode(SIGNED_PROVISION, one) for one in carried.provisions),
        signed_grants=tuple(encode(SIGNED_GRANT, one) for one in carried.grants),
        purpose=provision.purpose,
        path=(parts.member,),
        sealed_manifest=sealed_manifest,
        sealed_title=parts.keyring.vault.seal("title", name, title),
        recipients=tuple(sorted({*provision.audience, *provision.providers} - {parts.member})),
        attachments=files,
        record_id=fact.record_id,
        named=refers_to(fact),
        uses=stored_uses(carried.uses),
    )


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
    return authorise_transfer(transfer, parts.directory.current, Ledger(uses=carried.counted), now)


def _with_own(carried: Carried, signed: SignedProvision) -> Carried:
    """The own Provision among those of the sources, each list in the order of the wire."""
    provisions = sorted((signed, *carried.provisions), key=lambda s: (s.provision.id, s.provision.providers))
    grants = sorted(carried.grants, key=lambda s: (s.grant.id, s.grant.provider))
    return replace(carried, provisions=tuple(provisions), grants=tuple(grants))


def _terms(request: SendRequest, classes: tuple[ClassMeaning, ...]) -> Terms:
    return Terms(
        onward=requests.code(Onward, request.onward, "onward"),
        purpose=requests.code(Purpose, request.purpose, "purpose"),
        tlp=requests.code(Tlp, requests.marking(request), "tlp"),
        max_precedence=requests.code(Precedence, request.precedence, "precedence"),
        until=requests.moment(request.until, "until", end_of_day=True),
        not_before=requests.moment(request.not_before, "not_before"),
        class_tags=tuple(meaning.tag for meaning in classes),
    )


def _times(request: SendRequest, terms: Terms, now: int) -> tuple[int, int]:
    """When it may be sealed, and when it expires."""
    due = max(now, terms.not_before or now)
    asked = due + requests.span(request.expires, "expires")
    if due >= now + limits.OUTBOX_LIMIT:
        days = limits.OUTBOX_LIMIT // limits.DAY
        raise Invalid("embargo-too-long", f"/not_before: an outbox holds a message for at most {days} days")
    return due, requests.expiry(asked, now, (terms.until,), due + 1)
