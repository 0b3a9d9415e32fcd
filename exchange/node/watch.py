"""Entries in a node's own name that it did not make: somebody else has its root, or its key. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from exchange.node.following import Report
from keys.checkpoint import SignedCheckpoint
from keys.digests import epoch_key_id, key_id
from keys.merkle import MemoryTree, consistency_proof
from schemas.charter import Charter
from schemas.endings import Revocation, Withdrawal
from schemas.ids import KeyId, MemberId
from schemas.observation import ObservationKind
from schemas.statement import EpochKey, SigningKey, Statement, read_entry


@dataclass(frozen=True, slots=True)
class Own:
    """What a node knows to be its own.

    Attributes:
        certified: key ids for which its root's statements are installed here, and the one in use.
        holds: whether it has the private half of an epoch.
        lost: from when to when (Unix seconds) it may have made what a restore made it forget; None: never.
        withdrawn: entries by which it withdraws consent, kept before they were published.
    """

    member: MemberId
    certified: frozenset[KeyId]
    holds: Callable[[KeyId], bool]
    lost: tuple[int, int] | None
    withdrawn: frozenset[bytes] = frozenset()


def foreign_entries(
    entries: Sequence[bytes], start: int, own: Own, shown: SignedCheckpoint, tree: MemoryTree
) -> Iterator[Report]:
    """Of verified entries from index `start` on, under this checkpoint, those in the node's name that it did not make.

    A revocation is always told: it is by the root, and of the root the node knows nothing.
    """
    for index, raw in enumerate(entries, start):
        what = None if raw in own.withdrawn else _foreign(read_entry(raw).statement, own)
        if what is None:
            continue
        yield Report(
            ObservationKind.FOREIGN_ENTRY,
            f"entry {index} of the directory, in the name of {own.member}, is {what}: ask who has its keys",
            own.member,
            shown=shown.encode(),
            index=index,
            path=consistency_proof(index + 1, shown.checkpoint.size, tree),
            entries=tuple(entries),
        )


def _foreign(statement: Statement, own: Own) -> str | None:
    """What an entry is that this node did not make; None for its own, and for others'."""
    if isinstance(statement, Charter) or statement.member != own.member:
        return None
    match statement:
        case SigningKey() if key_id(statement.keys) not in own.certified:
            return "a signing key that is not this node's"
        case EpochKey() if not own.holds(epoch_key_id(statement.keys)) and not _lost(statement.created, own):
            return "an epoch that this node did not make"
        case Revocation():
            return f"the revocation of its key {statement.key_id.hex()[:16]}"
        case Withdrawal() if not _lost(statement.created, own):
            return "a withdrawal of consent that this node did not make"
    return None


def _lost(created: int, own: Own) -> bool:
    return own.lost is not None and own.lost[0] <= created <= own.lost[1]
