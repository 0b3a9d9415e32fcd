"""Messages that states send each other about consent, as rows to be stored with the change that causes them.

Each stands under a Provision of its own: for those named, no further, and of the strictest marking.
"""

import json
from typing import Final

from exchange.node.arrival import CONSENT_MEASURE
from exchange.node.files import manifest_name
from exchange.node.outbound import Terms, make_manifest, sign_provision
from exchange.node.parts import Parts
from exchange.storage.node_values import Message, StoredAttachment
from keys.digests import message_id, provision_digest
from keys.primitives import random_bytes
from schemas.canon import encode
from schemas.consent import JOINT_DRAFT, ConsentMessage, JointDraft, encode_consent
from schemas.content import Attachment, ContentKind
from schemas.ids import MemberId, ProvisionId
from schemas.limits import OUTBOX_LIMIT
from schemas.provision import SIGNED_PROVISION
from schemas.terms import Onward, Precedence, Purpose, Tlp

_TERMS: Final = Terms(Onward.NONE, Purpose.CONFIDENCE_BUILDING, Tlp.RED, Precedence.IMMEDIATE)


def consent_message(parts: Parts, to: tuple[MemberId, ...], said: ConsentMessage, now: int) -> Message:
    """What is said to these members, ready to be stored as queued. Raises DecodeError beyond a bound."""
    return _row(parts, to, ContentKind.CONSENT, encode_consent(said), (), (), now)


def draft_message(
    parts: Parts,
    to: tuple[MemberId, ...],
    draft: JointDraft,
    attachments: tuple[Attachment, ...],
    files: tuple[StoredAttachment, ...],
    now: int,
) -> Message:
    """A joint Provision to be signed, with the attachments of its content; `files` are the row's own copies."""
    return _row(parts, to, ContentKind.DRAFT, encode(JOINT_DRAFT, draft), attachments, files, now)


def _row(
    parts: Parts,
    to: tuple[MemberId, ...],
    kind: ContentKind,
    body: bytes,
    attachments: tuple[Attachment, ...],
    files: tuple[StoredAttachment, ...],
    now: int,
) -> Message:
    to = tuple(sorted(to))
    identity, vault = parts.keyring.signing, parts.keyring.vault
    expires = now + OUTBOX_LIMIT
    manifest = make_manifest((identity.owner,), kind, body, attachments, random_bytes(32))
    signed = sign_provision(
        identity, parts.directory.current, ProvisionId(random_bytes(16)), to, _TERMS, manifest, now, expires
    )
    name = message_id(signed.body)
    return Message(
        id=name,
        box="outbox",
        provision=provision_digest(signed.body),
        state="queued",
        ministry=None,
        measure=CONSENT_MEASURE,
        record_type=kind.name.lower(),
        precedence=_TERMS.max_precedence,
        created=now,
        due=now,
        expires=expires,
        signed_provisions=(encode(SIGNED_PROVISION, signed),),
        signed_grants=(),
        purpose=_TERMS.purpose,
        path=(identity.owner,),
        sealed_manifest=vault.seal("manifest", manifest_name(name, files), manifest),
        sealed_title=vault.seal("title", name, json.dumps({}).encode("ascii")),
        recipients=to,
        attachments=files,
        kind=kind,
    )
