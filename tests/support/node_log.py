"""The audit log of a member's node as the relay sees it, also one whose operator rewrites it and signs it anew.

log = NodeLog(world, "KAZ")
log.grow(3)
server.signed(log.anchor())             # all that is there, from the beginning
log.rewrite(1)                          # another leaf in this place
"""

from keys.identity import SigningIdentity
from keys.logsigner import sign_node_checkpoint
from keys.merkle import MemoryTree, tree_root
from keys.tiles import entry_hash
from schemas.anchor import ANCHOR, Anchor
from schemas.canon import encode
from schemas.ids import Digest, MemberId
from tests.support.relay import Call
from tests.support.world import World


class NodeLog:
    """Leaves, and the node's key."""

    def __init__(self, world: World, member: str) -> None:
        self.world = world
        self.member = member
        self.leaves: list[bytes] = []

    def grow(self, count: int) -> None:
        """So many more leaves."""
        start = len(self.leaves)
        self.leaves += [f"{self.member} {number}".encode() for number in range(start, start + count)]

    def rewrite(self, index: int) -> None:
        """Another leaf in this place."""
        self.leaves[index] = b"something else"

    @property
    def hashes(self) -> list[Digest]:
        """Of all leaves."""
        return [entry_hash(leaf) for leaf in self.leaves]

    def root(self, size: int | None = None) -> Digest:
        """Over the first leaves, by default over all."""
        count = len(self.leaves) if size is None else size
        return tree_root(count, MemoryTree(self.hashes[:count]))

    def note(self, size: int | None = None, signer: SigningIdentity | None = None) -> bytes:
        """The signed checkpoint."""
        count = len(self.leaves) if size is None else size
        return sign_node_checkpoint(signer or self.world.nodes[self.member], count, self.root(count)).encode()

    def anchor(self, first: int = 0, size: int | None = None, by: str | None = None, note: bytes | None = None) -> Call:
        """A signed request that anchors the leaves from `first` up to `size`, by the member itself or `by` another."""
        count = len(self.leaves) if size is None else size
        hashes = b"".join(self.hashes[first:count])
        body = encode(ANCHOR, Anchor(MemberId(self.member), note or self.note(count), first, hashes))
        nonce = self.world.random(16).hex()
        return Call(by or self.member, "POST", "/v1/anchors", body, nonce=nonce)
