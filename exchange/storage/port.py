"""What the relay asks of a storage engine: small protocols, and the values that cross them (logs: `log_port`).

An engine holds bytes and counts; it knows no rule. A rule that has to see the stored state of the same transaction is
handed in as a `Judge`. Every method that changes something returns only after the change is durable.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exchange.storage.anchor_port import AnchorStore
from exchange.storage.audit_port import AuditFact
from exchange.storage.log_port import LogHoldings, LogStore
from exchange.storage.refusal_port import RefusalStore
from schemas.ids import Digest, EnvelopeId, GrantId, MemberId, ProvisionId
from schemas.relayapi import SeenItem

# A body up to this size lives beside its header and travels inside a frame; a larger one is streamed.
SMALL_BODY: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class EnvelopeKey:
    """What names an envelope: ids are unique for each sender only."""

    sender: MemberId
    id: EnvelopeId


GrantSubject = tuple[MemberId, GrantId, ProvisionId]
"""A Grant, which its provider and id name together, and a Provision that it is about."""


@dataclass(frozen=True, slots=True)
class GrantUse:
    """One counted use of a Grant, which its provider and id name together."""

    provider: MemberId
    grant: GrantId
    recipient: MemberId
    provision: ProvisionId


@dataclass(frozen=True, slots=True)
class Arrival:
    """An envelope whose header and body have been checked. A lower `precedence` goes first; `expires` in Unix seconds.

    `grants` are the Grants with a limit of uses, each with every Provision here that it is about.
    """

    key: EnvelopeKey
    header_digest: Digest
    header: bytes
    recipients: tuple[MemberId, ...]
    precedence: int
    expires: int
    body_size: int
    grants: tuple[GrantSubject, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes up: header and body."""
        return len(self.header) + self.body_size


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store knows that a judge has to know.

    Attributes:
        time: of the acceptance before; 0 when there was none.
        uses: of the arrival's Grants for the Provisions that stand beside them.
        others: how many more uses each of these Grants has (only where there are any).
        sent: bytes held of this sender.
        waiting: bytes that wait for each recipient.
    """

    time: int
    uses: frozenset[GrantUse]
    others: frozenset[tuple[MemberId, GrantId, int]]
    sent: int
    waiting: tuple[tuple[MemberId, int], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An acceptance: the signed receipt's bytes, its time (not less than `Facts.time`), the uses to count, its leaf.

    `leaf` is appended to the audit log in the same transaction.
    """

    receipt: bytes
    time: int
    uses: tuple[GrantUse, ...]
    leaf: bytes


Judge = Callable[[Facts], Verdict]
"""Pure but for signing; may be called more than once, on any thread. Raises ExchangeError or KeyFault to refuse."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stands under an envelope's key. It never changes once accepted."""

    header_digest: Digest
    receipt: bytes
    recipients: frozenset[MemberId]


@dataclass(frozen=True, slots=True)
class Waiting:
    """One envelope in a mailbox. `place` names it in this engine; `body` is None when it is large: to be streamed."""

    place: int
    key: EnvelopeKey
    header: bytes
    receipt: bytes
    precedence: int
    expires: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Lane:
    """How many envelopes are wanted of one precedence whose bodies are large, or of those whose are not."""

    precedence: int
    large: bool
    room: int


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """A recipient's acknowledgement of one envelope, as the signed bytes; `fact` states it in the audit log."""

    key: EnvelopeKey
    recipient: MemberId
    signed: bytes
    fact: AuditFact


@dataclass(frozen=True, slots=True)
class Handed:
    """The envelope in this place was sent to `member` at `time` (Unix seconds)."""

    member: MemberId
    place: int
    time: int


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """An acknowledgement by `recipient` that the envelope's sender does not have on file yet; `place` as in Waiting."""

    place: int
    envelope: EnvelopeId
    recipient: MemberId
    signed: bytes


@dataclass(frozen=True, slots=True)
class Depth:
    """How many envelopes wait for a member, and when the oldest was accepted (Unix seconds)."""

    member: MemberId
    waiting: int
    oldest: int


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the store holds: envelopes ever accepted, ciphertexts held now, directory entries, logs, full mailboxes."""

    accepted: int
    held: int
    directory_size: int
    logs: tuple[LogHoldings, ...]
    mailboxes: tuple[Depth, ...]


class Staged(Protocol):
    """A body on its way in, seen by nobody until `EnvelopeStore.accept` takes it."""

    async def write(self, piece: bytes) -> None:
        """Append a piece. Raises StoreFault when the disk refuses."""
        ...

    async def discard(self) -> None:
        """Remove every trace of it, unless it was accepted. May be called at any time, also twice."""
        ...


class DirectoryStore(Protocol):
    """The directory's entries, in order, append only."""

    async def entries(self, start: int, max_bytes: int) -> tuple[bytes, ...]:
        """Entries from index `start`, as many as fit into `max_bytes`, but at least one when there is one."""
        ...

    async def append(self, entry: bytes, size: int, facts: Sequence[AuditFact] = ()) -> None:
        """Add an entry to a directory of `size` entries, and what states it to the audit log.

        Raises Unavailable (directory-moved) when the directory has another size, and then adds nothing.
        """
        ...


class EnvelopeStore(Protocol):
    """Envelopes from upload to the last acknowledgement."""

    def stage(self, size: int) -> Staged:
        """Begin to take in a body of `size` bytes."""
        ...

    async def find(self, keys: Sequence[EnvelopeKey]) -> list[Held | None]:
        """What stands under each key."""
        ...

    async def facts(self, arrival: Arrival) -> Held | Facts:
        """What stands under the arrival's key; else what its judge would be told now."""
        ...

    async def accept(self, arrival: Arrival, body: Staged, judge: Judge) -> Held:
        """In one transaction: give what stands under the key already; or ask `judge`, and store all of it or nothing.

        The caller compares the digest of what stands with its own. Raises what `judge` raises.
        """
        ...

    async def acknowledge(self, answers: Sequence[SignedAnswer], handed: Sequence[Handed] = ()) -> None:
        """First do as `MailboxStore.pushed` does, then store answers by recipients of known envelopes.

        The first answer to one stands, later ones change nothing. Each becomes a notice to the sender, and its fact an
        entry of the audit log. The ciphertext goes with the last recipient's answer, which is an entry too.
        """
        ...

    async def expire(self, now: int) -> int:
        """Delete ciphertexts whose time is over, take them out of the mailboxes, and say how many they were.

        Both are entries of the audit log: for each recipient that had not answered, and for each ciphertext.
        """
        ...

    async def holdings(self) -> Holdings:
        """Counts, for those who look after the relay."""
        ...


class MailboxStore(Protocol):
    """What waits for one member."""

    async def waiting(
        self, member: MemberId, now: int, lanes: Sequence[Lane], skip: Collection[int], max_bytes: int
    ) -> tuple[Waiting, ...]:
        """The next envelopes of these lanes, by precedence, then by order of acceptance; none of those in `skip`.

        It ends before `max_bytes` of headers and bodies are exceeded, but holds at least one when there is one.
        """
        ...

    async def pushed(self, handed: Sequence[Handed]) -> int:
        """Envelopes were handed over; for how many it is the first time: these are entries of the audit log."""
        ...

    async def body(self, member: MemberId, key: EnvelopeKey) -> AsyncIterator[bytes] | None:
        """The body of an envelope that waits for `member`, in pieces; None when none does."""
        ...

    async def notices(self, member: MemberId, skip: Collection[int], limit: int) -> tuple[PendingNotice, ...]:
        """Notices to a sender, oldest first, without the places in `skip`."""
        ...

    async def seen(self, member: MemberId, items: Sequence[SeenItem]) -> None:
        """The sender has these on file; items that are unknown or not the member's change nothing."""
        ...


class RelayStore(DirectoryStore, LogStore, EnvelopeStore, MailboxStore, RefusalStore, AnchorStore, Protocol):
    """All of it, as one engine provides it."""

    async def close(self) -> None:
        """Finish what was begun, then close."""
        ...
