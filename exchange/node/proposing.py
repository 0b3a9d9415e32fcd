"""A joint Provision is proposed: stored with the message that carries it to the other providers (docs/protocol.md)."""

import asyncio
import json

from exchange.errors import Invalid
from exchange.node.courier import draft_message
from exchange.node.draft import Proposal
from exchange.node.parts import Parts
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.joint_port import COLLECTING, Answer, DraftRow
from exchange.storage.node_values import Idempotency, Message
from schemas.canon import decode, encode
from schemas.consent import JointDraft
from schemas.errors import DecodeError
from schemas.ids import MemberId
from schemas.limits import MAX_PROVISION
from schemas.provision import PROVISION, Provision
from schemas.signed import SIGNATURE, Signature


async def propose(parts: Parts, message: Message, proposal: Proposal, idempotency: Idempotency | None) -> bytes:
    """Store what the others are asked to sign; gives the id of the message that it becomes, or of an earlier request.

    `message` as it would be sent; its files become the draft's. Raises Conflict, Invalid; they stay the caller's then.
    """
    now = message.created
    provision = decode(PROVISION, proposal.body, MAX_PROVISION)
    said = JointDraft(proposal.body, proposal.manifest, proposal.signature, proposal.sign_by)
    copies = await asyncio.to_thread(parts.files.copy_content, message.attachments)
    try:
        facts = (parts, other_providers(provision, parts.member), said, proposal.attachments, copies, now)
        outgoing = await asyncio.to_thread(draft_message, *facts)
        draft = _draft(parts, message, proposal, provision, outgoing.id)
        event = draft_event("draft.proposed", draft, None, now, message.ministry)
        stored = await parts.stores.joint.propose(draft, outgoing, idempotency, event)
    except Exception as fault:
        # Not when it is cancelled: the commit may stand, and orphans are removed at the next start.
        parts.files.remove_content(copy.file for copy in copies)
        if isinstance(fault, DecodeError):
            detail = "the record is too large to be signed jointly: make the larger part of it an attachment"
            raise Invalid("content-too-large", detail) from None
        raise
    if stored != message.id:
        parts.files.remove_content(copy.file for copy in copies)
        return stored
    parts.wakes.to_seal.set()
    return stored


def _draft(parts: Parts, message: Message, proposal: Proposal, provision: Provision, carrier: bytes) -> DraftRow:
    return DraftRow(
        provision=message.provision,
        body=proposal.body,
        lead=parts.member,
        state=COLLECTING,
        providers=len(provision.providers),
        ministry=message.ministry,
        measure=message.measure,
        record_type=message.record_type,
        created=message.created,
        sign_by=proposal.sign_by,
        sealed_manifest=message.sealed_manifest,
        message=carrier,
        files=message.attachments,
        answers=(signed_answer(proposal.signature, message.created),),
    )


def signed_answer(signature: Signature, now: int) -> Answer:
    """A provider's signature as it is stored."""
    return Answer(signature.signer, encode(SIGNATURE, signature), None, now)


def other_providers(provision: Provision, member: MemberId) -> tuple[MemberId, ...]:
    """Those who have to know what `member` says."""
    return tuple(code for code in provision.providers if code != member)


def draft_event(kind: str, draft: DraftRow, member: str | None, now: int, official: str | None = None) -> ConsentEvent:
    """A line of the consent log."""
    detail = {"lead": draft.lead, "sign_by": draft.sign_by}
    return ConsentEvent(now, kind, draft.provision.hex(), member, official, json.dumps(detail))
