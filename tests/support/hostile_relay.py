"""A relay that serves from memory and does what it is told: drop, reorder, replay, withhold, alter, collude.

It has the relay's real key, so its receipts and checkpoints verify. As long as a test does not say otherwise all
members cosign the directory that it serves, whatever is in it, and every acceptance is in its log. `line(member)` is
what a node talks to in place of the real client.

    relay = HostileRelay(world)
    async with node(folder, world, "MNG", relay) as mng:
        relay.accept(sealed)            # collude: sign a receipt for anything, judge nothing
        await mng.pull()
"""

from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field

import aiohttp

from exchange.clock import Clock, SetClock
from exchange.node.transport import RelayClient, RelayRefused, RelayUnreachable
from keys.digests import header_digest, sha256
from schemas.canon import decode, encode
from schemas.envelope import decode_header
from schemas.ids import Digest
from schemas.limits import MAX_DIRECTORY_SIZE
from schemas.origin import ORIGINS
from schemas.receipt import (
    SIGNED_ACKNOWLEDGEMENT,
    SIGNED_RECEIPT,
    Acknowledgement,
    SignedAcknowledgement,
    SignedReceipt,
)
from schemas.refused import RefusedTransfer
from schemas.relayapi import INLINE_BODY, Acks, Deliver, Mailbox, RefusalsSeen, Seen, SeenItem
from tests.support.anchors import HeldLogs
from tests.support.cosigners import cosigned, cosigned_note, signed_checkpoint
from tests.support.origins import AuditLog
from tests.support.world import Sealed, World

Answer = Callable[[Sealed], SignedReceipt]


@dataclass
class HostileRelay:
    """Everything that this relay holds; a test changes it at will.

    Attributes:
        entries: directory entries that it serves.
        views: per member, other entries than these.
        notes: per member, the checkpoint of the directory that it shows, by default a cosigned one of now; None: none.
        anchors: what it holds of members' logs.
        audit: its log of acceptances; what a test takes out of `logged` has no proof there.
        answered: by envelope and recipient, the proof that an answer is in its log.
        waiting: per member, what a pull gives, in this order; it stays there until a test takes it out.
        bodies: large ciphertexts by envelope id.
        notices: per member, acknowledgements that it passes on.
        posted: what honest nodes handed in, in order.
        acknowledged: what nodes answered.
        seen: which notices nodes say they have.
        refusals: per member, refused transfers that it tells of; they stay there until a test takes them out.
        refusals_seen: which of these nodes say they have dealt with.
        answer: how it answers an envelope; None: with a true receipt, and then it delivers it.
        down: it cannot be reached.
        refuse: the problem's code with which it refuses every envelope.
    """

    world: World
    entries: list[bytes] = field(default_factory=list)
    views: dict[str, list[bytes]] = field(default_factory=dict)
    notes: dict[str, bytes | None] = field(default_factory=dict)
    logged: dict[tuple[str, bytes], int] = field(default_factory=dict)
    answered: dict[tuple[bytes, str], bytes] = field(default_factory=dict)
    waiting: dict[str, list[Deliver]] = field(default_factory=dict)
    bodies: dict[bytes, bytes] = field(default_factory=dict)
    notices: dict[str, list[bytes]] = field(default_factory=dict)
    posted: list[Sealed] = field(default_factory=list)
    acknowledged: list[bytes] = field(default_factory=list)
    seen: list[SeenItem] = field(default_factory=list)
    refusals: dict[str, list[RefusedTransfer]] = field(default_factory=dict)
    refusals_seen: list[Digest] = field(default_factory=list)
    answer: Answer | None = None
    down: bool = False
    refuse: str | None = None

    def __post_init__(self) -> None:
        """It begins with the true directory."""
        self.entries = list(self.world.entries)
        self.audit = AuditLog(self.world)
        self.anchors = HeldLogs()

    def line(self, member: str, clock: Clock | None = None) -> "Line":
        """What the node of `member` talks to; cosignatures are of the time of its `clock`."""
        return Line(self, member, clock or SetClock(self.world.now))

    def shown(self, member: str) -> list[bytes]:
        """The entries that a member is shown."""
        return self.views.get(member, self.entries)

    def accept(self, sealed: Sealed, to: tuple[str, ...] | None = None, **receipt: object) -> Deliver:
        """Sign a receipt without judging the envelope, and put it into mailboxes; `receipt` replaces its fields."""
        return self.put(sealed, self.world.receipt(sealed, None, **receipt), to)

    def put(self, sealed: Sealed, receipt: SignedReceipt, to: tuple[str, ...] | None = None) -> Deliver:
        """Put an envelope with any receipt into mailboxes, by default those of its recipients."""
        inline = sealed.body if len(sealed.body) <= INLINE_BODY else None
        if inline is None:
            self.bodies[sealed.header.core.id] = sealed.body
        frame = Deliver(sealed.header_bytes, encode(SIGNED_RECEIPT, receipt), inline)
        self.log(sealed, receipt)
        for member in to if to is not None else sealed.header.recipients:
            self.waiting.setdefault(member, []).append(frame)
        return frame

    def log(self, sealed: Sealed, receipt: SignedReceipt) -> None:
        """Append the acceptance that a receipt states, unless it could be no leaf."""
        core, stated = sealed.header.core, receipt.receipt
        if (core.sender, core.id) not in self.logged and 1 <= stated.directory_size <= MAX_DIRECTORY_SIZE:
            # Of its own, so that what the world makes is the same with a log and without.
            salt = sha256(core.sender.encode() + core.id)
            index = self.audit.accept(sealed, time=stated.time, directory_size=stated.directory_size, salt=salt)
            self.logged[core.sender, core.id] = index

    def answers(self) -> list[Acknowledgement]:
        """What nodes answered, decoded."""
        return [decode(SIGNED_ACKNOWLEDGEMENT, raw, 2048).acknowledgement for raw in self.acknowledged]

    def notify(self, member: str, ack: SignedAcknowledgement) -> None:
        """Pass an acknowledgement on to a sender."""
        self.notices.setdefault(member, []).append(encode(SIGNED_ACKNOWLEDGEMENT, ack))

    def pass_on_answers(self) -> None:
        """Pass every answer on to the sender that it names, as an honest relay does."""
        for raw, ack in zip(self.acknowledged, self.answers(), strict=True):
            self.notices.setdefault(ack.sender, []).append(raw)


class Line(RelayClient):
    """The relay's HTTP API as one node calls it, without a network."""

    def __init__(self, relay: HostileRelay, member: str, clock: Clock) -> None:
        self.relay = relay
        self.member = member
        self.clock = clock

    async def close(self) -> None:
        """Nothing is open."""

    async def post_envelope(self, header: bytes, body: Iterator[bytes]) -> SignedReceipt:
        """Take what an honest node sends."""
        relay = self._reached()
        sealed = Sealed(header, b"".join(body), b"", b"", b"", {})
        relay.posted.append(sealed)
        if relay.refuse is not None:
            raise RelayRefused(relay.refuse, "this relay does not like it")
        if relay.answer is not None:
            return relay.answer(sealed)
        # Its clock goes with the sender's.
        time = max(relay.world.now, sealed.header.core.created)
        receipt = relay.world.receipt(sealed, time=time, directory_size=len(relay.entries))
        relay.put(sealed, receipt)
        return receipt

    async def directory(self, start: int) -> tuple[bytes, ...]:
        """Entries from an index."""
        return tuple(self._reached().shown(self.member)[start:])

    async def checkpoint(self, log: str) -> bytes | None:
        """That of what is served, cosigned by all just now."""
        relay, now = self._reached(), max(self.relay.world.now, self.clock.now())
        if log == "audit":
            leaves = relay.audit.leaves
            return (
                cosigned(relay.world, signed_checkpoint(relay.world, log, leaves), time=now).encode()
                if leaves
                else None
            )
        if self.member in relay.notes:
            return relay.notes[self.member]
        return cosigned_note(relay.world, relay.shown(self.member), now)

    async def origin(self, sender: str, envelope: bytes, recipient: str | None = None) -> bytes | None:
        """The proof of an acceptance, or of an answer, when a test has put one there."""
        relay = self._reached()
        if recipient is not None:
            return relay.answered.get((envelope, recipient))
        index = relay.logged.get((sender, envelope))
        return None if index is None else encode(ORIGINS, relay.audit.proof(index))

    async def publish(self, entry: bytes) -> None:
        """Append without looking."""
        self._reached().shown(self.member).append(entry)

    async def mailbox(self) -> Mailbox:
        """All that waits."""
        relay = self._reached()
        told = tuple(relay.refusals.get(self.member, ()))
        return Mailbox(
            tuple(relay.waiting.get(self.member, ())), tuple(relay.notices.get(self.member, ())), told or None
        )

    async def acknowledge(self, acks: Acks) -> None:
        """Keep the answers; the mailbox stays as it is, as in a relay that replays."""
        self._reached().acknowledged.extend(acks.acknowledgements)

    async def seen(self, seen: Seen) -> None:
        """Keep what was seen."""
        self._reached().seen.extend(seen.items)

    async def refusals_seen(self, seen: RefusalsSeen) -> None:
        """Keep what was dealt with."""
        self._reached().refusals_seen.extend(seen.digests)

    async def body(self, sender: str, envelope: bytes) -> AsyncGenerator[bytes, None]:
        """A large ciphertext in uneven pieces."""
        body = self._reached().bodies[envelope]
        for start in range(0, len(body), 50_001):
            yield body[start : start + 50_001]

    async def anchor(self, anchor: bytes) -> bytes:
        """As an honest relay does."""
        return self._reached().anchors.take(self.member, anchor)

    async def anchored(self, path: str, most: int) -> bytes:
        """What it holds of members' logs."""
        return self._reached().anchors.read(path)

    async def session(self) -> tuple[aiohttp.ClientWebSocketResponse, Digest | None]:
        """There is none: nodes pull."""
        raise RelayUnreachable("relay-unreachable", "this relay has no sessions")

    def _reached(self) -> HostileRelay:
        if self.relay.down:
            raise RelayUnreachable("relay-unreachable", "the relay does not answer")
        return self.relay


def posted_digest(sealed: Sealed) -> Digest:
    """Digest of the header that an honest node sent."""
    return header_digest(decode_header(sealed.header_bytes))
