"""What a node asks of its store: one Protocol per concern.

Contract of every method that changes something: it returns only after the change is durable, all of it or nothing of
it, and calling it again with the same values changes nothing. States only move forward (`exchange.delivery.state`).
The store holds ciphertext and never the node's local key.
"""

from collections.abc import Mapping
from typing import Protocol

from exchange.storage.node_values import (
    Alarm,
    Arrival,
    Event,
    HeldRecord,
    Idempotency,
    IndexRow,
    LateStream,
    Message,
    OutboxEnvelope,
    Place,
    ReceivedEnvelope,
    RecipientRow,
    RecordRow,
    SettledStream,
    StreamOut,
    Token,
)


class OutboxStore(Protocol):
    """From a ministry's request to the last acknowledgement."""

    async def add_message(self, message: Message, idempotency: Idempotency | None) -> bytes:
        """Store a message; gives its id, or the earlier one's for the same key and request. Raises Conflict."""
        ...

    async def stored_for(self, idempotency: Idempotency) -> bytes | None:
        """The message that this key and request stored before. Raises Conflict for a key of another request."""
        ...

    async def queued(self, now: int, limit: int) -> tuple[Message, ...]:
        """Messages whose time for sealing has come and not passed, and that wait for nothing; most urgent first."""
        ...

    async def waiting(self, now: int, after: int, limit: int) -> tuple[Message, ...]:
        """The same that wait for something (`set_waits`), in the order of `seq`, from the one after `after`."""
        ...

    async def set_waits(self, message: bytes, why: str | None) -> None:
        """Say why a queued message is not sealed."""
        ...

    async def streams_out(self, kind: int) -> Mapping[str, StreamOut]:
        """The streams of one kind, by recipient."""
        ...

    async def save_sealed(self, envelope: OutboxEnvelope, places: tuple[Place, ...]) -> None:
        """Store a sealed envelope with its numbers; its message becomes sealed. Raises Conflict for a used number."""
        ...

    async def to_send(self, now: int, limit: int) -> tuple[OutboxEnvelope, ...]:
        """Envelopes that the relay has not accepted and whose next try is due, most urgent first."""
        ...

    async def to_expire(self, now: int, limit: int) -> tuple[bytes, ...]:
        """Ids of envelopes that the relay has not accepted and that have expired."""
        ...

    async def save_accepted(self, envelope: bytes, receipt: bytes, now: int, relay_time: int | None = None) -> None:
        """The relay's verified receipt is on file; numbers are settled. `relay_time`: what it states."""
        ...

    async def try_now(self) -> None:
        """Every envelope that waits for its next try is due."""
        ...

    async def save_failed(self, envelope: bytes, fault: str, next_try: int) -> None:
        """A try failed, and is counted; the next one is not before `next_try`."""
        ...

    async def save_final(self, envelope: bytes, state: str, reason: int, fault: str, now: int) -> None:
        """It will never be accepted: refused or expired; its numbers become void for `reason`."""
        ...

    async def save_superseded(self, envelope: bytes, fault: str, now: int) -> None:
        """It can never be accepted as it is, and what it carries is to be sealed anew; its numbers become void.

        Its message is queued again and given out with what it `replaces`; what is no message is due again.
        """
        ...


class EvidenceStore(Protocol):
    """What comes back about sent envelopes, and what streams owe their receivers."""

    async def envelope(self, envelope: bytes) -> OutboxEnvelope | None:
        """A sealed envelope, with its receipt when there is one."""
        ...

    async def save_acknowledgement(self, envelope: bytes, member: str, state: str, ack: bytes, now: int) -> None:
        """A recipient's first verified acknowledgement is on file, and its state moves."""
        ...

    async def expire(self, now: int) -> None:
        """Accepted or queued messages past their expiry move to expired."""
        ...

    async def settled(self, stream: bytes) -> SettledStream:
        """How far a stream may be announced by a head."""
        ...

    async def heads_due(self, now: int) -> tuple[StreamOut, ...]:
        """Streams of messages whose head is due, those that a restore ended among them."""
        ...

    async def move_head_due(self, stream: bytes, was: int | None, due: int) -> None:
        """The next head of a stream is due at `due`, unless what is due has changed since it `was` read."""
        ...

    async def undelivered(self, accepted_before: int) -> tuple[tuple[bytes, str], ...]:
        """Messages and recipients accepted before that time and not acknowledged yet."""
        ...


class InboxStore(Protocol):
    """What this node receives."""

    async def received(self, sender: str, envelope: bytes) -> ReceivedEnvelope | None:
        """The evidence of an envelope, when it reached this node before."""
        ...

    async def save_received(
        self,
        evidence: ReceivedEnvelope,
        message: Message | None,
        arrival: Arrival | None,
        alarms: tuple[Alarm, ...],
        told: tuple[Message, ...] = (),
        relay_time: int | None = None,
    ) -> bool:
        """Store evidence, place in its stream, alarms, and the message unless its Provision was delivered before.

        `told`: messages that this node sends because of it; queued with it. `relay_time`: what the receipt states.

        True when the message is new. Of a message that is here already, a copy that came from a provider itself puts
        right what another's copy said of it.
        """
        ...

    async def save_answer(self, sender: str, envelope: bytes, acknowledgement: bytes) -> None:
        """The answer to an envelope that is here, under another key of this node than the one before."""
        ...

    async def digest_at(self, sender: str, stream: bytes, number: int) -> bytes | None:
        """Digest of the header that had this number, when it is known."""
        ...

    async def number_of(self, sender: str, digest: bytes) -> tuple[int, int] | None:
        """The number that a header of the sender had, and the highest one known of that stream; None: not known."""
        ...

    async def late_streams(self, before: int, limit: int) -> tuple[LateStream, ...]:
        """Streams to this node in which something has been missing since `before` or longer and was not told."""
        ...

    async def save_told(self, told: tuple[tuple[LateStream, int], ...], alarms: tuple[Alarm, ...]) -> None:
        """What is missing in these streams up to these numbers is told by the alarms, or has come."""
        ...

    async def add_alarm(self, alarm: Alarm, relay_time: int | None = None) -> bool:
        """Store an alarm; True when the fact is new."""
        ...

    async def latest_alarms(self, limit: int) -> tuple[Alarm, ...]:
        """The newest alarms, newest first."""
        ...


class ViewStore(Protocol):
    """What ministries see."""

    async def message(self, message: bytes) -> Message | None:
        """One message, with its recipients and attachments."""
        ...

    async def messages(
        self, box: str, after: int, limit: int, measures: tuple[str, ...], ministry: str | None
    ) -> tuple[Message, ...]:
        """Messages of a box after a cursor, of these measures; of one ministry, when given."""
        ...

    async def recipients(self, message: bytes) -> tuple[RecipientRow, ...]:
        """The recipients of a sent message."""
        ...

    async def envelopes_of(self, message: bytes) -> tuple[OutboxEnvelope, ...]:
        """The sealed envelopes of a sent message."""
        ...

    async def received_of(self, provision: bytes, most: int = -1) -> tuple[ReceivedEnvelope, ...]:
        """The envelopes that brought a Provision: the first is the message, the others are paths; all, or so many."""
        ...

    async def events(self, after: int, limit: int) -> tuple[Event, ...]:
        """Events after a sequence number."""
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many messages are in each state, `box.state`, and `alarms`."""
        ...

    async def files(self) -> tuple[frozenset[str], frozenset[bytes]]:
        """Names of content files and ids of spooled envelopes that are in use; any other file is an orphan."""
        ...


class RecordStore(Protocol):
    """Which message holds which record, and which records name each other: by ids alone.

    A message that was sent and will never be accepted by the relay holds none.
    """

    async def around(self, record_ids: tuple[str, ...], limit: int) -> tuple[RecordRow, ...] | None:
        """The records with these ids, all that those name, and all that name any of them; each as far as it goes.

        In the order of `seq`. None beyond `limit` ids or messages.
        """
        ...

    async def about(
        self, measures: tuple[str, ...] | None, record_type: str | None, limit: int
    ) -> tuple[RecordRow, ...] | None:
        """The records of these measures (None: of all) and of one type, if given, in the order of `seq`.

        None beyond `limit` messages.
        """
        ...

    async def held(self, messages: tuple[bytes, ...]) -> tuple[HeldRecord, ...]:
        """Messages with their evidence, in the order asked for; those that are not here are left out."""
        ...

    async def due(self, after: bytes, limit: int) -> tuple[bytes, ...]:
        """Messages whose record is not known here yet, ascending, from the one after `after`."""
        ...

    async def index(self, rows: tuple[IndexRow, ...]) -> None:
        """What these messages hold; they are due no longer. A message that is known already is left as it is."""
        ...


class AccessStore(Protocol):
    """Tokens and the directory."""

    async def add_token(self, token: Token) -> None:
        """Store a token."""
        ...

    async def token(self, token_id: str) -> Token | None:
        """One token."""
        ...

    async def tokens(self) -> tuple[Token, ...]:
        """All tokens."""
        ...

    async def revoke_token(self, token_id: str, now: int) -> bool:
        """Revoke a token; False when there is none."""
        ...

    async def directory(self) -> tuple[bytes, ...]:
        """All directory entries, in order."""
        ...

    async def append_directory(self, position: int, entries: tuple[bytes, ...]) -> None:
        """Append verified entries at `position`."""
        ...
