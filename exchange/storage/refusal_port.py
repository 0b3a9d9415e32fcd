"""What the relay keeps of transfers that it refused, until the providers have it: `RefusalStore`, part of its port.

Contract as in `port`: what changes something returns only after the change is durable.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.ids import Digest, MemberId


@dataclass(frozen=True, slots=True)
class RefusedHeader:
    """A header that was refused at `time` (Unix seconds), and which providers are to be told, each with its rule."""

    digest: Digest
    sender: MemberId
    header: bytes
    time: int
    providers: tuple[tuple[MemberId, str], ...]


@dataclass(frozen=True, slots=True)
class RefusalBounds:
    """What is kept at most of one sender for one provider: notices in a day, and bytes of headers that wait."""

    daily: int
    pair_bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Providers for whom a new notice waits, and how many got none because of a bound."""

    told: tuple[MemberId, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class PendingRefusal:
    """A notice that waits for a provider."""

    digest: Digest
    header: bytes
    rule: str
    time: int


class RefusalStore(Protocol):
    """Notices of refused transfers."""

    async def add_refusal(self, refused: RefusedHeader, bounds: RefusalBounds) -> Kept:
        """Keep the header and a notice for each provider, within the bounds; each notice is an entry of the audit log.

        Once for each provider and header: one that was kept before, seen or not, changes nothing and is not counted.
        """
        ...

    async def refusals(self, member: MemberId, skip: Collection[Digest], limit: int) -> tuple[PendingRefusal, ...]:
        """Notices to a provider, oldest first, without those in `skip`; headers of 2 MiB together, but at least one."""
        ...

    async def refusals_seen(self, member: MemberId, digests: Sequence[Digest]) -> None:
        """The provider has these; unknown ones change nothing. A header goes with the last provider's answer."""
        ...

    async def expire_refusals(self, before: int) -> int:
        """Forget notices of transfers that were refused before that time, and say how many waited still."""
        ...
