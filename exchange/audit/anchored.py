"""Whether an anchor of a member's log goes on from what the relay holds of it (docs/protocol.md, "Anchors").

The relay holds the hashes of all leaves and recomputes the root: a node that has rewritten its past cannot anchor
again, whatever it signs. What contradicts is kept with what it contradicts.
"""

from collections.abc import Sequence

from exchange.errors import Conflict, Invalid
from keys.checkpoint import Checkpoint
from keys.merkle import Frontier
from schemas.anchor import Anchor
from schemas.ids import Digest


class Forked(Conflict):
    """A checkpoint that its member signed, and that does not go on from what is held of this log."""

    def __init__(self) -> None:
        """Always the same: what is held is evidence, not an answer."""
        super().__init__(
            "anchor-fork", "this checkpoint contradicts what is anchored of this log: both are kept as evidence"
        )


def grown(held: Frontier, anchor: Anchor, checkpoint: Checkpoint, overlap: Sequence[Digest]) -> Frontier:
    """The log with what an anchor adds to it; equal to `held` when that is nothing.

    `overlap`: the hashes that are held from `anchor.first` on, as many as it states at most. The checkpoint's signature
    holds. Raises Invalid (anchor-size), Conflict (anchor-gap, anchor-behind) or Forked.
    """
    if anchor.first + len(anchor.leaves) != checkpoint.size:
        raise Invalid("anchor-size", "the hashes do not end at the checkpoint's size")
    if anchor.first > held.size:
        raise Conflict(
            "anchor-gap", f"{held.size} leaves of this log are anchored: go on from there", {"size": held.size}
        )
    if anchor.leaves[: len(overlap)] != tuple(overlap):
        raise Forked
    if checkpoint.size < held.size:
        raise Conflict(
            "anchor-behind", f"{held.size} leaves of this log are anchored: it has lost some", {"size": held.size}
        )
    longer = held.extend(anchor.leaves[held.size - anchor.first :])
    if longer.root != checkpoint.root:
        raise Forked
    return longer


def check_known(root: Digest | None, checkpoint: Checkpoint) -> None:
    """A checkpoint of a size that was anchored before, with `root` (None: it was not), is that one. Raises Forked."""
    if root is not None and root != checkpoint.root:
        raise Forked
