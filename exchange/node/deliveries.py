"""Envelopes as the relay delivers them: each is fetched whole, taken once, and answered."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.files import read_pieces
from exchange.node.inbound import PutOff, RefusedEnvelope
from exchange.node.parts import Parts
from exchange.node.receiver import Delivered, Receiver, read_delivery
from exchange.node.transport import RelayUnreachable
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.relayapi import Deliver

_LARGE_AT_ONCE: Final = 2


class Deliveries:
    """The way from a frame to the receiver."""

    def __init__(self, parts: Parts, receiver: Receiver) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._receiver = receiver
        self._log = get_logger("deliveries")
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._busy: set[bytes] = set()

    async def take(self, frame: Deliver) -> bytes | None:
        """Take one envelope; None when there is nothing to acknowledge, now or ever. Raises PutOff to have it again."""
        try:
            delivered = read_delivery(frame.header, frame.receipt)
        except DecodeError as fault:
            await self._receiver.alarm(
                f"malformed:{fault}", "malformed", None, f"the relay delivered what is no envelope: {fault}"
            )
            return None
        key = delivered.header.core.id + delivered.header.core.sender.encode()
        if key in self._busy:
            return None
        self._busy.add(key)
        try:
            known = await self._receiver.known(delivered)
            if known is not None:
                return known
            if frame.body is not None:
                return await self._receiver.take(delivered, iter([frame.body]))
            return await self._fetch(delivered)
        except RefusedEnvelope:
            return None
        except (ExchangeError, KeyFault, OSError) as fault:
            # This node's own trouble, or the relay's: without an answer it stays in the mailbox.
            self._log.error("delivery.put-off", envelope=delivered.header.core.id.hex(), why=str(fault))
            raise PutOff("put-off", str(fault)) from None
        except Exception as fault:  # noqa: BLE001  # see below
            # Whatever an envelope does to this program, the others must still get through.
            core = delivered.header.core
            self._log.exception("delivery.fault", envelope=core.id.hex(), sender=core.sender)
            detail = f"envelope {core.id.hex()} of {core.sender} meets a fault of this program: report the log"
            await self._receiver.alarm(f"fault:{core.sender}:{core.id.hex()}", "fault", core.sender, detail)
            raise PutOff("fault", type(fault).__name__) from None
        finally:
            self._busy.discard(key)

    async def _fetch(self, delivered: Delivered) -> bytes:
        """A large body: to the spool, at most as long as the header says, then through the receiver."""
        core = delivered.header.core
        async with self._large:
            source = self._parts.relay.body(core.sender, core.id)
            # A name of its own: the sender chooses the id, and could choose that of an envelope that waits here.
            path = self._parts.files.arrival_path()
            try:
                await _spool(source, core.body_size, path)
                return await self._receiver.take(delivered, read_pieces(path))
            finally:
                path.unlink(missing_ok=True)


async def _spool(source: AsyncIterator[bytes], size: int, path: Path) -> None:
    """Write a body to the spool; raises RelayUnreachable when the relay sends more than the header says."""
    written = 0
    with path.open("wb") as file:
        async for piece in source:
            written += len(piece)
            if written > size:
                raise RelayUnreachable("relay-body", "the relay sends a longer body than the sender signed")
            await asyncio.to_thread(file.write, piece)
