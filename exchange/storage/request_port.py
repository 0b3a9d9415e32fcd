"""What a node's store keeps of requests for consent, of their answers, and of Grants and their uses.

Contract as in `node_port`. What is said to other states is stored in the transaction that decides it: `outgoing` is a
queued message of the courier. What another state said has its effect in the transaction that takes it from
`consent_due` (`due`); when it was taken before, nothing changes.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import GrantUse, Idempotency, Message

# Boxes of requests, and of Grants.
IN: Final = "in"
OUT: Final = "out"
GIVEN: Final = "given"
HELD: Final = "held"
# States of requests; an answer has the first three.
OPEN: Final = "open"
GRANTED: Final = "granted"
REFUSED: Final = "refused"
EXPIRED: Final = "expired"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What one provider has answered; `official`: whose token (ministry/token id) or which rule, of this node's own."""

    provider: str
    state: str = OPEN
    grant: bytes | None = None
    sealed_reason: bytes | None = None
    time: int | None = None
    official: str | None = None


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request that was made (out) or received (in); times are Unix seconds.

    Attributes:
        member: who asks.
        provision: digest of the Provision that it is about.
        message: the message here that stands under it; None, and then no measure, when it is not here.
        sealed_request: the request's exact bytes, under the local key.
        answers: of each provider that is asked; of a received one, this node's own.
        told: whether people were reminded of it.
    """

    box: str
    id: bytes
    member: str
    provision: bytes
    message: bytes | None
    measure: str | None
    record_type: str | None
    sealed_request: bytes
    state: str
    created: int
    answer_by: int
    answers: tuple[StoredAnswer, ...]
    told: bool = False
    seq: int = 0


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A Grant that was given or is held. `provision`: the Provision's id, or None, and then `class_tag`.

    `used`: how many uses this node's transfers have made of it; given out, not taken in.
    """

    box: str
    provider: str
    id: bytes
    holder: str
    provision: bytes | None
    class_tag: bytes | None
    until: int
    uses: int | None
    signed: bytes
    request: bytes | None
    message: bytes | None
    measure: str | None
    record_type: str | None
    created: int
    official: str | None = None
    used: int = 0
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """This node's answer to a received request, with what it gives and the message that says so."""

    answer: StoredAnswer
    outgoing: Message
    event: ConsentEvent
    given: StoredGrant | None = None


class RequestStore(Protocol):
    """Requests, and what was answered."""

    async def add_request(
        self, request: StoredRequest, outgoing: Message, event: ConsentEvent, idempotency: Idempotency | None
    ) -> bytes:
        """A request of this node's own, with the message that makes it; gives its id, or that of the same one before.

        Raises Conflict for an idempotency key of something else.
        """
        ...

    async def save_request(self, due: bytes, request: StoredRequest, event: ConsentEvent, reply: Reply | None) -> bool:
        """A received request, and the answer of a rule.

        False when it was taken before, or one of this id is here: then it has no effect.
        """
        ...

    async def request(self, box: str, ident: bytes) -> StoredRequest | None:
        """One request with its answers."""
        ...

    async def requests(self, box: str, after: int, limit: int) -> tuple[StoredRequest, ...]:
        """Requests of a box after a sequence number."""
        ...

    async def waiting_from(self, member: str, since: int) -> tuple[int, int]:
        """How many received requests of a member are open, and how many came at `since` or later."""
        ...

    async def answer(self, request: bytes, reply: Reply, idempotency: Idempotency | None) -> bytes | None:
        """This node's answer to a received request that is open.

        Gives the id of the Grant, or else of the request, or what the same key made before; None when it is not open,
        and nothing changes. Raises Conflict for a key of something else.
        """
        ...

    async def save_refused(self, due: bytes, request: bytes, answer: StoredAnswer, event: ConsentEvent) -> bool:
        """A provider's refusal of a request of this node's.

        False when that provider has answered: then it is taken, and has no other effect.
        """
        ...

    async def due_requests(self, box: str, remind_by: int, now: int, limit: int) -> tuple[StoredRequest, ...]:
        """Open ones of a box that had to be answered before `now`, or by `remind_by` and people were not told yet."""
        ...

    async def timed(self, request: StoredRequest, state: str, event: ConsentEvent) -> None:
        """What time has brought about: an open request was told to people (OPEN), or has had no answer (EXPIRED)."""
        ...


class GrantStore(Protocol):
    """Grants, and the uses of those that are held."""

    async def give(
        self, grant: StoredGrant, outgoing: Message, event: ConsentEvent, idempotency: Idempotency | None
    ) -> bytes:
        """A Grant that nobody asked for; gives its id, or that of the same one before. Raises Conflict."""
        ...

    async def save_given(self, due: bytes, grant: StoredGrant, event: ConsentEvent) -> bool:
        """A Grant that was received; it answers its request, if it names one, unless that provider has answered.

        False when it was taken before, or is held: then nothing changes but that it is taken.
        """
        ...

    async def grant(self, box: str, provider: str, ident: bytes) -> StoredGrant | None:
        """One Grant."""
        ...

    async def grants(self, box: str, after: int, limit: int) -> tuple[StoredGrant, ...]:
        """Grants of a box after a sequence number."""
        ...

    async def about(
        self, box: str, provider: str, names: tuple[bytes, ...], now: int, limit: int
    ) -> tuple[StoredGrant, ...]:
        """Grants of a provider that end at `now` or later, for one of these ids or class tags, newest first."""
        ...

    async def unasked(self, provider: str, now: int) -> int:
        """How many held Grants of a provider that have not ended answer no request."""
        ...

    async def uses(self, grants: tuple[tuple[str, bytes], ...]) -> tuple[GrantUse, ...]:
        """The uses that were counted of these Grants (provider, id), each once."""
        ...

    async def under(self, name: bytes, limit: int) -> tuple[Message, ...]:
        """Received records, newest first, with these 16 bytes in a Provision: as its id, a class tag, or by chance."""
        ...
