"""Takes one delivered envelope: judge, open, validate, commit, and only then acknowledge.

What its sender did wrong is refused with one signed answer that gives no reason, kept as evidence, and raised as an
alarm. What the relay or this node's clock did is put off, and so is a fault of this node itself (a full disk): nothing
is acknowledged, and the relay delivers again (docs/decisions/0006).
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from exchange.node.alarms import Alarms
from exchange.node.arrival import Delivered, acknowledgement, evidence, message, place
from exchange.node.gossip import Gossip
from exchange.node.inbound import RECEIPT_DATE, RECEIPT_SIZE, Judged, PutOff, RefusedEnvelope, check_body, judge
from exchange.node.judging import Judge
from exchange.node.opening import Opened, open_envelope
from exchange.node.partners import Partners
from exchange.node.parts import Parts
from exchange.node.receipts import tell_out_of_date
from exchange.node.refusal_notices import RefusalNotices
from exchange.storage.head_port import KeptHead
from exchange.storage.node_values import Alarm, ReceivedEnvelope
from keys.digests import header_digest
from keys.errors import KeyFault
from keys.verify import verify_header
from schemas.canon import decode
from schemas.envelope import Core
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Outcome
from schemas.wrap import Wrap


@dataclass(frozen=True, slots=True)
class Admitted:
    """An envelope that may be opened: its header and receipt are in order, and it has a wrap for this node."""

    judged: Judged
    wrap: Wrap


@dataclass(frozen=True, slots=True)
class Body:
    """A ciphertext as it came, whole: its size, its SHA-256, and its bytes in pieces."""

    size: int
    digest: bytes
    pieces: Iterator[bytes]


class Receiver:
    """The inbox's door."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._judge = Judge(parts)
        self._gossip = Gossip(parts)
        self._partners = Partners(parts)
        self._notices = RefusalNotices(parts)

    async def known(self, delivered: Delivered) -> bytes | None:
        """The acknowledgement that this very envelope gets again; None for a new one.

        Raises RefusedEnvelope when its sender signed another header under the same id, PutOff when somebody else made
        one.
        """
        core = delivered.header.core
        before = await self._parts.stores.inbox.received(core.sender, core.id)
        if before is None:
            return None
        if before.header_digest == header_digest(delivered.header):
            return await self._again(delivered, before)
        try:
            verify_header(delivered.header, self._parts.directory.current, core.created)
        except KeyFault as fault:
            raise await self._put_off(core, PutOff("header-signature", str(fault))) from None
        detail = f"{core.sender} signed two headers under envelope {core.id.hex()}"
        await self._alarms.tell(f"equivocation:{core.sender}:{core.id.hex()}", "equivocation", core.sender, detail)
        raise RefusedEnvelope("equivocation", detail)

    async def _again(self, delivered: Delivered, before: ReceivedEnvelope) -> bytes:
        """The answer that it got before. It comes again because the relay has none.

        By then the key that signed the answer may have ended, and would be refused for ever: the one in use signs it.
        """
        identity, core = self._parts.keyring.signing, delivered.header.core
        given = decode(SIGNED_ACKNOWLEDGEMENT, before.acknowledgement, 2 * MAX_SMALL_OBJECT).acknowledgement
        if given.key_id == identity.key_id:
            return before.acknowledgement
        ack = acknowledgement(identity, delivered.header, given.outcome, self._parts.clock.now())
        await self._parts.stores.inbox.save_answer(core.sender, core.id, ack)
        return ack

    async def admit(self, delivered: Delivered) -> Admitted | bytes:
        """Judge header and receipt; gives the acknowledgement, which is committed, of one that is refused.

        Raises PutOff.
        """
        parts = self._parts
        now = parts.clock.now()
        if delivered.receipt.receipt.directory_size > parts.directory.current.size:
            await parts.directory.update(parts.relay, now)
        view = parts.directory.as_of(delivered.receipt.receipt.directory_size)
        facts = (delivered.header, delivered.receipt, view, parts.member, now, parts.directory.least_size)
        try:
            # A header may carry hundreds of signatures.
            return Admitted(*await asyncio.to_thread(judge, *facts))
        except PutOff as fault:
            if fault.code == RECEIPT_DATE:
                parts.clocks.passed(delivered.receipt.receipt.time)
            if fault.code == RECEIPT_SIZE:
                await tell_out_of_date(parts, delivered.receipt, fault.detail)
            raise await self._put_off(delivered.header.core, fault) from None
        except RefusedEnvelope as refusal:
            return await self._refuse(delivered, refusal, now)

    async def take(self, delivered: Delivered, admitted: Admitted, body: Body) -> bytes:
        """Accept or refuse an admitted envelope; gives the acknowledgement, which is committed. Raises PutOff."""
        core = admitted.judged.header.core
        now = self._parts.clock.now()
        try:
            check_body(core, body.size, body.digest)
            opened = await self._open(admitted, body.pieces)
        except PutOff as fault:
            raise await self._put_off(core, fault) from None
        except RefusedEnvelope as refusal:
            return await self._refuse(delivered, refusal, now)
        return await self._accept(delivered, admitted.judged, opened, now)

    async def _open(self, admitted: Admitted, pieces: Iterator[bytes]) -> Opened:
        """In a thread. One that nobody waits for any longer, because the session was cut, leaves no file."""
        work = asyncio.ensure_future(
            asyncio.to_thread(open_envelope, self._parts, admitted.judged, admitted.wrap, pieces)
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(self._discard)
            raise

    def _discard(self, work: asyncio.Future[Opened]) -> None:
        if not work.cancelled() and work.exception() is None:
            self._parts.files.remove_content(work.result().files)

    async def _accept(self, delivered: Delivered, judged: Judged, opened: Opened, now: int) -> bytes:
        parts = self._parts
        core = judged.header.core
        ack = acknowledgement(parts.keyring.signing, delivered.header, Outcome.DELIVERED, now)
        service = "head" if opened.head is not None else "resend" if opened.resend is not None else None
        outcome = service or "delivered"
        proof = evidence(delivered, ack, opened.content.signed, outcome, None, now)
        new_message = None
        try:
            await self._gossip.heard(core.sender, opened.checkpoint)
            await self._partners.heard(core.sender, opened.anchor)
            arrival, alarms = await place(parts, judged, opened, now)
            if opened.fact is not None:
                alarms = (*alarms, *await self._judge.received(opened.fact, now))
            if opened.head is not None:
                head, raw = opened.head, opened.content.raw
                kept = KeptHead(core.sender, core.id, core.sender, head.stream, head.last, raw)
                await parts.stores.heads.keep(kept)
            if service is None:
                new_message = message(parts.keyring.vault, judged, opened, now)
        except BaseException:
            parts.files.remove_content(opened.files)
            raise
        if opened.resend is not None:
            # Before it is answered: what was wanted once is wanted still after a crash, and twice is as good as once.
            await parts.stores.resends.want(core.sender, opened.resend.since, now)
            parts.wakes.to_seal.set()
        try:
            relay_time = judged.receipt.time
            new = await parts.stores.inbox.save_received(proof, new_message, arrival, alarms, relay_time=relay_time)
        except Exception:
            # Not when it is cancelled: the commit may stand, and an orphan is removed at the next start.
            parts.files.remove_content(opened.files)
            raise
        if not new:
            parts.files.remove_content(opened.files)
        if opened.consent is not None:
            parts.wakes.to_desk.set()
        parts.wakes.tell_news()
        return ack

    async def _refuse(self, delivered: Delivered, refusal: RefusedEnvelope, now: int) -> bytes:
        """Evidence, alarm, what providers are told, and an answer that does not say why."""
        core = delivered.header.core
        ack = acknowledgement(self._parts.keyring.signing, delivered.header, Outcome.REFUSED, now)
        alarm = Alarm(
            fact=f"refused:{core.sender}:{core.id.hex()}",
            kind=refusal.rule,
            member=core.sender,
            detail=f"envelope {core.id.hex()} of {core.sender} is refused: {refusal.detail}",
            time=now,
        )
        proof = evidence(delivered, ack, core.provisions[0], "refused", refusal.rule, now)
        told = await self._notices.messages(delivered, refusal.rule, now)
        relay_time = delivered.receipt.receipt.time
        await self._parts.stores.inbox.save_received(proof, None, None, (alarm,), told, relay_time=relay_time)
        if told:
            self._parts.wakes.to_seal.set()
        return ack

    async def _put_off(self, core: Core, fault: PutOff) -> PutOff:
        """Tell it once a day for each cause: who sends such may send them without end, under any name and id."""
        detail = f"envelope {core.id.hex()} in the name of {core.sender} is put off: {fault.detail}"
        await self._alarms.tell_daily(f"put-off:{fault.code}", fault.code, None, detail)
        return fault
