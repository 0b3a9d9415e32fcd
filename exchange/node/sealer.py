"""Seals what is due: messages of ministries, and heads. One loop, so the numbers of a stream are given out in order."""

import asyncio
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from exchange.consent.authorise import authorise
from exchange.consent.decision import Ledger
from exchange.delivery.times import time_fault
from exchange.errors import ExchangeError, Forbidden
from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.matter import Matter, matter_of, parcel_of
from exchange.node.obeying import obeying
from exchange.node.origins import OriginKeeper
from exchange.node.outbound import (
    NextPlace,
    Parcel,
    seal_header,
    seal_payload,
)
from exchange.node.partners import own_anchor
from exchange.node.parts import Parts
from exchange.node.resender import HEADS, MESSAGES, Resender, Save
from exchange.node.rests import Rests
from exchange.node.service import head_body, service_parcel
from exchange.node.wake import wait_for
from exchange.storage.head_port import KeptHead
from exchange.storage.node_values import Message, OutboxEnvelope, Place, StreamOut
from keys.digests import header_digest
from keys.directory import Directory
from keys.errors import KeyFault
from keys.origin import origins_of
from keys.primitives import random_bytes
from keys.stream import sealed_size
from keys.verify import verify_header
from schemas.content import ContentKind
from schemas.envelope import Header, encode_header
from schemas.errors import DecodeError
from schemas.ids import Digest, EnvelopeId, MemberId, StreamId
from schemas.relayapi import INLINE_BODY

# The messages' stream before a restore: announced, and not gone on with.
ENDED: Final = 3
_BATCH: Final = 64
_LOOK_AGAIN: Final = 1.0
_LONGEST_REST: Final = 600


class Sealer:
    """Turns queued messages and due heads into sealed envelopes."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("sealer")
        # How far the round through the waiting messages has come: each has its turn, however many they are.
        self._round = 0
        # Those whose body was sealed in vain; a try that fails before that costs nothing.
        self._rests = Rests(_LONGEST_REST)
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._origins = OriginKeeper(parts)
        self._resender = Resender(parts, self._seal)

    async def run(self) -> None:
        """Seal until cancelled."""
        wakes = self._parts.wakes
        while True:
            wakes.to_seal.clear()
            try:
                sealed = await self.seal_due()
            except ExchangeError as fault:
                self._log.error("sealer.fault", code=fault.code, why=fault.detail)
                sealed = 0
            if sealed == 0:
                await wait_for(wakes.to_seal, _LOOK_AGAIN)

    async def seal_due(self) -> int:
        """Seal one batch; gives how many were sealed. A message that cannot be sealed yet says why and waits."""
        parts = self._parts
        now = parts.clock.now()
        sealed = await self._seal_queued()
        waiting = await parts.stores.outbox.waiting(now, self._round, _BATCH)
        self._round = waiting[-1].seq if len(waiting) == _BATCH else 0
        for message in waiting:
            if not self._rests.resting(message.id, now):
                sealed += await self._try(message)
                if _is_large(message):
                    sealed += await self._seal_queued()
        sealed += await self._resender.turn(now)
        for stream in await parts.stores.evidence.heads_due(now):
            sealed += await self._seal_head(stream, now)
        if sealed:
            parts.wakes.to_send.set()
            parts.wakes.tell_news()
        return sealed

    async def _seal_queued(self) -> int:
        """Seal what waits for nothing, in order of precedence; after a large one, what has become urgent meanwhile."""
        outbox = self._parts.stores.outbox
        sealed, left = 0, _BATCH
        batch = await outbox.queued(self._parts.clock.now(), left)
        while batch and left:
            message, batch, left = batch[0], batch[1:], left - 1
            sealed += await self._try(message)
            if _is_large(message):
                self._parts.wakes.to_send.set()
                batch = await outbox.queued(self._parts.clock.now(), left)
        return sealed

    async def _try(self, message: Message) -> int:
        """1 when it was sealed; otherwise it says why, waits, and keeps nobody else from going."""
        try:
            await self._seal_message(message, self._parts.clock.now())
        except (KeyFault, ExchangeError, DecodeError) as fault:
            why = str(fault)
        except Exception as fault:  # noqa: BLE001  # what others published must not stop the others' messages
            why = f"it meets a fault of this program: {place_of(fault)}"
            await self._alarms.tell_daily(f"seal-fault:{place_of(fault)}", "fault", None, f"a message waits: {why}")
        else:
            self._rests.done(message.id)
            return 1
        if message.waits != why:
            # What is missing may have been published since the last look.
            self._parts.wakes.directory.set()
            await self._parts.stores.outbox.set_waits(message.id, why)
            self._log.warning("message.waits", message=message.id.hex(), why=why)
        return 0

    async def _seal_message(self, message: Message, now: int) -> None:
        parts = self._parts
        recipients = tuple(MemberId(code) for code in message.recipients)
        replaces = None if message.replaces is None else EnvelopeId(message.replaces)
        parcel = parcel_of(parts, message, recipients, now, replaces)
        await self._seal(parcel, MESSAGES, recipients, matter_of(parts, message), message=message.id)

    async def _seal_head(self, stream: StreamOut, now: int) -> int:
        """Tell a recipient how far its stream is; 0 when nothing in it is settled yet or it cannot be sealed now."""
        parts = self._parts
        delivery = parts.config.delivery
        later = now + delivery.head_after
        # Put off before the numbers are read: a void that comes meanwhile brings the head forward again, and stays so.
        await parts.stores.evidence.move_head_due(stream.stream, stream.head_due, later)
        settled = await parts.stores.evidence.settled(stream.stream)
        if not settled.last:
            return 0
        try:
            recipient = MemberId(stream.recipient)
            parcel, raw = service_parcel(parts, recipient, ContentKind.HEAD, head_body(settled), now)
            await parts.stores.heads.keep(KeptHead(None, parcel.envelope, recipient, settled.stream, settled.last, raw))
            await self._seal(parcel, HEADS, (recipient,), Matter(raw))
        except (KeyFault, ExchangeError, DecodeError) as fault:
            self._log.warning("head.waits", recipient=stream.recipient, why=str(fault))
            return 0
        await parts.stores.evidence.move_head_due(stream.stream, later, now + delivery.head_every)
        return 1

    async def _seal(
        self,
        parcel: Parcel,
        kind: int,
        recipients: tuple[MemberId, ...],
        matter: Matter,
        *,
        message: bytes | None = None,
        save: Save | None = None,
    ) -> None:
        """Ciphertext, header, self-check, commit; the exact bytes are durable before any of them leaves."""
        parts = self._parts
        parcel = await self._complete(parcel, recipients)
        directory, shown, anchor = parts.directory.current, parts.directory.gossip, await own_anchor(parts)
        content_key = random_bytes(32)
        ciphertext = seal_payload(
            content_key, directory.size, matter.manifest, matter.attachments, matter.pieces, shown, anchor
        )
        size = len(matter.manifest) + sum(attachment.size for attachment in matter.attachments)
        small = sealed_size(2 * size + 2048) <= INLINE_BODY
        body = _Body(ciphertext)
        try:
            stored = await self._stored(parcel, body, small)
            streams = await parts.stores.outbox.streams_out(kind)
            ended = await parts.stores.outbox.streams_out(ENDED) if kind == MESSAGES else {}
            places = tuple(_next_place(to, streams.get(to), ended.get(to)) for to in recipients)
            header = seal_header(
                parts.keyring.signing, directory, parcel, places, content_key, body.size, body.digest()
            )
            self._check(header, await obeying(parts, parcel.provisions, parcel.grants), parcel.created)
            due = parcel.created + parts.config.delivery.head_after
            await (save or parts.stores.outbox.save_sealed)(
                _sealed(parcel, message, header, stored),
                tuple(_stored_place(place, kind, streams.get(place.recipient), due) for place in places),
            )
        except Exception:
            # Not when it is cancelled: the commit may stand, and an orphan is removed at the next start.
            parts.files.remove_body(parcel.envelope)
            if message is not None and not small:
                self._rests.failed(message, parcel.created)
            raise

    async def _complete(self, parcel: Parcel, recipients: tuple[MemberId, ...]) -> Parcel:
        """With the proofs that it has to carry. Raises Unavailable while nothing may go to these recipients."""
        await self._parts.directory.require_sending(recipients, parcel.created)
        origins = await self._origins.carried(parcel.provisions, parcel.grants, parcel.created)
        return replace(parcel, origins=origins)

    async def _stored(self, parcel: Parcel, body: Iterable[bytes], small: bool) -> bytes | None:
        """A small ciphertext goes into the row, a large one into the spool."""
        if small:
            return b"".join(body)
        await asyncio.to_thread(self._parts.files.write_body, parcel.envelope, body)
        return None

    def _check(self, header: Header, directory: Directory, now: int) -> None:
        """The sender's node judges its own envelope by the rule that the relay and the receivers use."""
        verified = verify_header(header, directory, now)
        late = time_fault(verified, directory, now)
        if late is not None:
            raise Forbidden(late.rule.value, late.detail)
        proved = origins_of(header.core.origins, directory, self._parts.directory.least_size)
        decision = authorise(verified, directory, Ledger(origins=proved), now)
        if not decision.allowed:
            raise Forbidden(decision.refusals[0].rule.value, decision.refusals[0].detail)


class _Body:
    """Counts and digests a ciphertext while it is written, so that it is read once."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self._digest = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self._digest.update(piece)
            self.size += len(piece)
            yield piece

    def digest(self) -> Digest:
        return Digest(self._digest.digest())


def _sealed(parcel: Parcel, message: bytes | None, header: Header, body: bytes | None) -> OutboxEnvelope:
    return OutboxEnvelope(
        envelope=parcel.envelope,
        message=message,
        state="sealed",
        precedence=parcel.precedence,
        created=parcel.created,
        expires=parcel.expires,
        header=encode_header(header),
        header_digest=header_digest(header),
        body=body,
    )


def _is_large(message: Message) -> bool:
    """Whether sealing it takes long enough for others to be looked at."""
    return bool(message.attachments) or len(message.sealed_manifest) > INLINE_BODY


def _next_place(recipient: MemberId, stream: StreamOut | None, ended: StreamOut | None) -> NextPlace:
    if stream is None:
        # After a restore the first envelope names the last header that is known of the stream before.
        previous = ended.digest if ended is not None else bytes(32)
        return NextPlace(recipient, StreamId(random_bytes(16)), 1, Digest(previous))
    return NextPlace(recipient, StreamId(stream.stream), stream.last + 1, Digest(stream.digest))


def _stored_place(place: NextPlace, kind: int, stream: StreamOut | None, due: int) -> Place:
    """A message brings its stream's head forward; a head announces another stream and has none itself."""
    earlier = stream.head_due if stream is not None and stream.head_due is not None else due
    return Place(place.recipient, kind, place.stream, place.number, min(due, earlier) if kind == MESSAGES else None)
