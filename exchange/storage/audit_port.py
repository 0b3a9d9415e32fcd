"""What a node asks of its store about its own audit log; the contract is `node_port`'s.

An act that changes the store writes its entries in the transaction that changes it (`audit_sqlite.insert_fact`), so
that neither stands without the other. `AuditStore.add` is for acts that change nothing else.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from schemas.audit import AuditKind

AUDIT_EXPORTED: Final = "audit.exported"


@dataclass(frozen=True, slots=True)
class AuditFact:
    """What is to be written down: an `AuditEntry` before it has a salt and a place.

    `evidence`: the signed bytes themselves, of which the entry has the SHA-256. `actor` and `reason` are brought into
    the form of codes. `detail`: a sentence for the process's own log, which the entry does not have.
    """

    kind: AuditKind
    time: int
    actor: str | None = None
    member: str | None = None
    envelope: bytes | None = None
    header_digest: bytes | None = None
    provision: bytes | None = None
    subject: bytes | None = None
    reason: str | None = None
    evidence: bytes | None = None
    relay_time: int | None = None
    address: bytes | None = None
    count: int | None = None
    directory_size: int | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class AuditLeaf:
    """A leaf in its place. `leaf` None: pruned, or `lost` at a restore; `hash` (of the leaf, RFC 6962) is left."""

    index: int
    time: int
    leaf: bytes | None
    hash: bytes | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """Where a search goes on: behind this entry. Results are in the order of time, then of index."""

    time: int
    index: int


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What to look for; None: any. All that is given has to hold.

    `since` inclusive, `until` exclusive, Unix seconds. `actor` as a whole, or a beginning that ends in `/` (a
    ministry). `newest`: the latest first.
    """

    kinds: tuple[AuditKind, ...] | None = None
    member: str | None = None
    actor: str | None = None
    reason: str | None = None
    envelope: bytes | None = None
    subject: bytes | None = None
    since: int | None = None
    until: int | None = None
    newest: bool = False


def exported(now: int, official: str) -> AuditFact:
    """Entries of the audit log are taken out into a file."""
    return AuditFact(AuditKind.EXPORTED, now, official, reason=AUDIT_EXPORTED)


class AuditStore(Protocol):
    """The entries."""

    async def add(self, facts: tuple[AuditFact, ...]) -> int:
        """Write entries of acts that change nothing else; the index of the first."""
        ...

    async def size(self) -> int:
        """How many entries there are."""
        ...

    async def leaves(self, first: int, limit: int) -> tuple[AuditLeaf, ...]:
        """Entries in their order, from an index on."""
        ...

    async def search(self, query: AuditQuery, after: AuditPlace | None, limit: int) -> tuple[AuditLeaf, ...]:
        """Entries that a query asks for, in the order of time, from behind a place on; those that were pruned too."""
        ...

    async def take_lost(self, first: int, hashes: tuple[bytes, ...], now: int) -> None:
        """After a restore: hashes of entries that the backup did not have, at `first` and behind.

        What stands there by now, of which nobody has a checkpoint, moves behind them.
        """
        ...


@dataclass(frozen=True, slots=True)
class AuditCheckpoint:
    """A checkpoint of this node's log, signed at `time`; since `anchored` the relay has it (None: not yet)."""

    size: int
    root: bytes
    note: bytes
    time: int
    anchored: int | None = None


@dataclass(frozen=True, slots=True)
class HeardAnchor:
    """What a partner showed of its own log at `time`: the checkpoint, as a note with the Ed25519 line."""

    member: str
    origin: str
    size: int
    root: bytes
    note: bytes
    time: int


class AuditHeads(Protocol):
    """Checkpoints of this node's log, and of its partners'."""

    async def newest(self, anchored: bool = False) -> AuditCheckpoint | None:
        """The largest of this node's checkpoints; of those that the relay has, when asked for."""
        ...

    async def covering(self, index: int) -> AuditCheckpoint | None:
        """The smallest checkpoint that the relay has and that is over the entry at an index."""
        ...

    async def anchors(self, after: int, limit: int) -> tuple[AuditCheckpoint, ...]:
        """Those that the relay has, of more than `after` entries, the smallest first."""
        ...

    async def save(self, checkpoint: AuditCheckpoint) -> None:
        """Keep a checkpoint that was signed; smaller ones that the relay does not have go."""
        ...

    async def save_anchored(self, size: int, now: int) -> None:
        """The relay has the checkpoint of this size."""
        ...

    async def hear(self, heard: HeardAnchor) -> HeardAnchor | None:
        """Keep the largest that a partner shows of a log on each day.

        Gives an earlier one of the same size and another root, if there is one: then both are kept as evidence.
        """
        ...

    async def heard(self, member: str | None = None) -> tuple[HeardAnchor, ...]:
        """What partners have shown, by member and day; of one, when given."""
        ...
