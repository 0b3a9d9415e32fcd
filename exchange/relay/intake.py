"""Taking in envelopes and acknowledgements: gather the facts, ask the core, have the engine store, wake who waits."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Final, Protocol, TypeVar

from exchange.clock import Clock
from exchange.consent.decision import Ledger, Use
from exchange.errors import ExchangeError, TooLarge, TooSlow
from exchange.logs import get_logger
from exchange.relay import core
from exchange.relay.admission import Upload, UploadBounds, UploadSlots
from exchange.relay.config import Limits
from exchange.relay.journal import Fault, Journal, attributable
from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.limits import SMALL_HEADER
from exchange.relay.metrics import Metrics
from exchange.relay.refusals import Refusals
from exchange.relay.registry import Sessions
from exchange.relay.tlog import SignCheckpoint
from exchange.storage.audit_port import AuditFact
from exchange.storage.port import (
    SMALL_BODY,
    Arrival,
    EnvelopeKey,
    Facts,
    GrantUse,
    Held,
    RelayStore,
    SignedAnswer,
    Staged,
    Verdict,
)
from keys.digests import header_digest
from keys.errors import KeyFault
from keys.verify import verify_acknowledgement, verify_header
from schemas.audit import AuditKind
from schemas.canon import decode, encode
from schemas.contexts import Context
from schemas.envelope import Core, Header, decode_header
from schemas.errors import DecodeError
from schemas.ids import KeyId
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import RECEIPT, SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT, Acknowledgement, SignedReceipt

T = TypeVar("T")
_FAULTS: Final = (ExchangeError, KeyFault, DecodeError)

log = get_logger("relay")


class Sign(Protocol):
    """The relay's signature; where its key is, is not the relay's to know."""

    def __call__(self, context: Context, *parts: bytes) -> bytes:
        """Ed25519 over the labelled parts; 64 bytes."""
        ...


@dataclass(frozen=True, slots=True)
class RelayIdentity:
    """Which relay of the charter this is, and how it signs: receipts and sessions, and checkpoints of its logs."""

    key_id: KeyId
    sign: Sign
    sign_checkpoint: SignCheckpoint


class Intake:
    """Accepts or refuses; every method returns after the change is durable."""

    def __init__(
        self,
        store: RelayStore,
        keeper: DirectoryKeeper,
        identity: RelayIdentity,
        clock: Clock,
        sessions: Sessions,
        metrics: Metrics,
        limits: Limits,
        journal: Journal,
    ) -> None:
        """All that it works with; it owns none of it."""
        self._store = store
        self._keeper = keeper
        self._identity = identity
        self._clock = clock
        self._sessions = sessions
        self._metrics = metrics
        self._limits = limits
        self._journal = journal
        self._refusals = Refusals(store, sessions, metrics)
        self._quotas = core.Quotas(limits.sender_bytes, limits.mailbox_bytes)
        self.slots = UploadSlots(
            UploadBounds(
                limits.max_uploads, limits.max_address_uploads, limits.max_member_uploads, limits.max_member_large
            )
        )

    async def submit(self, header_bytes: bytes, pieces: AsyncIterator[bytes], upload: Upload) -> bytes:
        """Take in one envelope; the signed receipt's bytes. `pieces` are read only when the header is acceptable.

        Raises DecodeError, KeyFault or ExchangeError, and then nothing of it is stored but, where consent is missing,
        the header for the providers.
        """
        started = perf_counter()
        try:
            header = await _beside(header_bytes, partial(decode_header, header_bytes))
        except DecodeError as fault:
            self._journal.unattributed(fault, upload.peer)
            raise
        try:
            receipt = await self._submit(_arrival(header_bytes, header), header, pieces, upload)
        except _FAULTS as fault:
            code = fault_code(fault)
            self._metrics.refused.labels(code).inc()
            if attributable(fault):
                await self._journal.refused(fault, header.core.sender, header.core.id, header_digest(header))
            else:
                self._journal.unattributed(fault, upload.peer)
            if isinstance(fault, core.NotConsented):
                await self._refusals.tell(header_bytes, header.core, fault)
            raise
        self._metrics.accept_seconds.observe(perf_counter() - started)
        return receipt

    async def _submit(self, arrival: Arrival, header: Header, pieces: AsyncIterator[bytes], upload: Upload) -> bytes:
        if arrival.body_size > self._limits.max_body:
            raise TooLarge("body-too-large", f"this relay accepts bodies of at most {self._limits.max_body} bytes")
        facts = await self._store.facts(arrival)
        if isinstance(facts, Held):
            # What was accepted once is neither judged again nor sent again: the sender only missed the receipt.
            if facts.header_digest != arrival.header_digest:
                verify_header(header, self._keeper.current, self._clock.now())
                core.check_same(arrival.header_digest, facts.header_digest)
            return self._repeated(facts.receipt)
        judge = partial(core.judge, header, self._keeper.witnessed(), _ledger(facts), self._clock.now())
        judged = await _beside(arrival.header, judge)
        core.check_quotas(header.core, arrival.size, facts.sent, facts.waiting, self._quotas)
        with upload.of(arrival.key.sender, arrival.body_size > SMALL_BODY):
            return await self._take(arrival, judged, pieces)

    async def _take(self, arrival: Arrival, judged: core.Judged, pieces: AsyncIterator[bytes]) -> bytes:
        staged = self._store.stage(arrival.body_size)
        try:
            await self._take_body(judged.header.core, pieces, staged)
            # Outside of the transaction, which this would hold up; the body may have taken long.
            now = self._clock.now()
            again = partial(core.rejudge, judged, self._keeper.witnessed(), judged.ledger, now, judged.time)
            return await self._accept(arrival, await _beside(arrival.header, again), staged)
        finally:
            await staged.discard()

    async def _take_body(self, envelope: Core, pieces: AsyncIterator[bytes], staged: Staged) -> None:
        check = core.BodyCheck(envelope)
        allowed = self._limits.body_timeout + envelope.body_size / self._limits.body_rate
        try:
            async with asyncio.timeout(allowed):
                async for piece in pieces:
                    check.update(piece)
                    await staged.write(piece)
        except TimeoutError:
            raise TooSlow("upload-too-slow", f"the body did not arrive within {allowed:.0f} s: try again") from None
        check.finish()

    async def _accept(self, arrival: Arrival, judged: core.Judged, staged: Staged) -> bytes:
        envelope = judged.header.core
        limited = {(provider, grant) for provider, grant, _ in arrival.grants}
        made: list[bytes] = []

        def judge(facts: Facts) -> Verdict:
            final = core.rejudge(judged, self._keeper.witnessed(), _ledger(facts), self._clock.now(), facts.time)
            core.check_quotas(envelope, arrival.size, facts.sent, facts.waiting, self._quotas)
            body = encode(RECEIPT, core.receipt_for(final, self._identity.key_id))
            receipt = SignedReceipt(body, self._identity.sign(Context.RECEIPT, body))
            made.append(encode(SIGNED_RECEIPT, receipt))
            # Nobody ever asks how often a Grant without a limit was used.
            uses = tuple(_stored_use(use) for use in final.decision.uses if (use.provider, use.grant) in limited)
            return Verdict(made[-1], final.time, uses, core.leaf_for(final, secrets.token_bytes(32)))

        held = await self._store.accept(arrival, staged, judge)
        core.check_same(arrival.header_digest, held.header_digest)
        if held.receipt not in made:
            return self._repeated(held.receipt)
        self._metrics.accepted.inc()
        self._metrics.body_bytes.inc(envelope.body_size)
        self._journal.grew()
        self._sessions.wake(held.recipients)
        return held.receipt

    def _repeated(self, receipt: bytes) -> bytes:
        self._metrics.repeated.inc()
        return receipt

    async def acknowledge(self, signed: Sequence[bytes]) -> list[Fault]:
        """Store the acknowledgements that hold, each judged alone; the faults of the others."""
        faults: list[Fault] = []
        verified: list[tuple[Acknowledgement, bytes]] = []
        for raw in signed:
            try:
                item = decode(SIGNED_ACKNOWLEDGEMENT, raw, MAX_SMALL_OBJECT)
                ack = verify_acknowledgement(item, self._keeper.current, self._clock.now())
                verified.append((ack, raw))
            except (DecodeError, KeyFault) as fault:
                faults.append(fault)
        held = await self._store.find([_key(ack) for ack, _ in verified])
        answers = []
        for (ack, raw), standing in zip(verified, held, strict=True):
            try:
                digest = None if standing is None else standing.header_digest
                core.check_acknowledgement(ack, digest, standing is not None and ack.recipient in standing.recipients)
                answers.append(SignedAnswer(_key(ack), ack.recipient, raw, self._fact(ack, raw)))
            except ExchangeError as fault:
                faults.append(fault)
        if answers:
            async with self._journal.handing_over() as handed:
                await self._store.acknowledge(answers, handed)
            self._answered(answers)
        for refused in faults:
            self._journal.unattributed(refused, None)
            log.warning("acknowledgement.refused", code=fault_code(refused))
        return faults

    def _fact(self, ack: Acknowledgement, raw: bytes) -> AuditFact:
        return AuditFact(
            AuditKind.ACKNOWLEDGED,
            self._clock.now(),
            member=ack.recipient,
            envelope=ack.envelope,
            header_digest=ack.header_digest,
            reason=ack.outcome.name,
            evidence=raw,
            directory_size=self._keeper.witnessed().size,
        )

    def _answered(self, answers: Iterable[SignedAnswer]) -> None:
        for answer in answers:
            self._metrics.acknowledged.inc()
            self._sessions.answered(answer.recipient, answer.key)
            self._sessions.wake([answer.key.sender])


def fault_code(fault: Fault) -> str:
    """The stable code of a declared fault, for logs and metrics."""
    if isinstance(fault, DecodeError):
        return fault.reason.value
    return fault.code if isinstance(fault, ExchangeError) else type(fault).__name__


def _key(ack: Acknowledgement) -> EnvelopeKey:
    return EnvelopeKey(ack.sender, ack.envelope)


async def _beside(header: bytes, work: Callable[[], T]) -> T:
    """Work on a header: at once when it is small, else in a thread, so that everybody else is served meanwhile."""
    return work() if len(header) <= SMALL_HEADER else await asyncio.to_thread(work)


def _arrival(header_bytes: bytes, header: Header) -> Arrival:
    envelope = header.core
    provisions = [signed.provision for signed in envelope.provisions]
    limited = [s.grant for s in envelope.grants if s.grant.uses is not None and s.grant.holder == envelope.sender]
    return Arrival(
        key=EnvelopeKey(envelope.sender, envelope.id),
        header_digest=header_digest(header),
        header=header_bytes,
        recipients=header.recipients,
        precedence=envelope.precedence,
        expires=envelope.expires,
        body_size=envelope.body_size,
        grants=tuple((g.provider, g.id, p.id) for g in limited for p in provisions if g.is_about(p)),
    )


def _ledger(facts: Facts) -> Ledger:
    uses = (Use(use.provider, use.grant, use.recipient, use.provision) for use in facts.uses)
    return Ledger(uses=frozenset(uses), others=facts.others)


def _stored_use(use: Use) -> GrantUse:
    return GrantUse(use.provider, use.grant, use.recipient, use.provision)
