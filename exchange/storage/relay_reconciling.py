"""The two sides of each kind of act of a relay: envelopes, answers, what was handed over and what ended, anchors."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from exchange.audit.reconcile import Item, Rule, Said
from exchange.storage.audit_reconciling import Leaf, Sides, entries, rows
from schemas.audit import AuditKind

# A delivery's state, as `exchange.storage.relay_rows` has it: 1 acknowledged, 2 expired.
_ACCEPTED: Final = "SELECT id, accepted, sender, header_digest, accepted FROM envelopes ORDER BY id"
_DELIVERIES: Final = (
    "SELECT id, accepted, recipient, header_digest{more} FROM deliveries JOIN envelopes ON position = envelope"
    " WHERE {which} ORDER BY id"
)
_ACKNOWLEDGED: Final = _DELIVERIES.format(more=", sha256(acknowledgement)", which="acknowledgement IS NOT NULL")
_PUSHED: Final = _DELIVERIES.format(more="", which="pushed = 1")
_EXPIRED: Final = _DELIVERIES.format(more="", which="deliveries.state = 2")
_DELETED: Final = (
    "SELECT id, accepted, header_digest FROM envelopes"
    " WHERE position NOT IN (SELECT envelope FROM contents) ORDER BY id"
)
_ANCHORED: Final = "SELECT position, 0, member, size, root FROM anchors ORDER BY position"
_UNANSWERED: Final = (
    "SELECT id, accepted FROM deliveries JOIN envelopes ON position = envelope"
    " WHERE deliveries.state = 1 AND acknowledgement IS NULL"
)


def relay_sides(read: sqlite3.Connection) -> Iterator[Sides]:
    """Every kind of act, one after the other."""
    yield Sides(
        Rule("accepted", "the accepted envelope", "envelope", kept=True),
        rows(read, _ACCEPTED),
        entries(read, (AuditKind.ACCEPTED,), "envelope", lambda e: _said(e, "sender", "header_digest", "time")),
    )
    yield Sides(
        Rule("acknowledged", "a recipient's acknowledgement", "envelope", kept=True),
        rows(read, _ACKNOWLEDGED),
        entries(read, (AuditKind.ACKNOWLEDGED,), "envelope", lambda e: _said(e, "member", "header_digest", "evidence")),
    )
    yield Sides(
        Rule("pushed", "the mark that it was handed over", "envelope"),
        rows(read, _PUSHED),
        entries(read, (AuditKind.PUSHED,), "envelope", _of_recipient),
    )
    yield Sides(
        Rule("expired", "a recipient that had not answered", "envelope"),
        rows(read, _EXPIRED),
        # Who answers after all takes the row's place.
        entries(read, (AuditKind.EXPIRED,), "envelope", _of_recipient, lambda _: False),
    )
    yield Sides(
        Rule("deleted", "an envelope without its ciphertext", "envelope"),
        rows(read, _DELETED),
        entries(read, (AuditKind.DELETED,), "envelope", lambda e: _said(e, "header_digest")),
    )
    yield Sides(
        Rule("anchored", "the anchor of a member's log", "entry", kept=True),
        rows(read, _ANCHORED),
        entries(read, (AuditKind.ANCHORED,), "position", lambda e: _said(e, "member", "count", "subject")),
    )


def relay_unproved(read: sqlite3.Connection) -> Iterator[tuple[Rule, Iterator[Item]]]:
    """What the store says and has no signed bytes of."""
    yield Rule("acknowledged", "the recipient's acknowledgement", "envelope"), rows(read, _UNANSWERED)


def _of_recipient(leaf: Leaf) -> Said:
    return _said(leaf, "member", "header_digest")


def _said(leaf: Leaf, *names: str) -> Said:
    return tuple(getattr(leaf, name) for name in names)
