"""Opens an envelope that may be opened: content, attachments sealed for this node's disk, and what they mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from exchange.errors import ExchangeError, Invalid
from exchange.logs import place_of
from exchange.node.inbound import Content, Judged, Payload, RefusedEnvelope, Unreadable, unwrap
from exchange.node.parts import Parts
from exchange.node.request import validated
from exchange.records.compiled import LIST_FILE, MAX_LIST, carries_list, list_fault, read_compilation
from exchange.records.facts import Box, EnvelopeFacts, RecordFact, record_fact
from keys.digests import message_id, provision_digest
from keys.errors import KeyFault
from schemas.canon import decode
from schemas.consent import JOINT_DRAFT, ConsentMessage, JointDraft, decode_consent
from schemas.content import HEAD, RESEND, ContentKind, Head, Manifest, Resend
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import MAX_RECORD, MAX_SERVICE
from schemas.provision import Provision
from schemas.record_errors import RecordError
from schemas.terms import Onward
from schemas.validate import load_json
from schemas.wrap import Wrap, WrapSecret

_VERSIONED: Final = ("/record/record_type", "/record/schema_version", "/record/catalogue_id")
_DECLARED: Final = (RefusedEnvelope, ExchangeError, OSError, MemoryError)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was inside. `files`: names of the attachments' sealed files, which no row names yet.

    `fact`: of the record, if it is one; `head` and `resend`: what its sender's node says on its own account;
    `consent`: what it says about consent, or asks to be signed.
    `checkpoint`: what its sender was shown of the directory; `anchor`: what it shows of its own audit log.
    """

    secret: WrapSecret
    content: Content
    files: tuple[str, ...]
    fact: RecordFact | None
    head: Head | None
    resend: Resend | None
    checkpoint: bytes | None
    anchor: bytes | None
    consent: ConsentMessage | JointDraft | None = None


def open_envelope(parts: Parts, judged: Judged, wrap: Wrap, ciphertext: Iterator[bytes]) -> Opened:
    """Everything that needs the private key; call it in a thread.

    Raises Unreadable for whatever the sender put inside, StoreFault or OSError for this node's own trouble; on any
    fault no file is left.
    """
    written: list[str] = []
    try:
        return _opened(parts, judged, wrap, ciphertext, written)
    except BaseException as fault:
        parts.files.remove_content(written)
        if isinstance(fault, Exception) and not isinstance(fault, _DECLARED):
            # The same bytes would meet the same fault of this program for ever: they are answered, once.
            raise Unreadable("unreadable", f"it meets a fault of this program: {place_of(fault)}") from None
        raise


def _opened(parts: Parts, judged: Judged, wrap: Wrap, ciphertext: Iterator[bytes], written: list[str]) -> Opened:
    """`written` takes the names of the files, whatever happens."""
    try:
        epoch = parts.keyring.epoch(wrap.key_id)
    except KeyFault as fault:
        # Refused, not put off: nobody can ever open it, and its sender has to know.
        sender = judged.header.core.sender
        raise Unreadable("epoch-gone", f"{fault}; only {sender} can send it anew") from None
    secret = unwrap(judged, wrap, epoch)
    payload = Payload(judged, secret, ciphertext)
    content = payload.content()
    for attachment in content.manifest.attachments:
        name = parts.files.new_name()
        parts.files.write_content(name, payload.attachment(attachment))
        written.append(name)
    transport = payload.finish()
    shown, anchor = transport.checkpoint, transport.anchor
    consent = _consent(content, judged.header.core.sender)
    if consent is not None:
        return Opened(secret, content, tuple(written), None, None, None, shown, anchor, consent)
    service = _service(content, judged.header.core.sender)
    if service is not None:
        head, resend = (service, None) if isinstance(service, Head) else (None, service)
        return Opened(secret, content, tuple(written), None, head, resend, shown, anchor)
    fact = _meaning(content, judged)
    _check_edition(parts, judged, content, fact, written)
    return Opened(secret, content, tuple(written), fact, None, None, shown, anchor)


def _consent(content: Content, sender: MemberId) -> ConsentMessage | JointDraft | None:
    """What is said about consent; None for anything else. Raises Unreadable."""
    manifest, terms = content.manifest, content.provision
    if manifest.kind not in (ContentKind.CONSENT, ContentKind.DRAFT):
        return None
    drafted = manifest.kind is ContentKind.DRAFT
    if manifest.providers != (sender,) or terms.onward is not Onward.NONE or (manifest.attachments and not drafted):
        raise Unreadable("unreadable", "a state speaks about consent for itself, and to those named only")
    try:
        return decode(JOINT_DRAFT, manifest.body, MAX_RECORD) if drafted else decode_consent(manifest.body)
    except DecodeError as fault:
        raise Unreadable("unreadable", f"the content is not valid: {type(fault).__name__}") from None


def _service(content: Content, sender: MemberId) -> Head | Resend | None:
    """What the sender's node says on its own account; None for a record. Raises Unreadable."""
    manifest = content.manifest
    if manifest.kind is ContentKind.RECORD:
        return None
    if manifest.providers != (sender,) or manifest.attachments:
        raise Unreadable("unreadable", "a node speaks for itself only")
    try:
        if manifest.kind is ContentKind.HEAD:
            return decode(HEAD, manifest.body, MAX_SERVICE)
        return decode(RESEND, manifest.body, MAX_SERVICE)
    except DecodeError as fault:
        raise Unreadable("unreadable", f"the content is not valid: {type(fault).__name__}") from None


def _meaning(content: Content, judged: Judged) -> RecordFact:
    """The record as a fact. Raises Unreadable."""
    manifest, provision, sender = content.manifest, content.provision, judged.header.core.sender
    record = sound_record(manifest, provision)
    name = message_id(content.signed.body).hex()
    envelope = EnvelopeFacts(name, Box.INBOX, sender, provision.audience, judged.receipt.time)
    return record_fact(record, manifest.body, envelope)


def sound_record(manifest: Manifest, provision: Provision) -> dict[str, Any]:
    """The record of a content, validated as before signing. Raises Unreadable."""
    try:
        record = load_json(manifest.body)
        validated(record, manifest.providers, provision.tlp.label, provision.onward.label)
    except RecordError as fault:
        raise Unreadable("unreadable", f"the record is not valid: {fault}") from None
    except Invalid as fault:
        raise Unreadable("unreadable", f"the content is not valid: {_remedy(fault)}") from None
    except DecodeError as fault:
        raise Unreadable("unreadable", f"the content is not valid: {type(fault).__name__}") from None
    if not isinstance(record, dict):
        raise Unreadable("unreadable", "the record is no object")
    return record


def _check_edition(parts: Parts, judged: Judged, content: Content, fact: RecordFact, files: list[str]) -> None:
    """What an edition of the database says of its sources, against what its envelope carries. Raises Unreadable.

    A Provision that is left out was not judged by anybody; only here the list can be read that names it (1.7).
    """
    named = zip(content.manifest.attachments, files, strict=True)
    lists = [(attachment.size, name) for attachment, name in named if attachment.filename == LIST_FILE]
    if not lists or not carries_list(fact):
        return
    if len(lists) > 1 or lists[0][0] > MAX_LIST:
        raise Unreadable("unreadable", "it has several lists of sources, or too large a one")
    others = (signed for signed in judged.header.core.provisions if signed is not content.signed)
    sources = {provision_digest(signed.body).hex(): signed.provision.providers for signed in others}
    try:
        compilation = read_compilation(b"".join(parts.files.read_content(lists[0][1])))
    except Invalid as fault:
        raise Unreadable("unreadable", f"its list of sources is not valid: {fault}") from None
    misfit = list_fault(compilation, fact, sources)
    if misfit is not None:
        raise Unreadable("unreadable", misfit)


def _remedy(fault: Invalid) -> str:
    """What to do about a version or an edition that this program does not know; of other faults nothing is quoted."""
    path, faults = fault.extra.get("path"), fault.extra.get("faults")
    if path in _VERSIONED and isinstance(faults, list) and isinstance(faults[0], dict):
        return f"{path}: expected {faults[0]['expected']}"
    return type(fault).__name__
