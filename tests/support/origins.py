"""An audit log of a world's relay, and proofs from it: what stood in it, under which cosigned checkpoint.

log = AuditLog(world)
log.accept(sealed)                      # a leaf as the relay makes it
log.accept(sealed, time=5)              # `fields` replace attributes of Acceptance
origins = log.proof(0)                  # cosigned by all voters at the world's time
"""

from collections.abc import Iterable, Sequence
from typing import Any

from keys.digests import logged_grant, logged_provision
from keys.merkle import MemoryTree, inclusion_proof
from keys.tiles import entry_hash
from schemas.audit import AuditKind
from schemas.canon import encode
from schemas.grant import SignedGrant
from schemas.origin import ACCEPTANCE, Acceptance, Origins, one_origin
from schemas.provision import SignedProvision
from tests.support.cosigners import cosigned, signed_checkpoint
from tests.support.parties import replaced
from tests.support.world import Sealed, World


def leaf(
    world: World,
    sealed: Sealed,
    provisions: Sequence[SignedProvision] | None = None,
    grants: Sequence[SignedGrant] | None = None,
    **fields: object,
) -> bytes:
    """The leaf of an envelope that is accepted now, or one that states other consent; `fields` replace attributes."""
    core = sealed.header.core
    given = core.provisions if provisions is None else provisions
    values: dict[str, Any] = {
        "kind": AuditKind.ACCEPTED,
        "salt": fields.get("salt") or world.random(32),
        "sender": core.sender,
        "envelope": core.id,
        "header_digest": sealed.digest,
        "signature": sealed.header.signature,
        "time": world.now,
        "directory_size": world.directory.size,
        "provisions": tuple(sorted(logged_provision(signed) for signed in given)),
        "grants": tuple(sorted(logged_grant(signed) for signed in (core.grants if grants is None else grants))),
    }
    return encode(ACCEPTANCE, Acceptance(**replaced(values, fields)))


class AuditLog:
    """Leaves, in the order of acceptance."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.leaves: list[bytes] = []

    def accept(self, sealed: Sealed, **fields: Any) -> int:  # noqa: ANN401  # as of `leaf`
        """Append the leaf of an envelope; its index."""
        self.leaves.append(leaf(self.world, sealed, **fields))
        return len(self.leaves) - 1

    def proof(self, index: int, time: int | None = None, by: Iterable[str] | None = None) -> Origins:
        """The proof of a leaf under a checkpoint over all leaves, cosigned at `time` by these members' nodes."""
        note = cosigned(self.world, signed_checkpoint(self.world, "audit", self.leaves), by, time).encode()
        tree = MemoryTree(entry_hash(data) for data in self.leaves)
        return one_origin(note, self.leaves[index], index, inclusion_proof(index, len(self.leaves), tree))
