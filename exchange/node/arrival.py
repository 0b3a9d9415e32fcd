"""An envelope that was taken or refused, as the values that the inbox stores: evidence, answer, place, message."""

import json
from dataclasses import dataclass
from typing import Final

from exchange.consent.selecting import way
from exchange.node.files import manifest_name
from exchange.node.inbound import Judged
from exchange.node.opening import Opened
from exchange.node.parts import Parts
from exchange.records.threads import refers_to
from exchange.storage.node_values import Alarm, Arrival, Message, ReceivedEnvelope, StoredAttachment
from keys.digests import header_digest, message_id, provision_digest
from keys.identity import SigningIdentity
from keys.vault import Vault
from schemas.canon import decode, encode
from schemas.content import Head, VoidReason
from schemas.contexts import Context
from schemas.envelope import Header, decode_header
from schemas.grant import SIGNED_GRANT
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_SMALL_OBJECT
from schemas.provision import SIGNED_PROVISION, SignedProvision
from schemas.receipt import (
    ACKNOWLEDGEMENT,
    SIGNED_ACKNOWLEDGEMENT,
    SIGNED_RECEIPT,
    Acknowledgement,
    Outcome,
    SignedAcknowledgement,
    SignedReceipt,
)
from schemas.wrap import WrapSecret

CONSENT_MEASURE: Final = "1.7"
_STATE: Final = "received"
# How many lost numbers an alarm spells out.
_NAMED: Final = 20


@dataclass(frozen=True, slots=True)
class Delivered:
    """An envelope as the relay handed it over; `header` and `receipt` are not verified."""

    header: Header
    header_bytes: bytes
    receipt: SignedReceipt
    receipt_bytes: bytes


def read_delivery(header: bytes, receipt: bytes) -> Delivered:
    """Parse what the relay sent; raises DecodeError."""
    return Delivered(decode_header(header), header, decode(SIGNED_RECEIPT, receipt, 2 * MAX_SMALL_OBJECT), receipt)


def acknowledgement(identity: SigningIdentity, header: Header, outcome: Outcome, now: int) -> bytes:
    """This node's signed answer."""
    body = encode(
        ACKNOWLEDGEMENT,
        Acknowledgement(
            recipient=identity.owner,
            key_id=identity.key_id,
            sender=header.core.sender,
            envelope=header.core.id,
            header_digest=header_digest(header),
            outcome=outcome,
            time=now,
        ),
    )
    signature = identity.sign_bytes(Context.ACKNOWLEDGEMENT, body)
    return encode(SIGNED_ACKNOWLEDGEMENT, SignedAcknowledgement(body, signature))


def evidence(
    delivered: Delivered, ack: bytes, provision: SignedProvision, outcome: str, reason: str | None, now: int
) -> ReceivedEnvelope:
    """What is kept of an envelope, whatever became of it."""
    core = delivered.header.core
    return ReceivedEnvelope(
        sender=core.sender,
        envelope=core.id,
        header_digest=header_digest(delivered.header),
        header=delivered.header_bytes,
        receipt=delivered.receipt_bytes,
        acknowledgement=ack,
        provision=provision_digest(provision.body),
        outcome=outcome,
        reason=reason,
        time=now,
    )


def message(vault: Vault, judged: Judged, opened: Opened, now: int) -> Message:
    """What was received, to be stored: a record that ministries see, or what the desk takes."""
    core, fact, kind = judged.header.core, opened.fact, opened.content.manifest.kind
    provision = opened.content.provision
    name = message_id(opened.content.signed.body)
    files = tuple(StoredAttachment(index, file) for index, file in enumerate(opened.files))
    title = json.dumps({} if fact is None else dict(fact.title), ensure_ascii=False).encode("utf-8")
    direct = core.sender in provision.providers
    return Message(
        id=name,
        box="inbox",
        provision=provision_digest(opened.content.signed.body),
        state=_STATE,
        ministry=None,
        measure=CONSENT_MEASURE if fact is None else fact.measure,
        record_type=kind.name.lower() if fact is None else fact.record_type,
        precedence=core.precedence,
        created=core.created,
        due=now,
        expires=core.expires,
        signed_provisions=tuple(encode(SIGNED_PROVISION, signed) for signed in core.provisions),
        signed_grants=tuple(encode(SIGNED_GRANT, signed) for signed in core.grants),
        purpose=core.purpose,
        path=way(provision, core.sender, (signed.grant for signed in core.grants)),
        sealed_manifest=vault.seal("manifest", manifest_name(name, files), opened.content.raw),
        sealed_title=vault.seal("title", name, title),
        recipients=(),
        attachments=files,
        direct=direct,
        record_id=None if fact is None else fact.record_id,
        named=() if fact is None else refers_to(fact),
        kind=kind,
    )


async def place(parts: Parts, judged: Judged, opened: Opened, now: int) -> tuple[Arrival | None, tuple[Alarm, ...]]:
    """The envelope's place in its sender's streams, and what does not fit there."""
    core, head = judged.header.core, opened.head
    if opened.resend is not None:
        # It runs in the stream of heads, of which no account is kept.
        return None, ()
    if head is not None:
        voids = tuple(void.number for void in head.voids)
        alarms = (*await _head_alarms(parts, core.sender, head, now), *_lost_alarms(core.sender, head, now))
        return Arrival(core.sender, head.stream, None, None, voids, head.last), alarms
    secret, digest = opened.secret, judged.header.digest
    alarms = await _stream_alarms(parts, core.sender, secret, digest, now)
    return Arrival(core.sender, secret.stream, secret.number, digest), alarms


async def _stream_alarms(
    parts: Parts, sender: MemberId, secret: WrapSecret, digest: bytes, now: int
) -> tuple[Alarm, ...]:
    """A number that two headers claim, and a chain that does not fit: faults of the sender, or forgeries.

    Each is told once a day: the sender could bring it about with every envelope.
    """
    inbox = parts.stores.inbox
    alarms = []
    standing = await inbox.digest_at(sender, secret.stream, secret.number)
    if standing is not None and standing != digest:
        detail = f"{sender} used number {secret.number} of a stream for two envelopes"
        alarms.append(Alarm(f"number-reused:{sender}:{now // DAY}", "number-reused", sender, detail, now))
    if secret.number == 1 and any(secret.previous) and standing is None:
        alarms.append(await _restored(parts, sender, secret, now))
    before = await inbox.digest_at(sender, secret.stream, secret.number - 1)
    if before is not None and before != secret.previous:
        detail = f"number {secret.number} of a stream of {sender} does not follow the envelope that came before"
        alarms.append(Alarm(f"chain-broken:{sender}:{now // DAY}", "chain-broken", sender, detail, now))
    return tuple(alarms)


async def _restored(parts: Parts, sender: MemberId, secret: WrapSecret, now: int) -> Alarm:
    """A stream that begins with the last header that its sender's backup knows of the stream before."""
    found = await parts.stores.inbox.number_of(sender, secret.previous)
    if found is None:
        known = "an envelope that did not arrive here"
    else:
        number, top = found
        known = f"number {number} of its stream; {top - number} later ones arrived here and it has lost them"
    detail = f"the node of {sender} was restored from a backup and knows what it sent up to {known}; ask {sender}"
    return Alarm(f"sender-restored:{sender}:{now // DAY}", "sender-restored", sender, detail, now)


def _lost_alarms(sender: MemberId, head: Head, now: int) -> tuple[Alarm, ...]:
    """Numbers that the sender cannot send again: people have to ask."""
    lost = [str(void.number) for void in head.voids if void.reason is VoidReason.LOST]
    if not lost:
        return ()
    detail = f"{sender} cannot send again number {', '.join(lost[:_NAMED])} of its stream: ask {sender} for them"
    return (Alarm(f"lost:{sender}:{now // DAY}", "lost", sender, detail, now),)


async def _head_alarms(parts: Parts, sender: MemberId, head: Head, now: int) -> tuple[Alarm, ...]:
    """A head that names another envelope under its last number than the one that arrived."""
    standing = await parts.stores.inbox.digest_at(sender, head.stream, head.last)
    if standing is None or standing == head.digest:
        return ()
    detail = f"a head of {sender} names another envelope as number {head.last} than the one that arrived"
    return (Alarm(f"head-differs:{sender}:{now // DAY}", "head-differs", sender, detail, now),)
