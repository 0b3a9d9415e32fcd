"""What a node's store keeps of withdrawals of consent: its state's own, and others' of what it holds.

Contract as in `node_port`. What is said to other states is stored in the transaction that decides it; what another
state said has its effect in the transaction that takes it from `consent_due` (`due`), and none when it was taken.
Times are Unix seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Alarm, Message

Name = tuple[str, bytes]
"""A provider, and the id of a Provision or Grant of its own."""


@dataclass(frozen=True, slots=True)
class OwnWithdrawal:
    """A withdrawal by this state.

    Attributes:
        target: `schemas.endings.WithdrawalTarget`; `id` is of that.
        provision: digest of the Provision that is concerned; None for a Grant for a class.
        entry: the signed entry for the directory.
        position: its index in the cosigned directory, seen at `since`; None: pending.
        fault: why the last try to publish it failed.
    """

    id: bytes
    target: int
    provision: bytes | None
    measure: str
    record_type: str
    entry: bytes
    sealed_reason: bytes
    official: str
    created: int
    position: int | None = None
    since: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """The message that tells a member of a withdrawal."""

    member: str
    message: Message


@dataclass(frozen=True, slots=True)
class Told:
    """A member that was told of an own withdrawal."""

    member: str
    message: bytes
    time: int


@dataclass(frozen=True, slots=True)
class SeenWithdrawal:
    """A withdrawal by another state.

    Attributes:
        told: when its own message came, with the reason; None: only the directory says so.
        position: its index in the cosigned directory; None: it is announced and does not stand there yet.
        time: when it was known here first.
        alarmed: whether it concerns what is here, which people were told.
    """

    provider: str
    id: bytes
    target: int
    provision: bytes | None
    sealed_reason: bytes | None
    told: int | None
    position: int | None
    time: int
    alarmed: bool = False


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A holder's signed statement about a withdrawal; `time` and `conduct` are what it says itself."""

    provider: str
    id: bytes
    holder: str
    time: int
    conduct: int
    signed: bytes


@dataclass(frozen=True, slots=True)
class DestroyedMessage:
    """What is left of a message; the first fields are as in `Message`."""

    message: bytes
    box: str
    provision: bytes
    ministry: str | None
    measure: str
    record_type: str
    precedence: int
    created: int
    due: int
    expires: int
    signed_provisions: tuple[bytes, ...]
    signed_grants: tuple[bytes, ...]
    purpose: int
    path: tuple[str, ...]
    time: int
    official: str
    provider: str
    withdrawal: bytes


@dataclass(frozen=True, slots=True)
class Destruction:
    """Whose content is to be destroyed, and what else here has it or is about to use it.

    Attributes:
        provision: digest of the Provision.
        carriers: ids of the messages that carried it to be signed jointly.
        acts: ids of the open acts that concern it, each with why nothing comes of it, under the local key.
    """

    provision: bytes
    carriers: tuple[bytes, ...] = ()
    acts: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """A message and the Provisions and Grants that it stands under; `seq` is its place."""

    message: bytes
    seq: int
    names: tuple[Name, ...]


class WithdrawalStore(Protocol):
    """This state's own withdrawals."""

    async def add(self, withdrawal: OwnWithdrawal, notices: Sequence[Notice], event: ConsentEvent) -> bool:
        """Store it with what tells holders of it. False when there is one of this id: then nothing changes."""
        ...

    async def withdrawal(self, ident: bytes) -> OwnWithdrawal | None:
        """One of them."""
        ...

    async def withdrawals(self) -> tuple[OwnWithdrawal, ...]:
        """All, the oldest first."""
        ...

    async def pending(self) -> tuple[OwnWithdrawal, ...]:
        """Those that have not been seen in the cosigned directory, the oldest first."""
        ...

    async def renew(self, ident: bytes, entry: bytes) -> None:
        """Another entry for the same, before it is offered."""
        ...

    async def fail(self, ident: bytes, fault: str) -> None:
        """A try to publish it failed."""
        ...

    async def place(self, ident: bytes, position: int, now: int, event: ConsentEvent) -> None:
        """It stands in the cosigned directory at this index."""
        ...

    async def told(self, ident: bytes) -> tuple[Told, ...]:
        """Who was told, by code."""
        ...

    async def take_statement(
        self, due: bytes, statement: StoredStatement, notices: Sequence[Notice], event: ConsentEvent
    ) -> bool:
        """A holder's statement, as evidence, and what tells those of whom it is learnt that they hold it too."""
        ...

    async def unanswered(self, before: int) -> tuple[tuple[OwnWithdrawal, tuple[str, ...]], ...]:
        """Those in force since before a time, with who has stated nothing; without those of which people were told."""
        ...

    async def remind(self, ident: bytes, alarm: Alarm | None) -> None:
        """People are told once which statements are missing; None: none are."""
        ...


class HeldStore(Protocol):
    """What others have withdrawn of what is here."""

    async def unnamed(self, limit: int) -> tuple[Message, ...]:
        """Messages whose Provisions and Grants are not in the index yet, in the order of `seq`."""
        ...

    async def name(self, named: Sequence[Named]) -> None:
        """Index these messages; they and all before them are named."""
        ...

    async def standing_under(self, names: Sequence[Name]) -> dict[Name, tuple[bytes, ...]]:
        """The messages under each of these, destroyed ones included, and for a held Grant what it was given for."""
        ...

    async def save_told(
        self, due: bytes, seen: SeenWithdrawal, alarm: Alarm | None, message: bytes | None, event: ConsentEvent
    ) -> bool:
        """What a provider said. With an alarm when it concerns what is here, of which `message` is one."""
        ...

    async def save_seen(
        self, seen: SeenWithdrawal, alarm: Alarm | None, message: bytes | None, event: ConsentEvent
    ) -> None:
        """What the directory says. Of one that was told before, the index is new, and the alarm if there was none."""
        ...

    async def seen(self, provider: str, ident: bytes) -> SeenWithdrawal | None:
        """One of them."""
        ...

    async def all_seen(self) -> tuple[SeenWithdrawal, ...]:
        """All, the oldest first."""
        ...

    async def beside(self, own: str, names: Sequence[Name]) -> frozenset[Name]:
        """Those of these that are withdrawn and not yet seen in the cosigned directory; `own`: this state's code."""
        ...

    async def statements(self, provider: str, ident: bytes) -> tuple[StoredStatement, ...]:
        """All statements about one withdrawal, by holder and time."""
        ...

    async def accepted_under(self, body: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """Header and receipt of every envelope of this node that the relay accepted, whose header has these bytes."""
        ...


class DestroyStore(Protocol):
    """A holder's statement, and the end of its copy."""

    async def state(
        self,
        statement: StoredStatement,
        outgoing: Message,
        official: str,
        destroy: Destruction | None,
        event: ConsentEvent,
    ) -> tuple[str, ...] | None:
        """Keep a statement of this state's own and queue the message that brings it.

        With something to `destroy`, every message here that stands under it as its own is gone but for
        `DestroyedMessage`, its draft and what carried that have no content any more, and the acts have ended; gives the
        names of their files, which no row names any more. Nothing under it is stored or sealed again. None, and nothing
        changes, when the same was stated in the same second. Raises Conflict (on-its-way) while an envelope with the
        content is sealed and not settled: whether it was passed on is not known yet.
        """
        ...

    async def draft_carriers(self, after: int, limit: int) -> tuple[Message, ...]:
        """Messages that carry joint drafts and have content, in the order of `seq`, from above `after`."""
        ...

    async def under(self, provision: bytes) -> tuple[Message, ...]:
        """The messages here whose content a Provision (its digest) commits to: received, sent and passed on."""
        ...

    async def destroyed(self, message: bytes) -> DestroyedMessage | None:
        """What is left of one message."""
        ...

    async def destroyed_under(self, provision: bytes) -> tuple[DestroyedMessage, ...]:
        """The same of all under a Provision."""
        ...
