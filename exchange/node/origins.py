"""Proofs that acceptances stand in the relay's log: fetched, verified, kept, and carried where consent is passed on.

Every message's proof is fetched once its acceptance has to be logged, so that what was consented can be passed on when
the key that signed it has ended long since, also under another relay. What others pass on waits for its proof.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from exchange.delivery.logged import acceptance_fault
from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.alarms import Alarms
from exchange.node.arrival import Delivered, read_delivery
from exchange.node.parts import Parts
from exchange.node.transport import RelayRefused
from exchange.storage.trust_port import DueOrigin, StoredOrigin
from keys.digests import logged_grant, logged_provision, provision_digest
from keys.errors import Untrusted
from keys.origin import Origin, origins_of, stood
from schemas.canon import decode
from schemas.errors import DecodeError
from schemas.grant import SignedGrant
from schemas.ids import Digest, MemberId
from schemas.limits import DAY, HOUR, KIB, MAX_CLOCK_AHEAD, MAX_ORIGIN_NOTE
from schemas.origin import ORIGINS, Origins, joined, one_origin
from schemas.provision import SignedProvision
from schemas.signed import Signature

_PAUSE: Final = 5.0
_BATCH: Final = 16
_MAX_ANSWER: Final = MAX_ORIGIN_NOTE + 16 * KIB
# A proof that has not come in so many tries, the last ones a day apart, is not waited for any longer.
_TRIES: Final = 30
_HASH: Final = 32
# Of the envelopes that brought a Provision, those that came first: what was accepted first was so while the key was
# valid, and any member may send one Provision in thousands of envelopes, each with a megabyte of proofs.
_EARLIEST: Final = 8


class OriginKeeper:
    """Fetches what is due, and finds what is to be carried."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("origins")

    async def run(self) -> None:
        """Fetch what is due, until cancelled."""
        while True:
            try:
                more = await self.turn()
            except ExchangeError as fault:
                self._log.info("origins.wait", why=fault.detail)
                more = False
            if not more:
                await asyncio.sleep(_PAUSE)

    async def turn(self) -> bool:
        """One batch; whether there may be more. Raises RelayUnreachable."""
        due = await self._parts.stores.origins.due(self._parts.clock.now(), _BATCH)
        for item in due:
            await self._fetch(item)
        return len(due) == _BATCH

    async def shown(self, delivered: Delivered) -> bool:
        """Whether the proof of an envelope's acceptance is here, fetched now if need be. Raises RelayUnreachable."""
        core = delivered.header.core
        if await self._parts.stores.origins.origin(core.sender, core.id) is not None:
            return True
        return await self._take(core.sender, core.id, delivered) is None

    async def _fetch(self, due: DueOrigin) -> None:
        parts, now = self._parts, self._parts.clock.now()
        delivered = await self._delivered(due)
        if delivered is None or due.tries >= _TRIES:
            await parts.stores.origins.give_up(due)
            return
        logged = delivered.receipt.receipt.log_by + MAX_CLOCK_AHEAD
        if now < logged:
            await parts.stores.origins.put_off(due, logged)
            return
        why = await self._take(due.sender, due.envelope, delivered)
        if why is not None:
            await parts.stores.origins.put_off(due, now + min(60 * 2**due.tries, DAY))

    async def _delivered(self, due: DueOrigin) -> Delivered | None:
        """The header and receipt of an envelope that was sent or received."""
        stores = self._parts.stores
        if due.sender is None:
            sent = await stores.evidence.envelope(due.envelope)
            return None if sent is None or sent.receipt is None else read_delivery(sent.header, sent.receipt)
        received = await stores.inbox.received(due.sender, due.envelope)
        return None if received is None else read_delivery(received.header, received.receipt)

    async def _take(self, sender: str | None, envelope: bytes, delivered: Delivered) -> str | None:
        """Ask the relay for a proof, verify and keep it; why there is none. Raises RelayUnreachable."""
        parts, receipt, directory = self._parts, delivered.receipt.receipt, self._parts.directory
        try:
            answer = await parts.relay.origin(sender or parts.member, envelope)
            if answer is None:
                return await self._missing(delivered, "no cosigned checkpoint of the relay's log covers it")
            origins = decode(ORIGINS, answer, _MAX_ANSWER)
        except RelayRefused as refusal:
            return await self._missing(delivered, f"{refusal.code}: {refusal.detail}")
        except DecodeError as why:
            return await self._missing(delivered, str(why))
        fault = await asyncio.to_thread(acceptance_fault, origins, delivered.header, receipt, directory)
        if fault is not None:
            return await self._missing(delivered, fault)
        proof = origins.proofs[0]
        stored = StoredOrigin(proof.leaf, proof.index, b"".join(proof.path), origins.checkpoints[0])
        await parts.stores.origins.save(sender, envelope, stored)
        return None

    async def _missing(self, delivered: Delivered, why: str) -> str:
        """Told when the time is over that the relay has set itself."""
        receipt = delivered.receipt.receipt
        if self._parts.clock.now() > receipt.log_by + HOUR:
            detail = f"the acceptance of envelope {receipt.envelope.hex()} is not proved by the relay's log: {why}"
            await self._alarms.tell_daily("not-logged", "not-logged", None, detail)
        return why

    # What goes along.

    async def carried(
        self, provisions: Sequence[SignedProvision], grants: Sequence[SignedGrant], now: int
    ) -> Origins | None:
        """The proofs without which some of these signatures would not hold any more; None when all hold."""
        needed = self._ended(provisions, grants, now)
        if not needed:
            return None
        found: dict[Digest, Origins] = {}
        for origins in await self._candidates(provisions):
            if len(found) == len(needed):
                break
            proved = await asyncio.to_thread(self._proved, origins)
            for digest, (member, signature) in needed.items():
                if digest not in found and self._stood(proved, digest, member, signature):
                    found[digest] = origins
        try:
            return joined(found.values())
        except DecodeError as fault:
            self._log.warning("origins.too-many", why=str(fault))
            return None

    async def proved(
        self, provisions: Sequence[SignedProvision], grants: Sequence[SignedGrant], now: int
    ) -> frozenset[Origin]:
        """What the proofs that would go along prove, for who judges before anything is sealed."""
        origins = await self.carried(provisions, grants, now)
        return frozenset() if origins is None else await asyncio.to_thread(self._proved, origins)

    def _ended(
        self, provisions: Iterable[SignedProvision], grants: Iterable[SignedGrant], now: int
    ) -> dict[Digest, tuple[MemberId, Signature]]:
        """The logged digests of what is signed by a key that is not valid now, with one such signature of each."""
        signed = [(logged_provision(item), signature) for item in provisions for signature in item.signatures]
        signed += [(logged_grant(item), item.signature) for item in grants]
        return {
            digest: (signature.signer, signature) for digest, signature in signed if not self._valid(signature, now)
        }

    def _valid(self, signature: Signature, now: int) -> bool:
        try:
            self._parts.directory.current.signing_key(signature.signer, signature.key_id, now)
        except Untrusted:
            return False
        return True

    async def _candidates(self, provisions: Iterable[SignedProvision]) -> list[Origins]:
        """Proofs that are kept of the envelopes that brought these Provisions, and those that came in them."""
        stores, found = self._parts.stores, []
        for signed in provisions:
            digest = provision_digest(signed.body)
            found += [stored_origins(stored) for stored in await stores.origins.of_provision(digest, _EARLIEST)]
            for received in await stores.views.received_of(digest, _EARLIEST):
                carried = read_delivery(received.header, received.receipt).header.core.origins
                found += [] if carried is None else [carried]
        return found

    def _proved(self, origins: Origins) -> frozenset[Origin]:
        return origins_of(origins, self._parts.directory.current, self._parts.directory.least_size)

    def _stood(self, proved: frozenset[Origin], digest: Digest, member: MemberId, signature: Signature) -> bool:
        return stood(proved, digest, self._parts.directory.current, member, signature.key_id)


def stored_origins(stored: StoredOrigin) -> Origins:
    """A proof as it is carried and shown."""
    path = tuple(Digest(stored.path[place : place + _HASH]) for place in range(0, len(stored.path), _HASH))
    return one_origin(stored.note, stored.leaf, stored.position, path)
