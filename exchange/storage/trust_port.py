"""What a node asks of its store about the logs, whom it trusts with what, and proofs; the contract is `node_port`'s.

Times are Unix seconds, notes are signed notes as they came.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from exchange.storage.node_values import Alarm


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A cosigned checkpoint of the directory.

    Attributes:
        first: by when a quorum had cosigned it, as `first_note` says, or `note` when that is None.
        latest: when a quorum last had it for the newest, as `note` says.
        note: None when it is too old to be kept.
    """

    size: int
    root: bytes
    first: int
    latest: int
    note: bytes | None
    first_note: bytes | None = None


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The newest checkpoint of a log that this node has cosigned at `time`, with the signatures of the log."""

    size: int
    root: bytes
    note: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A checkpoint that another member had, larger than any that the relay has shown here; it came at `time`."""

    member: str
    size: int
    root: bytes
    note: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A member to whom nothing is sent, since when, and for which alarm."""

    member: str
    since: int
    kind: str
    detail: str


class TrustStore(Protocol):
    """Cosigned checkpoints, what this node cosigned and heard, whom it sends nothing."""

    async def checkpoints(self) -> tuple[KeptCheckpoint, ...]:
        """All that are kept, the smallest first."""
        ...

    async def adopt(
        self,
        position: int,
        entries: Sequence[bytes],
        checkpoint: KeptCheckpoint,
        alarms: tuple[Alarm, ...],
        lasting: Collection[int] = (),
    ) -> None:
        """Append verified entries of the directory at `position`, with the checkpoint under which they stand.

        Of a size that is kept already, only the later note is new. Notes older than `latest` by MAX_LIFE and more go,
        but for the later one of each size in `lasting`: evidence of before something ended rests on it.
        """
        ...

    async def witnessed(self, origin: str) -> Witnessed | None:
        """What was cosigned last of a log."""
        ...

    async def save_witnessed(self, origin: str, before: Witnessed | None, now: Witnessed) -> bool:
        """Replace what was cosigned last; False, and nothing changes, when it is not `before` any more."""
        ...

    async def heard(self) -> tuple[Heard, ...]:
        """What other members had and the relay has not shown."""
        ...

    async def save_heard(self, heard: Heard) -> None:
        """Keep it, unless there is one of the same member."""
        ...

    async def forget_heard(self, members: Sequence[str]) -> None:
        """What these members had has been shown, or told as an alarm."""
        ...

    async def save_alarm(self, alarm: Alarm, hold: str | None) -> bool:
        """Store an alarm, and with it that nothing is sent to the member `hold`; True when the fact is new."""
        ...

    async def restored(self) -> tuple[int, int] | None:
        """As of when the backup was, and when it was restored last; None: never."""
        ...


class HandStore(Protocol):
    """What an operator decides by hand, beside the node that runs."""

    async def holds(self) -> tuple[Hold, ...]:
        """Whom nothing is sent, by code."""
        ...

    async def release(self, member: str, now: int) -> bool:
        """Send to this member again; False when nothing was held back."""
        ...

    async def obeyed(self) -> tuple[bytes, ...]:
        """Revocations that reached this node by hand: directory entries."""
        ...

    async def obey(self, entry: bytes, now: int) -> None:
        """Keep such a revocation."""
        ...


@dataclass(frozen=True, slots=True)
class DueOrigin:
    """An envelope whose proof of acceptance is to be fetched; `sender` None: of this node itself."""

    sender: str | None
    envelope: bytes
    tries: int


@dataclass(frozen=True, slots=True)
class StoredOrigin:
    """A verified proof of acceptance: the leaf, its place, the hashes of its path one after another, the note."""

    leaf: bytes
    position: int
    path: bytes
    note: bytes


class OriginStore(Protocol):
    """Proofs that acceptances stand in the relay's log."""

    async def due(self, now: int, limit: int) -> tuple[DueOrigin, ...]:
        """What is to be fetched now, the longest due first."""
        ...

    async def put_off(self, due: DueOrigin, until: int) -> None:
        """A try was in vain, and is counted."""
        ...

    async def give_up(self, due: DueOrigin) -> None:
        """There will be none."""
        ...

    async def save(self, sender: str | None, envelope: bytes, origin: StoredOrigin) -> None:
        """Keep a proof; it is due no longer."""
        ...

    async def origin(self, sender: str | None, envelope: bytes) -> StoredOrigin | None:
        """The proof of one envelope."""
        ...

    async def of_provision(self, provision: bytes, most: int) -> tuple[StoredOrigin, ...]:
        """Those of the envelopes that brought a Provision (its digest) here, or sent it."""
        ...
