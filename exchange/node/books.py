"""Where a node keeps the directory and what belongs to it."""

from dataclasses import dataclass

from exchange.storage.node_port import AccessStore
from exchange.storage.trust_port import HandStore, TrustStore
from exchange.storage.withdrawal_port import WithdrawalStore


@dataclass(frozen=True, slots=True)
class Books:
    """Entries, checkpoints with what was cosigned and heard, what an operator decided by hand, and own withdrawals."""

    access: AccessStore
    trust: TrustStore
    hand: HandStore
    withdrawals: WithdrawalStore
