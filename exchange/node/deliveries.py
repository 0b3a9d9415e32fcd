"""Envelopes as the relay delivers them: each is judged, fetched whole when it is large, taken once, and answered."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from exchange.delivery.logged import is_passed_on
from exchange.errors import ExchangeError
from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.arrival import Delivered, read_delivery
from exchange.node.files import read_pieces
from exchange.node.inbound import PutOff, RefusedEnvelope
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.patience import Patience
from exchange.node.places import Places
from exchange.node.receiver import Admitted, Body, Receiver
from exchange.node.transport import RelayUnreachable
from keys.errors import KeyFault
from schemas.errors import DecodeError
from schemas.relayapi import Deliver
from schemas.terms import Precedence

# Large bodies under way at once: each takes a thread and a file. The last places are for what is more urgent, which
# must not wait for hundreds of megabytes of routine.
_LARGE_AT_ONCE: Final = {
    Precedence.ROUTINE: 2,
    Precedence.PRIORITY: 3,
    Precedence.IMMEDIATE: 3,
    Precedence.FLASH: 4,
}
# From one look for the proof of an acceptance to the next.
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Large:
    """An envelope whose header and receipt are in order, and that cannot be taken at once.

    Its body is to be fetched, or it is passed on and waits for the proof of its acceptance. It waits as the bytes that
    came: decoded it is many times as large.
    """

    frame: Deliver
    precedence: Precedence


class Deliveries:
    """The way from a frame to the receiver."""

    def __init__(self, parts: Parts, receiver: Receiver) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._receiver = receiver
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("deliveries")
        self._places = Places(_LARGE_AT_ONCE)
        self._busy: set[bytes] = set()
        self._waiting: set[bytes] = set()
        self._origins = OriginKeeper(parts)

    async def take(self, frame: Deliver) -> Large | bytes | None:
        """Take one envelope; None when there is nothing to acknowledge, now or ever. Raises PutOff to have it again."""
        return await self._guarded(frame, self._take)

    async def vet(self, frame: Deliver) -> Large | bytes | None:
        """Judge an envelope without its body: what may be fetched, or the answer, as of `take`. Raises PutOff."""
        return await self._guarded(frame, self._vet)

    async def fetch(self, large: Large) -> bytes | None:
        """Take what could not be taken at once; the answer as of `take`, None for what is waited for already.

        It waits for a place when its body is to be fetched, and as long as it takes for the proof of its acceptance:
        the relay may refuse service. Raises PutOff.
        """
        name = hashlib.sha256(large.frame.header).digest()
        if name in self._waiting:
            return None
        self._waiting.add(name)
        try:
            return await self._fetched(large)
        finally:
            self._waiting.discard(name)

    async def _fetched(self, large: Large) -> bytes | None:
        pause = _PAUSE
        while True:
            async with self._places.hold(large.precedence) if large.frame.body is None else nullcontext():
                taken = await self.take(large.frame)
            if not isinstance(taken, Large):
                return taken
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _guarded(self, frame: Deliver, job: Callable[[Delivered, Deliver], Awaitable[T]]) -> T | None:
        """Each envelope once at a time; whatever it does to this program, the others must still get through."""
        try:
            delivered = read_delivery(frame.header, frame.receipt)
        except DecodeError as fault:
            detail = f"the relay delivered what is no envelope: {fault}"
            await self._alarms.tell_daily("malformed", "malformed", None, detail)
            return None
        core = delivered.header.core
        key = core.id + core.sender.encode()
        if key in self._busy:
            return None
        self._busy.add(key)
        try:
            return await job(delivered, frame)
        except RefusedEnvelope:
            return None
        except (ExchangeError, KeyFault, OSError) as fault:
            # This node's own trouble, or the relay's: without an answer it stays in the mailbox.
            self._log.error("delivery.put-off", envelope=core.id.hex(), why=str(fault))
            raise fault if isinstance(fault, PutOff) else PutOff("put-off", str(fault)) from None
        except Exception as fault:  # noqa: BLE001  # see above
            where = place_of(fault)
            self._log.error("delivery.fault", envelope=core.id.hex(), sender=core.sender, fault=where)
            detail = f"envelope {core.id.hex()} of {core.sender} meets a fault of this program: {where}"
            await self._alarms.tell_daily(f"fault:{where}", "fault", core.sender, detail)
            raise PutOff("fault", where) from None
        finally:
            self._busy.discard(key)

    async def _vet(self, delivered: Delivered, frame: Deliver) -> Large | bytes:
        admitted = await self._admitted(delivered)
        return admitted if isinstance(admitted, bytes) else Large(frame, delivered.header.core.precedence)

    async def _take(self, delivered: Delivered, frame: Deliver) -> Large | bytes:
        admitted = await self._admitted(delivered)
        if isinstance(admitted, bytes):
            return admitted
        if is_passed_on(delivered.header) and not await self._origins.shown(delivered):
            return Large(frame, delivered.header.core.precedence)
        if frame.body is None:
            return await self._fetch(delivered, admitted)
        body = Body(len(frame.body), hashlib.sha256(frame.body).digest(), iter([frame.body]))
        return await self._receiver.take(delivered, admitted, body)

    async def _admitted(self, delivered: Delivered) -> Admitted | bytes:
        return await self._receiver.known(delivered) or await self._receiver.admit(delivered)

    async def _fetch(self, delivered: Delivered, admitted: Admitted) -> bytes:
        """A large body: to the spool, at most as long as the header says, then through the receiver."""
        core = delivered.header.core
        # A name of its own: the sender chooses the id, and could choose that of an envelope that waits here.
        path = self._parts.files.arrival_path()
        try:
            source = self._parts.relay.body(core.sender, core.id)
            async with Patience() as patience:
                size, digest = await _spool(source, core.body_size, path, patience)
            return await self._receiver.take(delivered, admitted, Body(size, digest, read_pieces(path)))
        finally:
            path.unlink(missing_ok=True)


async def _spool(source: AsyncGenerator[bytes, None], size: int, path: Path, patience: Patience) -> tuple[int, bytes]:
    """Write a body to the spool; gives its size and SHA-256.

    Raises RelayUnreachable when the relay sends more than the header says.
    """
    written = 0
    digest = hashlib.sha256()
    with path.open("wb") as file:

        def write(piece: bytes) -> None:
            digest.update(piece)
            file.write(piece)

        async with aclosing(source):
            async for piece in source:
                written += len(piece)
                if written > size:
                    raise RelayUnreachable("relay-body", "the relay sends a longer body than the sender signed")
                await asyncio.to_thread(write, piece)
                patience.moved(len(piece))
    return written, digest.digest()
