"""The stores of a node, all in one database."""

from exchange.node.parts import Stores
from exchange.storage.engine import Database
from exchange.storage.node_evidence import SqliteEvidence
from exchange.storage.node_inbox import SqliteInbox
from exchange.storage.node_origins import SqliteOrigins
from exchange.storage.node_outbox import SqliteOutbox
from exchange.storage.node_records import SqliteRecords
from exchange.storage.node_resends import SqliteResends
from exchange.storage.node_trust import SqliteHand, SqliteTrust
from exchange.storage.node_views import SqliteAccess, SqliteViews


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
    )
