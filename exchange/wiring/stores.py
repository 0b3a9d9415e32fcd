"""The stores of a node, all in one database."""

from exchange.node.parts import Stores
from exchange.storage.audit_sqlite import SqliteAudit
from exchange.storage.engine import Database
from exchange.storage.node_acts import SqliteActs
from exchange.storage.node_audit_heads import SqliteAuditHeads
from exchange.storage.node_consent import SqliteConsent
from exchange.storage.node_destroyed import SqliteDestroyed
from exchange.storage.node_evidence import SqliteEvidence
from exchange.storage.node_grants import SqliteGrants
from exchange.storage.node_groups import SqliteClasses, SqliteGroups
from exchange.storage.node_heads import SqliteHeads
from exchange.storage.node_held import SqliteHeld
from exchange.storage.node_inbox import SqliteInbox
from exchange.storage.node_joint import SqliteJoint
from exchange.storage.node_openings import SqliteOpenings
from exchange.storage.node_origins import SqliteOrigins
from exchange.storage.node_outbox import SqliteOutbox
from exchange.storage.node_records import SqliteRecords
from exchange.storage.node_refused import SqliteRefused
from exchange.storage.node_requests import SqliteRequests
from exchange.storage.node_resends import SqliteResends
from exchange.storage.node_trust import SqliteHand, SqliteTrust
from exchange.storage.node_views import SqliteAccess, SqliteViews
from exchange.storage.node_withdrawals import SqliteWithdrawals


def node_stores(database: Database) -> Stores:
    """One for each concern."""
    return Stores(
        outbox=SqliteOutbox(database),
        evidence=SqliteEvidence(database),
        inbox=SqliteInbox(database),
        views=SqliteViews(database),
        access=SqliteAccess(database),
        records=SqliteRecords(database),
        resends=SqliteResends(database),
        trust=SqliteTrust(database),
        hand=SqliteHand(database),
        origins=SqliteOrigins(database),
        consent=SqliteConsent(database),
        withdrawals=SqliteWithdrawals(database),
        held=SqliteHeld(database),
        destroyed=SqliteDestroyed(database),
        requests=SqliteRequests(database),
        grants=SqliteGrants(database),
        joint=SqliteJoint(database),
        refused=SqliteRefused(database),
        acts=SqliteActs(database),
        groups=SqliteGroups(database),
        classes=SqliteClasses(database),
        audit=SqliteAudit(database),
        audit_heads=SqliteAuditHeads(database),
        heads=SqliteHeads(database),
        openings=SqliteOpenings(database),
    )
