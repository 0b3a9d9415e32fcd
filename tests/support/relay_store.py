"""A relay's store on any engine, and small things to put into it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from exchange.storage.audit_port import AuditFact
from exchange.storage.port import Arrival, EnvelopeKey, Facts, GrantUse, Held, Lane, RelayStore, SignedAnswer, Verdict
from exchange.storage.relay_sqlite import SqliteRelayStore
from schemas.audit import AuditKind
from schemas.ids import Digest, EnvelopeId, MemberId

KAZ, MNG, UZB = MemberId("KAZ"), MemberId("MNG"), MemberId("UZB")
NOW = 1_800_000_000
Open = Callable[[Path], RelayStore]
ENGINES: dict[str, Open] = {"sqlite": SqliteRelayStore.open}


@dataclass
class Bench:
    """A store in a folder that can be closed and opened again."""

    opener: Open
    folder: Path
    store: RelayStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.opener(self.folder)

    async def reopen(self) -> None:
        await self.store.close()
        self.store = self.opener(self.folder)


@asynccontextmanager
async def opened(engine: str, folder: Path) -> AsyncIterator[Bench]:
    """A store of this engine."""
    made = Bench(ENGINES[engine], folder)
    try:
        yield made
    finally:
        await made.store.close()


def lanes(room: int) -> tuple[Lane, ...]:
    """So many of each kind."""
    return tuple(Lane(precedence, large, room) for precedence in range(4) for large in (False, True))


def arrival(number: int, to: tuple[MemberId, ...] = (MNG,), precedence: int = 3, size: int = 4) -> Arrival:
    """An envelope with an id of its own; its header says its number."""
    return Arrival(
        key=EnvelopeKey(KAZ, EnvelopeId(number.to_bytes(16, "big"))),
        header_digest=Digest(number.to_bytes(32, "big")),
        header=b"header %d" % number,
        recipients=to,
        precedence=precedence,
        expires=NOW + 100,
        body_size=size,
        grants=(),
    )


def judge_at(
    time: int = NOW, uses: tuple[GrantUse, ...] = (), receipt: bytes = b"receipt", leaf: bytes = b"leaf"
) -> Callable[[Facts], Verdict]:
    return lambda facts: Verdict(receipt, max(time, facts.time), uses, leaf)


async def accept(
    bench: Bench, what: Arrival, body: bytes = b"body", receipt: bytes = b"receipt", leaf: bytes = b"leaf"
) -> Held:
    staged = bench.store.stage(len(body))
    await staged.write(body)
    return await bench.store.accept(replace(what, body_size=len(body)), staged, judge_at(receipt=receipt, leaf=leaf))


async def waiting(bench: Bench, member: MemberId = MNG, skip: tuple[int, ...] = (), room: int = 10) -> list[bytes]:
    return [item.header for item in await bench.store.waiting(member, NOW, lanes(room), skip, 10**6)]


async def body_of(bench: Bench, what: Arrival, member: MemberId = MNG) -> bytes | None:
    pieces = await bench.store.body(member, what.key)
    return None if pieces is None else b"".join([piece async for piece in pieces])


def answer(what: Arrival, member: MemberId = MNG, signed: bytes = b"ack") -> SignedAnswer:
    fact = AuditFact(
        AuditKind.ACKNOWLEDGED,
        NOW,
        member=member,
        envelope=what.key.id,
        header_digest=what.header_digest,
        evidence=signed,
        directory_size=7,
    )
    return SignedAnswer(what.key, member, signed, fact)
