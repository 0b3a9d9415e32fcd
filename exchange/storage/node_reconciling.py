"""The two sides of each kind of act of a node: messages, envelopes, receipts, answers, consent, alarms."""

import sqlite3
from collections.abc import Iterator
from itertools import chain
from typing import Final

from exchange.audit.reconcile import Item, Rule, Said
from exchange.storage.audit_port import AUDIT_EXPORTED
from exchange.storage.audit_reconciling import Leaf, Sides, entries, merged, rows
from schemas.audit import AuditEntry, AuditKind

_DELIVERED: Final = "delivered"

_SUBMITTED: Final = (
    "SELECT id, created FROM messages WHERE box = 'outbox'"
    " UNION ALL SELECT message, created FROM destroyed WHERE box = 'outbox' ORDER BY 1"
)
_SEALED: Final = (
    "SELECT envelope, created, recipient, header_digest, number FROM outbox JOIN numbers_out USING (envelope)"
    " ORDER BY envelope"
)
_RELAYED: Final = (
    "SELECT envelope, created, header_digest, sha256(receipt) FROM outbox WHERE receipt IS NOT NULL ORDER BY envelope"
)
_ENDED: Final = (
    "SELECT envelope, created, header_digest FROM outbox WHERE state IN ('refused', 'expired', 'superseded')"
    " ORDER BY envelope"
)
_ANSWERED: Final = (
    "SELECT message, changed, member, sha256(acknowledgement) FROM recipients WHERE acknowledgement IS NOT NULL"
    " ORDER BY message"
)
_RECEIVED: Final = "SELECT envelope, time, sender, header_digest, sha256(receipt) FROM received ORDER BY envelope"
_DELIVERED_HERE: Final = (
    "SELECT id, due FROM messages WHERE box = 'inbox'"
    " UNION ALL SELECT message, due FROM destroyed WHERE box = 'inbox' ORDER BY 1"
)
_OPENED: Final = "SELECT message, opened FROM openings_due ORDER BY message"
_LOGGED: Final = "SELECT bytes_of(subject), time, time, kind FROM consent_log WHERE subject <> '' ORDER BY subject"
_ALARMS: Final = "SELECT sha256(fact), time, kind FROM alarms ORDER BY 1"
_DESTROYED: Final = "SELECT message, time, provider FROM destroyed ORDER BY message"
_UNRECEIPTED: Final = "SELECT envelope, created FROM outbox WHERE state = 'accepted' AND receipt IS NULL"
_UNANSWERED: Final = "SELECT message, changed FROM recipients WHERE state = 'delivered' AND acknowledgement IS NULL"


def node_sides(connection: sqlite3.Connection) -> Iterator[Sides]:
    """Every kind of act, one after the other."""
    read, logged = connection, AuditKind
    messages = (logged.SUBMITTED, logged.FORWARDED)
    yield Sides(
        Rule("submitted", "the message in the outbox", "message"),
        rows(read, _SUBMITTED),
        merged(entries(read, messages, "subject", _nothing), _gone(read)),
    )
    yield Sides(
        Rule("sealed", "the envelope with its numbers", "envelope"),
        rows(read, _SEALED),
        entries(read, (logged.SEALED,), "envelope", lambda e: _said(e, "member", "header_digest", "count")),
    )
    yield Sides(
        Rule("relayed", "the relay's receipt", "envelope"),
        rows(read, _RELAYED),
        entries(read, (logged.RELAYED,), "envelope", lambda e: _said(e, "header_digest", "evidence")),
    )
    yield Sides(
        Rule("relay-refused or expired", "an envelope that ended unsent", "envelope"),
        rows(read, _ENDED),
        entries(read, (logged.RELAY_REFUSED, logged.EXPIRED), "envelope", lambda e: _said(e, "header_digest")),
    )
    yield Sides(
        Rule("answered", "the recipient's acknowledgement", "message"),
        rows(read, _ANSWERED),
        merged(_last_answers(read), _gone(read)),
    )
    yield Sides(
        Rule("received", "the envelope with its receipt", "envelope"),
        rows(read, _RECEIVED),
        entries(
            read,
            (logged.RECEIVED, logged.RECEIVE_REFUSED),
            "envelope",
            lambda e: _said(e, "member", "header_digest", "evidence"),
        ),
    )
    yield from _inbox_sides(connection)
    yield from _other_sides(connection)


def node_unproved(connection: sqlite3.Connection) -> Iterator[tuple[Rule, Iterator[Item]]]:
    """What the store says and has no signed bytes of."""
    yield Rule("relayed", "the relay's receipt", "envelope"), rows(connection, _UNRECEIPTED)
    yield Rule("answered", "the recipient's acknowledgement", "message"), rows(connection, _UNANSWERED)


def _inbox_sides(read: sqlite3.Connection) -> Iterator[Sides]:
    came = (AuditKind.RECEIVED,)
    yield Sides(
        Rule("received", "the message in the inbox", "message"),
        # A signed joint message may have taken the place of the copy that another provider sent.
        merged(rows(read, _DELIVERED_HERE), _own(read)),
        merged(entries(read, came, "subject", _nothing, lambda e: _reason(e) == _DELIVERED), _gone(read)),
    )
    yield Sides(
        Rule("opened", "an opening that its sender is told of", "message"),
        rows(read, _OPENED),
        merged(entries(read, (AuditKind.OPENED,), "subject", _nothing, lambda _: False), _gone(read)),
    )


def _other_sides(read: sqlite3.Connection) -> Iterator[Sides]:
    consent = (AuditKind.CONSENT, AuditKind.RELEASE, AuditKind.EXPORTED)
    yield Sides(
        Rule("consent, release or exported", "a line of the consent log", "matter"),
        rows(read, _LOGGED),
        entries(
            read,
            consent,
            "subject",
            lambda e: _said(e, "time", "reason"),
            lambda e: _reason(e) != AUDIT_EXPORTED,
        ),
    )
    yield Sides(
        Rule("alarm", "the alarm", "fact"),
        rows(read, _ALARMS),
        entries(read, (AuditKind.ALARM,), "subject", lambda e: _said(e, "reason")),
    )
    yield Sides(
        Rule("purged", "the mark that its content was destroyed", "message"),
        rows(read, _DESTROYED),
        # Messages that carried a draft leave no row.
        entries(read, (AuditKind.PURGED,), "subject", lambda e: _said(e, "member"), lambda _: False),
    )


def _own(read: sqlite3.Connection) -> Iterator[Item]:
    for item in rows(read, "SELECT id, created FROM messages WHERE box = 'outbox' ORDER BY id"):
        yield Item(item.key, item.said, item.time, needed=False)


def _gone(read: sqlite3.Connection) -> Iterator[Item]:
    """Of messages whose content was destroyed."""
    return entries(read, (AuditKind.PURGED,), "subject", lambda _: None)


def _last_answers(read: sqlite3.Connection) -> Iterator[Item]:
    """Answers; of several of one recipient the last one is on file, the others may have been."""
    group: list[Item] = []
    found = entries(read, (AuditKind.ANSWERED,), "subject", lambda e: _said(e, "member", "evidence"))
    for item in chain(found, (None,)):
        if group and (item is None or item.key != group[0].key):
            last = {one.said[0]: one for one in group if one.said is not None}
            yield from (one if one in last.values() else _optional(one) for one in group)
            group = []
        if item is not None:
            group.append(item)


def _optional(item: Item) -> Item:
    return Item(item.key, item.said, item.time, item.index, needed=False)


def _nothing(_: Leaf) -> Said:
    return ()


def _said(leaf: Leaf, *names: str) -> Said:
    return tuple(getattr(leaf, name) for name in names)


def _reason(leaf: Leaf) -> str | None:
    return leaf.reason if isinstance(leaf, AuditEntry) else None
