"""Sends sealed envelopes until the relay's receipt is on file, the relay refuses them, or they expire."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

from exchange.delivery.receipts import receipt_covers
from exchange.logs import get_logger
from exchange.node.parts import Parts
from exchange.node.transport import RelayRefused, RelayUnreachable
from exchange.node.wake import wait_for
from exchange.storage.node_values import Alarm, OutboxEnvelope
from keys.errors import KeyFault
from keys.primitives import random_bytes
from keys.verify import verify_receipt
from schemas.canon import encode
from schemas.content import VoidReason
from schemas.envelope import decode_header
from schemas.errors import DecodeError
from schemas.receipt import SIGNED_RECEIPT, SignedReceipt

# Envelopes under way at once: enough to fill the relay's group commit, few enough to hold in memory.
_AT_ONCE: Final = 16
_LOOK_AGAIN: Final = 1.0


class Sender:
    """The outbox's way to the relay."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._log = get_logger("sender")
        self._under_way: dict[bytes, asyncio.Task[None]] = {}
        # Since when, and why by the last try, the relay cannot be reached; None while it can.
        self.unreachable: tuple[int, str] | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        wakes = self._parts.wakes
        try:
            while True:
                wakes.to_send.clear()
                await self._start_due()
                await wait_for(wakes.to_send, _LOOK_AGAIN)
        finally:
            for task in self._under_way.values():
                task.cancel()

    async def _start_due(self) -> None:
        """Start the most urgent ones that are due and not under way, up to the bound."""
        now = self._parts.clock.now()
        free = _AT_ONCE - len(self._under_way)
        if free <= 0:
            return
        for envelope in await self._parts.stores.outbox.to_send(now, 2 * _AT_ONCE):
            if envelope.envelope not in self._under_way and free > 0:
                free -= 1
                task = asyncio.create_task(self._send_one(envelope))
                self._under_way[envelope.envelope] = task
                task.add_done_callback(partial(self._ended, envelope.envelope))

    def _ended(self, envelope: bytes, task: asyncio.Task[None]) -> None:
        self._under_way.pop(envelope, None)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._log.error("send.fault", envelope=envelope.hex(), fault=type(fault).__name__)
        self._parts.wakes.to_send.set()

    async def _send_one(self, envelope: OutboxEnvelope) -> None:
        parts = self._parts
        now = parts.clock.now()
        if envelope.expires <= now:
            await self._finish(envelope, "expired", VoidReason.EXPIRED, "it expired before the relay accepted it")
            return
        try:
            receipt = await parts.relay.post_envelope(envelope.header, self._body(envelope))
            self._verify(envelope, receipt)
        except RelayRefused as refusal:
            self.unreachable = None
            await self._finish(envelope, "refused", VoidReason.REFUSED, f"{refusal.code}: {refusal.detail}")
            await parts.stores.inbox.add_alarm(
                Alarm(
                    fact=f"refused:{envelope.envelope.hex()}",
                    kind="relay-refused",
                    member=None,
                    detail=f"the relay refused envelope {envelope.envelope.hex()}: {refusal.code}: {refusal.detail}",
                    time=now,
                )
            )
            return
        except (RelayUnreachable, DecodeError, KeyFault) as fault:
            await self._retry_later(envelope, str(fault), now)
            return
        self.unreachable = None
        await parts.stores.outbox.save_accepted(envelope.envelope, encode(SIGNED_RECEIPT, receipt), parts.clock.now())
        parts.files.remove_body(envelope.envelope)
        parts.wakes.tell_news()
        self._log.info("envelope.accepted", envelope=envelope.envelope.hex())

    def _body(self, envelope: OutboxEnvelope) -> Iterator[bytes]:
        return iter([envelope.body]) if envelope.body is not None else self._parts.files.read_body(envelope.envelope)

    def _verify(self, envelope: OutboxEnvelope, signed: SignedReceipt) -> None:
        """The receipt is the relay's and about these bytes. Raises KeyFault."""
        receipt = verify_receipt(signed, self._parts.directory.current)
        if not receipt_covers(receipt, decode_header(envelope.header)):
            raise KeyFault("the relay's receipt is for another envelope")

    async def _retry_later(self, envelope: OutboxEnvelope, why: str, now: int) -> None:
        self.unreachable = (self.unreachable[0] if self.unreachable is not None else now, why)
        most = self._parts.config.delivery.retry_most
        pause = min(most, 2 ** min(envelope.attempts, 16))
        # A little of it is by chance, so that nodes do not come back to a restarted relay all at once.
        pause += random_bytes(1)[0] * pause // 1024
        await self._parts.stores.outbox.save_failed(envelope.envelope, why, now + pause)
        self._log.warning("send.retry", envelope=envelope.envelope.hex(), attempts=envelope.attempts + 1, why=why)

    async def _finish(self, envelope: OutboxEnvelope, state: str, reason: VoidReason, why: str) -> None:
        parts = self._parts
        await parts.stores.outbox.save_final(envelope.envelope, state, reason, why, parts.clock.now())
        parts.files.remove_body(envelope.envelope)
        parts.wakes.tell_news()
        self._log.warning("envelope.not-sent", envelope=envelope.envelope.hex(), state=state, why=why)
