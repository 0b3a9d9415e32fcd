"""What a node asks of its store about acts that wait for other officials.

The contract is that of `node_port`. Whoever changes an act writes the consent log in the same transaction.
"""

from dataclasses import dataclass
from typing import Protocol

from exchange.consent.four_eyes import ActState, Approval, Held, Obstacle
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Idempotency


@dataclass(frozen=True, slots=True)
class Act:
    """An act that its author asked for. Times are Unix seconds.

    Attributes:
        kind: `send`, `forward`, or what other parts register.
        token, ministry, scopes, measures: the author's, as they were.
        sealed_request: under the local key; empty in listings, and once the act has ended.
        digest: of request and files, keyed: what officials approve.
        files: names of the sealed files that belong to it.
        result: what came of it, such as the id of a message; `sealed_fault`: why nothing did, under the local key.
    """

    id: bytes
    kind: str
    token: str
    ministry: str
    scopes: tuple[str, ...]
    measures: tuple[str, ...]
    measure: str
    record_type: str
    sealed_request: bytes
    digest: bytes
    needed: int
    state: ActState
    created: int
    expires: int
    files: tuple[str, ...] = ()
    result: bytes | None = None
    sealed_fault: bytes | None = None

    @property
    def held(self) -> Held:
        """What the rules look at."""
        return Held(self.token, self.digest, self.needed, self.state, self.expires)


@dataclass(frozen=True, slots=True)
class Change:
    """What an author puts in the place of a request: sealed, its digest, its files, what it is about, until when."""

    sealed_request: bytes
    digest: bytes
    files: tuple[str, ...]
    measure: str
    record_type: str
    needed: int
    expires: int


@dataclass(frozen=True, slots=True)
class ActBounds:
    """How many acts may be pending at once: in all, and of one token. Those of revoked tokens do not count."""

    pending: int
    of_token: int


class ActStore(Protocol):
    """From what an official asks for to what came of it."""

    async def add(self, act: Act, idempotency: Idempotency | None, most: ActBounds, event: ConsentEvent) -> bytes:
        """Store a pending act; gives its id, or that of what the same key and request stored before.

        Raises Conflict for a key of another request, TooMany when as many are pending as may be.
        """
        ...

    async def act(self, act: bytes) -> Act | None:
        """One act, with its request."""
        ...

    async def acts(self, states: tuple[ActState, ...], limit: int) -> tuple[Act, ...]:
        """Acts in these states, the newest first, without their requests."""
        ...

    async def approvals(self, act: bytes) -> tuple[Approval, ...]:
        """The approvals of an act by tokens that are in force, the oldest first."""
        ...

    async def approve(self, act: bytes, approval: Approval, event: ConsentEvent) -> Obstacle | None:
        """Take an approval, once for each token, by the rules of `four_eyes`; the last that is needed releases it."""
        ...

    async def change(self, act: bytes, token: str, change: Change, event: ConsentEvent) -> Obstacle | None:
        """Put another request in its place, by the rules of `four_eyes`; all approvals are gone.

        The files of the request before belong to nothing any more.
        """
        ...

    async def end(
        self, act: bytes, state: ActState, result: bytes | None, sealed_fault: bytes | None, event: ConsentEvent
    ) -> bool:
        """Move an act to a final state; False when it may not move there. Its request and files are given up."""
        ...
