"""Takes one delivered envelope: judge, open, validate, commit, and only then acknowledge.

What fails is refused with one signed answer that gives no reason, kept as evidence, and raised as an alarm. A fault of
this node itself (a full disk) raises: nothing is acknowledged, and the relay delivers again.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from exchange.errors import Invalid
from exchange.logs import get_logger
from exchange.node.inbound import Content, Judged, Payload, PutOff, RefusedEnvelope, Unreadable, judge, unwrap
from exchange.node.parts import Parts
from exchange.node.request import validated
from exchange.storage.node_values import Alarm, Arrival, Message, ReceivedEnvelope, StoredAttachment
from keys.digests import header_digest, message_id, provision_digest
from keys.errors import KeyFault
from schemas.canon import decode, encode
from schemas.content import HEAD, ContentKind, Head
from schemas.contexts import Context
from schemas.envelope import Header, decode_header
from schemas.errors import DecodeError
from schemas.grant import SIGNED_GRANT
from schemas.ids import KeyId, MemberId
from schemas.limits import DAY, MAX_SERVICE, MAX_SMALL_OBJECT
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
from schemas.record_errors import RecordError
from schemas.validate import load_json
from schemas.wrap import WrapSecret

_ROUTINE: Final = "received"


@dataclass(frozen=True, slots=True)
class Delivered:
    """An envelope as the relay handed it over; `header` and `receipt` are not verified."""

    header: Header
    header_bytes: bytes
    receipt: SignedReceipt
    receipt_bytes: bytes


@dataclass(frozen=True, slots=True)
class _Opened:
    secret: WrapSecret
    content: Content
    files: tuple[str, ...]
    record: dict[str, object] | None
    head: Head | None


def read_delivery(header: bytes, receipt: bytes) -> Delivered:
    """Parse what the relay sent; raises DecodeError."""
    return Delivered(decode_header(header), header, decode(SIGNED_RECEIPT, receipt, 2 * MAX_SMALL_OBJECT), receipt)


class Receiver:
    """The inbox's door."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("receiver")

    async def known(self, delivered: Delivered) -> bytes | None:
        """The acknowledgement that this very envelope got before; None for a new one.

        Raises RefusedEnvelope when another header came under the same sender and id.
        """
        core = delivered.header.core
        before = await self._parts.stores.inbox.received(core.sender, core.id)
        if before is None:
            return None
        if before.header_digest != header_digest(delivered.header):
            detail = f"{core.sender} or the relay shows two headers under envelope {core.id.hex()}"
            await self.alarm(f"equivocation:{core.sender}:{core.id.hex()}", "equivocation", core.sender, detail)
            raise RefusedEnvelope("equivocation", detail)
        return before.acknowledgement

    async def take(self, delivered: Delivered, ciphertext: Iterator[bytes]) -> bytes:
        """Accept or refuse a new envelope; gives the acknowledgement, which is committed."""
        parts = self._parts
        now = parts.clock.now()
        if delivered.receipt.receipt.directory_size > parts.directory.current.size:
            await parts.directory.update(parts.relay, now)
        try:
            judged, wrap = judge(delivered.header, delivered.receipt, parts.directory.current, parts.member, now)
            opened = await asyncio.to_thread(self._open, judged, wrap.key_id, ciphertext)
        except PutOff as fault:
            core = delivered.header.core
            detail = f"envelope {core.id.hex()} in the name of {core.sender} is put off: {fault.detail}"
            # Once a day for each cause: who sends such may send them without end, under any name and id.
            await self.alarm(f"put-off:{fault.code}:{now // DAY}", fault.code, None, detail)
            raise
        except RefusedEnvelope as refusal:
            return await self._refuse(delivered, refusal, now)
        return await self._accept(delivered, judged, opened, now)

    async def alarm(self, fact: str, kind: str, member: str | None, detail: str) -> None:
        """Raise an alarm once."""
        if await self._parts.stores.inbox.add_alarm(Alarm(fact, kind, member, detail, self._parts.clock.now())):
            self._log.error("alarm", kind=kind, member=member, detail=detail)

    def _open(self, judged: Judged, key_id: KeyId, ciphertext: Iterator[bytes]) -> _Opened:
        """Everything that needs the private key; in a thread. Raises Unreadable and leaves no file, or StoreFault."""
        wrap = judged.header.header.wrap_for(self._parts.member)
        if wrap is None:
            raise Unreadable("unreadable", "there is no wrap for this node")
        try:
            epoch = self._parts.keyring.epoch(key_id)
        except KeyFault as fault:
            raise Unreadable("unreadable", str(fault)) from None
        secret = unwrap(judged, wrap, epoch)
        payload = Payload(judged, secret, ciphertext)
        content = payload.content()
        written: list[str] = []
        try:
            for attachment in content.manifest.attachments:
                name = self._parts.files.new_name()
                self._parts.files.write_content(name, payload.attachment(attachment))
                written.append(name)
            payload.finish()
            record, head = _meaning(content, judged.header.core.sender)
        except BaseException:
            self._parts.files.remove_content(written)
            raise
        return _Opened(secret, content, tuple(written), record, head)

    async def _accept(self, delivered: Delivered, judged: Judged, opened: _Opened, now: int) -> bytes:
        parts = self._parts
        core = judged.header.core
        head = opened.head
        alarms: list[Alarm] = []
        arrival: Arrival | None
        if head is not None:
            voids = tuple(void.number for void in head.voids)
            arrival = Arrival(core.sender, head.stream, None, None, voids, head.last)
            alarms = await self._head_alarms(core.sender, head, now)
        else:
            arrival = Arrival(core.sender, opened.secret.stream, opened.secret.number, judged.header.digest)
            alarms = await self._stream_alarms(core.sender, opened.secret, judged.header.digest, now)
        ack = self._acknowledgement(delivered.header, Outcome.DELIVERED, now)
        outcome = "head" if head is not None else "delivered"
        evidence = _evidence(delivered, ack, opened.content.signed, outcome, None, now)
        message = self._message(judged, opened, now) if opened.record is not None else None
        new = await parts.stores.inbox.save_received(evidence, message, arrival, tuple(alarms))
        if not new:
            parts.files.remove_content(opened.files)
        else:
            parts.wakes.tell_news()
        self._log.info("envelope.received", envelope=core.id.hex(), sender=core.sender, new=new)
        return ack

    async def _refuse(self, delivered: Delivered, refusal: RefusedEnvelope, now: int) -> bytes:
        """Evidence, alarm, and an answer that does not say why."""
        core = delivered.header.core
        ack = self._acknowledgement(delivered.header, Outcome.REFUSED, now)
        alarm = Alarm(
            fact=f"refused:{core.sender}:{core.id.hex()}",
            kind=refusal.rule,
            member=core.sender,
            detail=f"envelope {core.id.hex()} of {core.sender} is refused: {refusal.detail}",
            time=now,
        )
        evidence = _evidence(delivered, ack, core.provisions[0], "refused", refusal.rule, now)
        await self._parts.stores.inbox.save_received(evidence, None, None, (alarm,))
        self._log.warning("envelope.refused", envelope=core.id.hex(), sender=core.sender, code=refusal.rule)
        return ack

    def _acknowledgement(self, header: Header, outcome: Outcome, now: int) -> bytes:
        identity = self._parts.keyring.signing
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

    async def _stream_alarms(self, sender: MemberId, secret: WrapSecret, digest: bytes, now: int) -> list[Alarm]:
        """A number that two headers claim, and a chain that does not fit: faults of the sender, or forgeries."""
        inbox = self._parts.stores.inbox
        place = f"{sender}:{secret.stream.hex()}:{secret.number}"
        alarms = []
        standing = await inbox.digest_at(sender, secret.stream, secret.number)
        if standing is not None and standing != digest:
            detail = f"{sender} used number {secret.number} of a stream for two envelopes"
            alarms.append(Alarm(f"number-reused:{place}:{digest.hex()}", "number-reused", sender, detail, now))
        before = await inbox.digest_at(sender, secret.stream, secret.number - 1)
        if before is not None and before != secret.previous:
            detail = f"number {secret.number} of a stream of {sender} does not follow the envelope that came before"
            alarms.append(Alarm(f"chain-broken:{place}", "chain-broken", sender, detail, now))
        return alarms

    async def _head_alarms(self, sender: MemberId, head: Head, now: int) -> list[Alarm]:
        """A head that names another envelope under its last number than the one that arrived."""
        standing = await self._parts.stores.inbox.digest_at(sender, head.stream, head.last)
        if standing is None or standing == head.digest:
            return []
        fact = f"head-differs:{sender}:{head.stream.hex()}:{head.last}"
        detail = f"a head of {sender} names another envelope as number {head.last} than the one that arrived"
        return [Alarm(fact, "head-differs", sender, detail, now)]

    def _message(self, judged: Judged, opened: _Opened, now: int) -> Message:
        core = judged.header.core
        record = opened.record or {}
        provision = opened.content.provision
        name = message_id(opened.content.signed.body)
        vault = self._parts.keyring.vault
        title = json.dumps(record.get("title", {}), ensure_ascii=False).encode("utf-8")
        path = provision.providers if core.sender in provision.providers else (*provision.providers, core.sender)
        return Message(
            id=name,
            box="inbox",
            provision=provision_digest(opened.content.signed.body),
            state=_ROUTINE,
            ministry=None,
            measure=str(record["measure"]),
            record_type=str(record["record_type"]),
            precedence=core.precedence,
            created=core.created,
            due=now,
            expires=core.expires,
            signed_provisions=tuple(encode(SIGNED_PROVISION, signed) for signed in core.provisions),
            signed_grants=tuple(encode(SIGNED_GRANT, signed) for signed in core.grants),
            purpose=core.purpose,
            path=path,
            sealed_manifest=vault.seal("manifest", name, opened.content.raw),
            sealed_title=vault.seal("title", name, title),
            recipients=(),
            attachments=tuple(StoredAttachment(index, name) for index, name in enumerate(opened.files)),
        )


def _meaning(content: Content, sender: MemberId) -> tuple[dict[str, object] | None, Head | None]:
    """The record, validated as before signing, or the sender's own head. Raises Unreadable."""
    manifest, provision = content.manifest, content.provision
    try:
        if manifest.kind is ContentKind.HEAD:
            if manifest.providers != (sender,) or manifest.attachments:
                raise Unreadable("unreadable", "a head speaks for its sender only")
            return None, decode(HEAD, manifest.body, MAX_SERVICE)
        record = load_json(manifest.body)
        validated(record, manifest.providers, provision.tlp.label, provision.onward.label)
    except RecordError as fault:
        raise Unreadable("unreadable", f"the record is not valid: {fault}") from None
    except (DecodeError, Invalid) as fault:
        raise Unreadable("unreadable", f"the content is not valid: {type(fault).__name__}") from None
    if not isinstance(record, dict):
        raise Unreadable("unreadable", "the record is no object")
    return record, None


def _evidence(
    delivered: Delivered, ack: bytes, provision: SignedProvision, outcome: str, reason: str | None, now: int
) -> ReceivedEnvelope:
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
