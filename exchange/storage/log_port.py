"""What the relay asks of a storage engine for its two logs: leaves, and the checkpoints over them.

The leaves of the directory's log are its entries, which `DirectoryStore` holds. A leaf of the audit log is stored with
what it states, in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exchange.storage.audit_port import AuditFact
from schemas.audit import AuditKind
from schemas.ids import Digest, EnvelopeId, MemberId

DIRECTORY: Final = "directory"
AUDIT: Final = "audit"


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A checkpoint as a signed note with the cosignatures that it has; `time` of its last change, Unix seconds.

    `view`: the size of the directory by which the witnesses of a published one were judged.
    """

    size: int
    note: bytes
    published: bool
    time: int
    view: int = 0


@dataclass(frozen=True, slots=True)
class AuditLeaf:
    """A leaf of the audit log and its place."""

    position: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class LogHoldings:
    """One log for those who look after the relay: leaves, and the newest checkpoints that were signed and published."""

    name: str
    size: int
    signed: StoredCheckpoint | None
    published: StoredCheckpoint | None


class LogStore(Protocol):
    """Leaves of the audit log, and checkpoints of both; a log is named `DIRECTORY` or `AUDIT`."""

    async def leaves(self, start: int, max_bytes: int) -> tuple[bytes, ...]:
        """Leaves of the audit log from `start`, as many as fit into `max_bytes`, but at least one when there is one.

        For those that no checkpoint is over yet: later ones may be pruned.
        """
        ...

    async def leaf_hashes(self, start: int, limit: int) -> tuple[Digest, ...]:
        """Hashes of leaves of the audit log from `start`, `limit` at most; also of leaves that were pruned since."""
        ...

    async def leaf_count(self) -> int:
        """How many leaves the audit log has."""
        ...

    async def leaf_of(self, sender: MemberId, envelope: EnvelopeId) -> AuditLeaf | None:
        """The leaf that states the acceptance of an envelope; None when there is none."""
        ...

    async def answer_leaf_of(self, recipient: MemberId, envelope: EnvelopeId, header: Digest) -> AuditLeaf | None:
        """The leaf that states a recipient's acknowledgement of the envelope with this header digest."""
        ...

    async def record(self, facts: Sequence[AuditFact]) -> None:
        """Append entries about what changes nothing else."""
        ...

    async def newest_of(self, kind: AuditKind) -> bytes | None:
        """The newest leaf of a kind."""
        ...

    async def save_checkpoint(self, log: str, checkpoint: StoredCheckpoint) -> None:
        """Store a checkpoint, or a note of the same size with other cosignatures; published once, it stays so.

        One that is published replaces what was signed and never published before it. Of those that were first published
        more than an hour ago the last of each day is kept; of the audit log also the first and the last under each size
        of the directory: a proof says little when the directory has grown between an acceptance and its checkpoint.
        """
        ...

    async def settle(self) -> None:
        """Return when everything that was being written before is durable or has failed."""
        ...

    async def newest_checkpoint(self, log: str, published: bool) -> StoredCheckpoint | None:
        """The largest that was published; or the largest that was signed, published or not."""
        ...

    async def covering_checkpoint(self, log: str, position: int) -> StoredCheckpoint | None:
        """The smallest published one that covers the leaf at `position`, of those that are kept.

        Its note is the one of its first publication: what is cosigned again later would make the leaf younger.
        """
        ...
