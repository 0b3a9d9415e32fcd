"""What the node's stores write down: the entry of each act in one place, from the values of its transaction."""

import sqlite3
from hashlib import sha256

from exchange.storage.audit_port import AuditFact
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Alarm, Message, OutboxEnvelope, Place, ReceivedEnvelope
from schemas.audit import AuditKind
from schemas.content import ContentKind

NODE = "node"
OPERATOR = "operator"
NOT_RELAYED = "not-relayed"
_NOT_DELIVERED = "not-delivered"


def submitted(message: Message) -> AuditFact:
    """A message was taken in, to be sent; what came through others' hands is passed on."""
    return AuditFact(
        AuditKind.SUBMITTED if len(message.path) == 1 else AuditKind.FORWARDED,
        message.created,
        actor=message.official or message.ministry or NODE,
        provision=message.provision,
        subject=message.id,
        reason=ContentKind(message.kind).name,
    )


def sealed(envelope: OutboxEnvelope, place: Place) -> AuditFact:
    """An envelope was sealed for one recipient, under the number `count` of its stream."""
    return AuditFact(
        AuditKind.SEALED,
        envelope.created,
        actor=NODE,
        member=place.recipient,
        envelope=envelope.envelope,
        header_digest=envelope.header_digest,
        subject=envelope.message,
        count=place.number,
    )


def relayed(row: sqlite3.Row, receipt: bytes, relay_time: int | None, now: int) -> AuditFact:
    """The relay's receipt for an envelope (its row) is on file."""
    return AuditFact(
        AuditKind.RELAYED,
        now,
        actor=NODE,
        envelope=row["envelope"],
        header_digest=row["header_digest"],
        subject=row["message"],
        evidence=receipt,
        relay_time=relay_time,
    )


def not_relayed(row: sqlite3.Row, refused: bool, reason: str, detail: str, now: int) -> AuditFact:
    """An envelope (its row) will never be accepted: the relay refused it, or it expired before."""
    return AuditFact(
        AuditKind.RELAY_REFUSED if refused else AuditKind.EXPIRED,
        now,
        actor=NODE,
        envelope=row["envelope"],
        header_digest=row["header_digest"],
        subject=row["message"],
        reason=reason,
        detail=detail,
    )


def answered(row: sqlite3.Row, message: bytes, member: str, state: str, ack: bytes, now: int) -> AuditFact:
    """A recipient's acknowledgement of an envelope (its row), the one that counts."""
    return AuditFact(
        AuditKind.ANSWERED,
        now,
        actor=NODE,
        member=member,
        envelope=row["envelope"],
        header_digest=row["header_digest"],
        subject=message,
        reason=state,
        evidence=ack,
    )


def expired(message: bytes, relayed_before: bool, now: int) -> AuditFact:
    """A message ended by time alone."""
    reason = _NOT_DELIVERED if relayed_before else NOT_RELAYED
    return AuditFact(AuditKind.EXPIRED, now, actor=NODE, subject=message, reason=reason)


def received(evidence: ReceivedEnvelope, outcome: str, subject: bytes | None, relay_time: int | None) -> AuditFact:
    """An envelope reached this node, and was taken or refused."""
    refused = outcome == "refused"
    return AuditFact(
        AuditKind.RECEIVE_REFUSED if refused else AuditKind.RECEIVED,
        evidence.time,
        actor=NODE,
        member=evidence.sender,
        envelope=evidence.envelope,
        header_digest=evidence.header_digest,
        provision=evidence.provision,
        subject=subject,
        reason=evidence.reason if refused else outcome,
        evidence=evidence.receipt,
        relay_time=relay_time,
    )


def alarmed(alarm: Alarm, relay_time: int | None) -> AuditFact:
    """An alarm was raised; `subject` is the SHA-256 of its fact."""
    subject = sha256(alarm.fact.encode()).digest()
    return AuditFact(
        AuditKind.ALARM,
        alarm.time,
        NODE,
        alarm.member,
        subject=subject,
        reason=alarm.kind,
        relay_time=relay_time,
        detail=alarm.detail,
    )


def consented(event: ConsentEvent) -> AuditFact:
    """A line of the consent log; releases and exports stand there too and are of kinds of their own."""
    kind = AuditKind.CONSENT
    if event.kind.endswith(".exported"):
        kind = AuditKind.EXPORTED
    elif event.kind.startswith("act."):
        kind = AuditKind.RELEASE
    return AuditFact(
        kind,
        event.time,
        actor=(event.official or NODE).replace("rule ", "rule:", 1),
        member=event.member,
        subject=bytes.fromhex(event.subject),
        reason=event.kind,
    )


def purged(message: bytes, provision: bytes, provider: str, official: str, now: int) -> AuditFact:
    """A message's content was destroyed after its provider's withdrawal."""
    return AuditFact(
        AuditKind.PURGED, now, official, provider, provision=provision, subject=message, reason="withdrawn"
    )


def operated(reason: str, now: int, subject: bytes | None = None, member: str | None = None) -> AuditFact:
    """Something that the operator did by hand."""
    return AuditFact(AuditKind.OPERATOR, now, OPERATOR, member, subject=subject, reason=reason)


def obeyed(entry: bytes, now: int) -> AuditFact:
    """A revocation was given to this node by hand."""
    return AuditFact(AuditKind.KEY, now, OPERATOR, reason="revocation-obeyed", evidence=entry)
