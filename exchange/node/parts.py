"""The parts of a running node, put together once by wiring and handed to each of its loops."""

from dataclasses import dataclass, field

from exchange.clock import Clock
from exchange.consent.rules import ConsentRule
from exchange.node.clocks import ClockWatch
from exchange.node.config import NodeConfig
from exchange.node.directory import DirectoryView
from exchange.node.doorkeeper import Doorkeeper
from exchange.node.files import NodeFiles
from exchange.node.guard import Guard
from exchange.node.keyring import Keyring
from exchange.node.transport import RelayClient
from exchange.node.wake import Wakes
from exchange.records.participation import Declaration
from exchange.storage.act_port import ActStore
from exchange.storage.audit_port import AuditHeads, AuditStore
from exchange.storage.consent_port import ConsentStore
from exchange.storage.group_port import ClassStore, GroupStore
from exchange.storage.head_port import HeadStore
from exchange.storage.joint_port import JointStore
from exchange.storage.node_port import (
    AccessStore,
    EvidenceStore,
    InboxStore,
    OutboxStore,
    RecordStore,
    ViewStore,
)
from exchange.storage.opening_port import OpeningStore
from exchange.storage.refused_port import RefusedStore
from exchange.storage.request_port import GrantStore, RequestStore
from exchange.storage.resend_port import ResendStore
from exchange.storage.trust_port import HandStore, OriginStore, TrustStore
from exchange.storage.withdrawal_port import DestroyStore, HeldStore, WithdrawalStore
from schemas.ids import MemberId


@dataclass(frozen=True, slots=True)
class Stores:
    """One store per concern; all of one engine."""

    outbox: OutboxStore
    evidence: EvidenceStore
    inbox: InboxStore
    views: ViewStore
    access: AccessStore
    records: RecordStore
    resends: ResendStore
    trust: TrustStore
    hand: HandStore
    origins: OriginStore
    consent: ConsentStore
    withdrawals: WithdrawalStore
    held: HeldStore
    destroyed: DestroyStore
    requests: RequestStore
    grants: GrantStore
    joint: JointStore
    refused: RefusedStore
    acts: ActStore
    groups: GroupStore
    classes: ClassStore
    audit: AuditStore
    audit_heads: AuditHeads
    heads: HeadStore
    openings: OpeningStore


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that a node's loops and its API share.

    `declaration`: what its state takes part in, if it says so; `rules`: by which it answers requests for consent.
    """

    config: NodeConfig
    keyring: Keyring
    directory: DirectoryView
    guard: Guard
    stores: Stores
    files: NodeFiles
    relay: RelayClient
    clock: Clock
    wakes: Wakes
    declaration: Declaration | None = None
    rules: tuple[ConsentRule, ...] = ()
    doors: Doorkeeper = field(init=False)
    clocks: ClockWatch = field(init=False)

    def __post_init__(self) -> None:
        """Place the doorkeeper, and who watches the clocks."""
        object.__setattr__(self, "doors", Doorkeeper(self.stores.audit, self.clock))
        object.__setattr__(self, "clocks", ClockWatch(self.clock, self.stores.inbox, self.stores.audit))

    @property
    def member(self) -> MemberId:
        """Whose node this is."""
        return self.keyring.signing.owner
