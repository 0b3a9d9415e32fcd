"""Openings: when an official first opens a received message, its sender learns of it, encrypted, late and collected.

What is told is the hour, and no name. It goes at a random time of 10 to 60 minutes later, together with what else is
due for the same sender, so that the relay learns nothing of who reads what and when (docs/protocol.md, "Openings").
"""

from itertools import groupby
from typing import ClassVar, Final

from exchange.errors import Invalid
from exchange.node.access import Caller
from exchange.node.courier import consent_message
from exchange.node.desk import Letter
from exchange.node.parts import Parts
from exchange.storage.node_values import Message
from exchange.storage.opening_port import DueOpening, StoredOpening
from keys.primitives import random_bytes
from keys.verify import verify_bytes
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.envelope import decode_header
from schemas.ids import Digest, EnvelopeId, MemberId
from schemas.limits import HOUR, MAX_CLOCK_AHEAD, MAX_OPENINGS, MAX_SMALL_OBJECT
from schemas.opening import OPENING, SIGNED_OPENING, Opening, Openings, SignedOpening

_LEAST: Final = 600
_SPREAD: Final = 3000
_BATCH: Final = 256


class Readings:
    """Notes what is opened, tells senders, and takes what others tell."""

    takes: ClassVar[tuple[type, ...]] = (Openings,)

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts

    async def read(self, caller: Caller, *messages: Message) -> None:
        """An official is shown the content of these: written down, and told to who sent it.

        Every route that shows content calls it before it answers: what cannot be written down is not read. A list or a
        search, which shows titles, is no reading; of what this state sent there is nothing to tell.
        """
        for message in messages:
            if message.box == "inbox":
                await self._parts.doors.opened(caller, message.provision, message.id)
                await self.opened(message)

    async def opened(self, message: Message) -> None:
        """Its sender is to be told that somebody has its content. Only the first time counts, and what others sent."""
        parts = self._parts
        store = parts.stores.openings
        if not parts.config.delivery.tell_openings or message.box != "inbox" or await store.noted(message.id):
            return
        first = await parts.stores.views.received_of(message.provision, 1)
        if not first:
            return
        now, (way,) = parts.clock.now(), first
        due = now + _LEAST + int.from_bytes(random_bytes(4), "big") % (_SPREAD + 1)
        opening = DueOpening(message.id, way.sender, way.envelope, way.header_digest, now - now % HOUR, due)
        await store.note(opening)

    async def take(self, letter: Letter, now: int) -> None:
        """Keep what a reader's node says of this node's envelopes; see `exchange.node.desk.Taker`."""
        said = letter.said
        if not isinstance(said, Openings):
            raise TypeError("the desk handed over another kind of message")
        taken = [await self._judged(raw, letter.sender, now) for raw in said.items]
        await self._parts.stores.openings.take(letter.message.id, tuple(taken))

    async def turn(self, now: int) -> None:
        """Tell each sender what is due."""
        due = await self._parts.stores.openings.due(now, _BATCH)
        for sender, group in groupby(due, key=lambda one: one.sender):
            rows = tuple(group)[:MAX_OPENINGS]
            said = Openings(tuple(sorted(self._signed(row) for row in rows)))
            outgoing = consent_message(self._parts, (MemberId(sender),), said, now)
            await self._parts.stores.openings.tell(tuple(row.message for row in rows), outgoing)
            self._parts.wakes.to_seal.set()

    def _signed(self, row: DueOpening) -> bytes:
        identity = self._parts.keyring.signing
        # A key that was certified within the hour was not valid when the hour began.
        record = self._parts.directory.current.signing.get((identity.owner, identity.key_id))
        time = row.opened if record is None else max(row.opened, record.valid_from)
        body = encode(
            OPENING,
            Opening(identity.owner, MemberId(row.sender), EnvelopeId(row.envelope), Digest(row.header_digest), time),
        )
        return encode(SIGNED_OPENING, SignedOpening(body, identity.sign(Context.OPENING, body)))

    async def _judged(self, raw: bytes, reader: MemberId, now: int) -> StoredOpening:
        """Raises Invalid, DecodeError or KeyFault for what the reader may not say."""
        signed = decode(SIGNED_OPENING, raw, MAX_SMALL_OBJECT)
        opening, parts = signed.opening, self._parts
        sent = await parts.stores.evidence.envelope(opening.envelope)
        if sent is None or opening.sender != parts.member or sent.header_digest != opening.header_digest:
            raise Invalid("bad-opening", "it speaks of an envelope that this node has not sent")
        if opening.reader != reader or decode_header(sent.header).wrap_for(reader) is None:
            raise Invalid("bad-opening", "it speaks of an envelope that was not for its sender")
        if not sent.created - HOUR <= opening.time <= now + MAX_CLOCK_AHEAD:
            raise Invalid("bad-opening", "it is dated before the envelope was made, or in the future")
        key, value = signed.signature.key_id, signed.signature.value
        verify_bytes(parts.directory.current, reader, key, opening.time, value, Context.OPENING, signed.body)
        return StoredOpening(opening.envelope, reader, raw)
