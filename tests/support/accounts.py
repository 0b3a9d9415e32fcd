"""What a stopped node has on file, read from its folder and verified again from nothing but the charter."""

from collections import Counter
from dataclasses import dataclass

from exchange.demo.site import Site
from exchange.storage.engine import Database
from exchange.storage.node_values import Message, OutboxEnvelope, RecipientRow
from exchange.storage.node_views import SqliteViews
from exchange.wiring.epochs import node_directory
from keys.directory import Directory
from keys.receipts import receipt_covers
from keys.verify import verify_acknowledgement, verify_receipt
from schemas.canon import decode
from schemas.envelope import decode_header
from schemas.limits import MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, SIGNED_RECEIPT, Outcome

_MANY = 10_000


@dataclass(frozen=True, slots=True)
class Sent:
    """A sent message with its one envelope and its recipients."""

    message: Message
    envelope: OutboxEnvelope
    recipients: tuple[RecipientRow, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """A node's books.

    Attributes:
        outcomes: how many envelopes that arrived came to which outcome.
        open_streams: streams to this node in which a number is missing.
    """

    member: str
    directory: Directory
    sent: tuple[Sent, ...]
    inbox: tuple[Message, ...]
    outcomes: Counter[str]
    open_streams: int
    alarms: tuple[str, ...]


async def account(site: Site, member: str) -> Account:
    """Read the books of a node that does not run."""
    folder = site.node(member)
    database = Database.open(folder / "node.db", "node")
    try:
        views = SqliteViews(database)
        directory = node_directory(folder)
        sent = []
        for message in await views.messages("outbox", 0, _MANY, ("*",), None):
            (envelope,) = await views.envelopes_of(message.id)
            sent.append(Sent(message, envelope, await views.recipients(message.id)))
        outcomes = await database.read(lambda c: [row[0] for row in c.execute("SELECT outcome FROM received")])
        alarms = await database.read(lambda c: [f"{row[0]}: {row[1]}" for row in c.execute(_ALARMS)])
        gaps = await database.read(lambda c: c.execute(_GAPS).fetchone()[0])
        inbox = await views.messages("inbox", 0, _MANY, ("*",), None)
    finally:
        await database.close()
    return Account(member, directory, tuple(sent), inbox, Counter(outcomes), int(gaps), tuple(alarms))


_ALARMS = "SELECT kind, detail FROM alarms"
_GAPS = "SELECT count(*) FROM streams_in WHERE floor < top"


def check_evidence(sent: Sent, directory: Directory, now: int) -> int:
    """Verify the relay's receipt and every recipient's acknowledgement; gives how many acknowledged."""
    header = decode_header(sent.envelope.header)
    assert sent.envelope.state == "accepted"
    assert sent.envelope.receipt is not None
    receipt = verify_receipt(decode(SIGNED_RECEIPT, sent.envelope.receipt, 2 * MAX_SMALL_OBJECT), directory)
    assert receipt_covers(receipt, header)
    assert tuple(row.member for row in sent.recipients) == header.recipients
    for row in sent.recipients:
        assert row.state == "delivered"
        assert row.acknowledgement is not None
        signed = decode(SIGNED_ACKNOWLEDGEMENT, row.acknowledgement, 2 * MAX_SMALL_OBJECT)
        ack = verify_acknowledgement(signed, directory, now)
        told = (ack.recipient, ack.sender, ack.envelope, ack.header_digest, ack.outcome)
        core = header.core
        assert told == (row.member, core.sender, core.id, sent.envelope.header_digest, Outcome.DELIVERED)
    return len(sent.recipients)
