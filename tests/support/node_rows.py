"""Values for a node's store, each with a name of its own, and the store itself in a folder that can be reopened."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exchange.storage.act_port import ActStore
from exchange.storage.audit_port import AuditHeads, AuditStore
from exchange.storage.audit_sqlite import SqliteAudit
from exchange.storage.consent_port import ConsentStore
from exchange.storage.engine import Database
from exchange.storage.group_port import ClassStore, GroupStore
from exchange.storage.joint_port import JointStore
from exchange.storage.node_acts import SqliteActs
from exchange.storage.node_audit_heads import SqliteAuditHeads
from exchange.storage.node_consent import SqliteConsent
from exchange.storage.node_destroyed import SqliteDestroyed
from exchange.storage.node_evidence import SqliteEvidence
from exchange.storage.node_grants import SqliteGrants
from exchange.storage.node_groups import SqliteClasses, SqliteGroups
from exchange.storage.node_held import SqliteHeld
from exchange.storage.node_inbox import SqliteInbox
from exchange.storage.node_joint import SqliteJoint
from exchange.storage.node_origins import SqliteOrigins
from exchange.storage.node_outbox import SqliteOutbox
from exchange.storage.node_port import (
    AccessStore,
    EvidenceStore,
    InboxStore,
    OutboxStore,
    RecordStore,
    ViewStore,
)
from exchange.storage.node_records import SqliteRecords
from exchange.storage.node_refused import SqliteRefused
from exchange.storage.node_requests import SqliteRequests
from exchange.storage.node_resends import SqliteResends
from exchange.storage.node_trust import SqliteHand, SqliteTrust
from exchange.storage.node_values import (
    Arrival,
    Message,
    OutboxEnvelope,
    Place,
    ReceivedEnvelope,
    StoredAttachment,
    Token,
)
from exchange.storage.node_views import SqliteAccess, SqliteViews
from exchange.storage.node_withdrawals import SqliteWithdrawals
from exchange.storage.refused_port import RefusedStore
from exchange.storage.request_port import GrantStore, RequestStore
from exchange.storage.resend_port import ResendStore
from exchange.storage.trust_port import HandStore, OriginStore, TrustStore
from exchange.storage.withdrawal_port import DestroyStore, HeldStore, WithdrawalStore
from tests.support.parties import replaced

NOW = 1_800_000_000
MESSAGES = 1
HEADS = 2


@dataclass
class NodeStore:
    """One engine's stores."""

    folder: Path
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self._open()

    def _open(self) -> None:
        self.database = Database.open(self.folder / "node.db", "node")
        self.outbox: OutboxStore = SqliteOutbox(self.database)
        self.evidence: EvidenceStore = SqliteEvidence(self.database)
        self.inbox: InboxStore = SqliteInbox(self.database)
        self.views: ViewStore = SqliteViews(self.database)
        self.access: AccessStore = SqliteAccess(self.database)
        self.resends: ResendStore = SqliteResends(self.database)
        self.records: RecordStore = SqliteRecords(self.database)
        self.trust: TrustStore = SqliteTrust(self.database)
        self.hand: HandStore = SqliteHand(self.database)
        self.origins: OriginStore = SqliteOrigins(self.database)
        self.consent: ConsentStore = SqliteConsent(self.database)
        self.refused: RefusedStore = SqliteRefused(self.database)
        self.requests: RequestStore = SqliteRequests(self.database)
        self.grants: GrantStore = SqliteGrants(self.database)
        self.joint: JointStore = SqliteJoint(self.database)
        self.withdrawals: WithdrawalStore = SqliteWithdrawals(self.database)
        self.held: HeldStore = SqliteHeld(self.database)
        self.destroyed: DestroyStore = SqliteDestroyed(self.database)
        self.acts: ActStore = SqliteActs(self.database)
        self.groups: GroupStore = SqliteGroups(self.database)
        self.classes: ClassStore = SqliteClasses(self.database)
        self.audit: AuditStore = SqliteAudit(self.database)
        self.audit_heads: AuditHeads = SqliteAuditHeads(self.database)

    async def reopen(self) -> None:
        """As after a restart."""
        await self.database.close()
        self._open()

    async def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        return await self.database.read(
            lambda c: {
                table: [tuple(row) for row in c.execute(f"SELECT * FROM {table}")]  # noqa: S608 - the schema's own names
                for (table,) in c.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            }
        )

    async def sealed(self, number: int, to: tuple[str, ...] = ("MNG",)) -> bytes:
        """Store a message and an envelope of it under the same number; the envelope's id."""
        await self.outbox.add_message(message(number, to), None)
        await self.outbox.save_sealed(envelope(number), tuple(place(number, member) for member in to))
        return name(number, "e")

    async def state(self, message: bytes) -> str:
        """A message's state."""
        found = await self.views.message(message)
        assert found is not None
        return found.state

    async def recipients(self, message: bytes) -> dict[str, str]:
        """State by recipient."""
        return {row.member: row.state for row in await self.views.recipients(message)}

    async def events(self) -> list[tuple[bytes, str, str]]:
        """All events."""
        return [(event.message, event.type, event.data) for event in await self.views.events(0, 1000)]


def name(number: int, kind: str = "m") -> bytes:
    """16 bytes."""
    return f"{kind}{number}".encode().ljust(16, b".")


def message(number: int, to: tuple[str, ...] = ("MNG",), **changes: object) -> Message:
    """A queued message of the ministry of defence."""
    values: dict[str, Any] = {
        "id": name(number),
        "box": "outbox",
        "provision": name(number, "p") * 2,
        "state": "queued",
        "ministry": "defence",
        "measure": "2.1.1.d",
        "record_type": "military-activity-notification",
        "precedence": 3,
        "created": NOW,
        "due": NOW,
        "expires": NOW + 1000,
        "signed_provisions": (b"signed", b""),
        "signed_grants": (),
        "purpose": 0,
        "path": ("KAZ",),
        "sealed_manifest": b"sealed manifest",
        "sealed_title": b"sealed title",
        "recipients": to,
        "attachments": (),
    }
    return Message(**replaced(values, changes))


def received_message(number: int, **changes: object) -> Message:
    """A message for the inbox."""
    fixed = {
        "box": "inbox",
        "state": "received",
        "ministry": None,
        "attachments": (StoredAttachment(0, f"file{number}"),),
    }
    return message(number, (), **replaced(fixed, changes))


def envelope(number: int, of: int | None = None, **changes: object) -> OutboxEnvelope:
    """A sealed envelope of message `of`, by default of the message with its own number."""
    values: dict[str, Any] = {
        "envelope": name(number, "e"),
        "message": name(number if of is None else of),
        "state": "sealed",
        "precedence": 3,
        "created": NOW,
        "expires": NOW + 1000,
        "header": b"header",
        "header_digest": name(number, "d") * 2,
        "body": b"ciphertext",
    }
    return OutboxEnvelope(**replaced(values, changes))


def place(number: int, recipient: str = "MNG", kind: int = MESSAGES, head_due: int | None = NOW + 3600) -> Place:
    """A number in the one stream to a recipient."""
    return Place(recipient, kind, f"{recipient}{kind}".encode().ljust(16, b"."), number, head_due)


def received(number: int, provision: int | None = None, **changes: object) -> ReceivedEnvelope:
    """Evidence of an envelope of KAZ that brought a Provision."""
    values: dict[str, Any] = {
        "sender": "KAZ",
        "envelope": name(number, "e"),
        "header_digest": name(number, "d") * 2,
        "header": b"header",
        "receipt": b"receipt",
        "acknowledgement": b"ack %d" % number,
        "provision": name(number if provision is None else provision, "p") * 2,
        "outcome": "delivered",
        "reason": None,
        "time": NOW,
    }
    return ReceivedEnvelope(**replaced(values, changes))


def arrival(number: int | None, voids: tuple[int, ...] = (), last: int = 0) -> Arrival:
    """A place in KAZ's stream."""
    digest = None if number is None else name(number, "d") * 2
    return Arrival("KAZ", b"s" * 16, number, digest, voids, last)


def token(number: int, **changes: object) -> Token:
    """A token."""
    values: dict[str, Any] = {
        "id": f"{number:016x}",
        "hash": b"h" * 32,
        "ministry": "defence",
        "scopes": ("send", "read"),
        "measures": ("2.1.*", "2.4.3"),
        "created": NOW,
        "revoked": None,
    }
    return Token(**replaced(values, changes))
