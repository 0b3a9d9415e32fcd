"""Sends sealed envelopes until the relay's receipt is on file, the relay refuses them, or they expire.

One whose recipient's epoch ended on its way is given up for another, which the sealer makes: its bytes never change.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

from exchange.delivery.times import TimeRule, has_ended_epoch
from exchange.errors import ExchangeError, Unavailable
from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.obeying import may_leave, require_not_withdrawn
from exchange.node.parts import Parts
from exchange.node.places import Places
from exchange.node.receipts import tell_out_of_date
from exchange.node.rests import Rests
from exchange.node.transport import RelayRefused, RelayUnreachable
from exchange.node.wake import wait_for
from exchange.storage.node_values import OutboxEnvelope
from keys.errors import KeyFault
from keys.primitives import random_bytes
from keys.receipts import receipt_covers, receipt_date_fault, receipt_size_fault
from keys.verify import verify_receipt
from schemas.canon import encode
from schemas.content import VoidReason
from schemas.envelope import decode_header
from schemas.errors import DecodeError
from schemas.receipt import SIGNED_RECEIPT, SignedReceipt
from schemas.terms import Precedence

# Envelopes under way at once: enough to fill the relay's group commit, few enough to hold in memory. The last places
# are for the more urgent, whatever the relay does with the others.
_AT_ONCE: Final = {
    Precedence.ROUTINE: 10,
    Precedence.PRIORITY: 12,
    Precedence.IMMEDIATE: 14,
    Precedence.FLASH: 16,
}
_LOOKED_AT: Final = 2 * max(_AT_ONCE.values())
_EXPIRED_AT_ONCE: Final = 256
# This node judged the same by its own directory: the relay lacks an entry, as after a restore, and will have it again.
_RELAY_BEHIND: Final = frozenset(
    {"bad-signature", "untrusted", "epoch-unknown", "provision-signature", "grant-signature"}
)
_LOOK_AGAIN: Final = 1.0


class Sender:
    """The outbox's way to the relay."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("sender")
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._places = Places(_AT_ONCE)
        self._under_way: dict[bytes, asyncio.Task[None]] = {}
        # Those whose sending met a fault of this node, which may be one of the store too.
        self._rests = Rests(parts.config.delivery.retry_most)
        # Since when, and why by the last try, the relay cannot be reached; None while it can.
        self.unreachable: tuple[int, str] | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        wakes = self._parts.wakes
        try:
            while True:
                wakes.to_send.clear()
                try:
                    await self._expire_due()
                    await self._start_due()
                except ExchangeError as fault:
                    self._log.error("sender.fault", code=fault.code, why=fault.detail)
                await wait_for(wakes.to_send, _LOOK_AGAIN)
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def _expire_due(self) -> None:
        """What has expired needs no place to say so."""
        for envelope in await self._parts.stores.outbox.to_expire(self._parts.clock.now(), _EXPIRED_AT_ONCE):
            if envelope not in self._under_way:
                await self._expired(envelope)

    async def _start_due(self) -> None:
        """Start the most urgent ones that are due and not under way, as far as there are places for them."""
        now = self._parts.clock.now()
        for envelope in await self._parts.stores.outbox.to_send(now, _LOOKED_AT):
            if envelope.envelope in self._under_way or self._rests.resting(envelope.envelope, now):
                continue
            if not self._places.take(Precedence(envelope.precedence)):
                return
            task = asyncio.create_task(self._send(envelope))
            self._under_way[envelope.envelope] = task
            task.add_done_callback(partial(self._ended, envelope.envelope))

    def _ended(self, envelope: bytes, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.error("send.fault", envelope=envelope.hex(), fault=place_of(fault))
        self._under_way.pop(envelope, None)
        self._places.give_back()
        self._parts.wakes.to_send.set()

    async def _send(self, envelope: OutboxEnvelope) -> None:
        """One try; a fault of this node must not become a try after the other without a pause."""
        try:
            await self._send_one(envelope)
        except Exception as fault:  # noqa: BLE001  # whatever it is, it is this envelope's
            where = place_of(fault)
            self._rests.failed(envelope.envelope, self._parts.clock.now())
            self._log.error("send.fault", envelope=envelope.envelope.hex(), fault=where)
            if not isinstance(fault, ExchangeError):
                detail = f"sending envelope {envelope.envelope.hex()} meets a fault of this program: {where}"
                await self._alarms.tell_daily(f"send-fault:{where}", "fault", None, detail)

    async def _send_one(self, envelope: OutboxEnvelope) -> None:
        parts = self._parts
        now = parts.clock.now()
        if envelope.expires <= now:
            await self._expired(envelope.envelope)
            return
        header = decode_header(envelope.header)
        try:
            await parts.guard.require_no_hold(header.recipients)
            await require_not_withdrawn(parts, header.core)
        except Unavailable as held:
            await parts.stores.outbox.save_failed(
                envelope.envelope, held.detail, now + parts.config.delivery.retry_most
            )
            return
        # The header alone asks for the receipt of what may have been accepted before, and gives nothing away.
        body = self._body(envelope) if await may_leave(parts, header) else iter(())
        try:
            receipt = await parts.relay.post_envelope(envelope.header, body)
            self._verify(envelope, receipt)
            await self._check_size(receipt)
        except RelayRefused as refusal:
            self.unreachable = None
            await self._refused(envelope, refusal, now)
            return
        except (RelayUnreachable, DecodeError, KeyFault) as fault:
            await self._retry_later(envelope, str(fault), now)
            return
        self.unreachable = None
        await parts.stores.outbox.save_accepted(
            envelope.envelope, encode(SIGNED_RECEIPT, receipt), parts.clock.now(), receipt.receipt.time
        )
        parts.files.remove_body(envelope.envelope)
        parts.wakes.tell_news()

    async def _refused(self, envelope: OutboxEnvelope, refusal: RelayRefused, now: int) -> None:
        said = f"the relay refused envelope {envelope.envelope.hex()}: {refusal.code}: {refusal.detail}"
        if refusal.code in _RELAY_BEHIND:
            await self._alarms.tell_daily(f"relay-behind:{refusal.code}", "relay-behind", None, said)
            await self._retry_later(envelope, said, now)
            return
        if refusal.code == TimeRule.EPOCH_ENDED:
            await self._supersede(envelope, said, now)
            return
        why = f"{refusal.code}: {refusal.detail}"
        await self._finish(envelope.envelope, "refused", VoidReason.REFUSED, why)
        await self._alarms.tell(f"refused:{envelope.envelope.hex()}", "relay-refused", None, said)

    async def _supersede(self, envelope: OutboxEnvelope, why: str, now: int) -> None:
        """Have it sealed anew when this node's own directory says so too: a relay could ask for that without end."""
        parts = self._parts
        if not has_ended_epoch(decode_header(envelope.header), parts.directory.current):
            parts.wakes.directory.set()
            await self._retry_later(envelope, why, now)
            return
        await parts.stores.outbox.save_superseded(envelope.envelope, why, now)
        parts.files.remove_body(envelope.envelope)
        parts.wakes.to_seal.set()
        parts.wakes.tell_news()

    def _body(self, envelope: OutboxEnvelope) -> Iterator[bytes]:
        return iter([envelope.body]) if envelope.body is not None else self._parts.files.read_body(envelope.envelope)

    def _verify(self, envelope: OutboxEnvelope, signed: SignedReceipt) -> None:
        """The receipt is the relay's, about these bytes, and of a possible time. Raises KeyFault."""
        receipt = verify_receipt(signed, self._parts.directory.current)
        self._parts.clocks.passed(receipt.time)
        header = decode_header(envelope.header)
        if not receipt_covers(receipt, header):
            raise KeyFault("the relay's receipt is for another envelope")
        date_fault = receipt_date_fault(receipt, header, self._parts.clock.now())
        if date_fault is not None:
            raise KeyFault(date_fault)

    async def _check_size(self, signed: SignedReceipt) -> None:
        """It was not decided under a directory that was out of date. Raises KeyFault."""
        why = receipt_size_fault(signed.receipt, self._parts.directory.least_size)
        if why is not None:
            await tell_out_of_date(self._parts, signed, why)
            raise KeyFault(why)

    async def _retry_later(self, envelope: OutboxEnvelope, why: str, now: int) -> None:
        self.unreachable = (self.unreachable[0] if self.unreachable is not None else now, why)
        most = self._parts.config.delivery.retry_most
        pause = min(most, 2 ** min(envelope.attempts, 16))
        # A little of it is by chance, so that nodes do not come back to a restarted relay all at once.
        pause += random_bytes(1)[0] * pause // 1024
        await self._parts.stores.outbox.save_failed(envelope.envelope, why, now + pause)
        self._log.warning("send.retry", envelope=envelope.envelope.hex(), attempts=envelope.attempts + 1, why=why)

    async def _expired(self, envelope: bytes) -> None:
        await self._finish(envelope, "expired", VoidReason.EXPIRED, "it expired before the relay accepted it")

    async def _finish(self, envelope: bytes, state: str, reason: VoidReason, why: str) -> None:
        parts = self._parts
        await parts.stores.outbox.save_final(envelope, state, reason, why, parts.clock.now())
        parts.files.remove_body(envelope)
        parts.wakes.tell_news()
