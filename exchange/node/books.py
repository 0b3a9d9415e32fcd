"""Where a node keeps the directory and what belongs to it."""

from dataclasses import dataclass

from exchange.storage.node_port import AccessStore
from exchange.storage.trust_port import HandStore, TrustStore


@dataclass(frozen=True, slots=True)
class Books:
    """Entries, checkpoints with what was cosigned and heard, and what an operator decided by hand."""

    access: AccessStore
    trust: TrustStore
    hand: HandStore
