"""What a node knows of one record that it sent or received, as a plain value for the rules of this package.

Two kinds of knowledge are kept apart: what the record claims (when it was issued, which period it covers) and what
there is evidence for (whose Provision it travelled under, when the relay accepted it, who acknowledged it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from schemas.ids import MemberId
from schemas.limits import MAX_TIME

ACTUAL: Final = "actual"


class Box(StrEnum):
    """Which way the record went."""

    INBOX = "inbox"
    OUTBOX = "outbox"


class Action(StrEnum):
    """What a record does; the codes of `common.json`."""

    NEW = "new"
    UPDATE = "update"
    CORRECTION = "correction"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"
    REPLY = "reply"
    ACK = "ack"
    TRANSLATION = "translation"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class TextRef:
    """One exact text: a record's id, and the SHA-256 of its JSON bytes in hexadecimal."""

    record_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class EnvelopeFacts:
    """What the envelope and its receipts prove.

    Attributes:
        message: the node's name of the message, 32 hexadecimal digits.
        sender: who sent it here, or this node's member; it is no originator if it forwarded.
        audience: of the Provision that all providers signed.
        evidenced_at: time of the relay's receipt, Unix seconds; None while there is none.
        delivered: each recipient whose signed acknowledgement says delivered, with that acknowledgement's time.
    """

    message: str
    box: Box
    sender: MemberId
    audience: tuple[MemberId, ...]
    evidenced_at: int | None
    delivered: tuple[tuple[MemberId, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordFact:
    """One record with its evidence.

    Attributes:
        originators: the Provision's providers, ascending; validation made the record's own list equal to them.
        recipients: the first audience, from the Provision; a forward does not change it.
        issued_at: what the record claims, Unix seconds; shown, never relied on.
        digest: SHA-256 of the record's exact JSON bytes, hexadecimal.
        translation_of: the text that a translation states to translate.
    """

    message: str
    box: Box
    record_id: str
    record_type: str
    catalogue_id: str
    measure: str
    action: Action
    references: tuple[str, ...]
    originators: tuple[MemberId, ...]
    sender: MemberId
    recipients: tuple[MemberId, ...]
    issued_at: int
    evidenced_at: int | None
    delivered: tuple[tuple[MemberId, int], ...]
    mode: str
    language: str
    digest: str
    translation_of: TextRef | None = None
    title: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    body: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def order(self) -> tuple[bool, int, str, str]:
        """Sorts by evidence, what has none last; ties by id and digest, so that no order of arrival matters."""
        return self.evidenced_at is None, self.evidenced_at or 0, self.record_id, self.digest

    @property
    def evidenced_on(self) -> date | None:
        """The day of the evidence, UTC."""
        return None if self.evidenced_at is None else day_of(self.evidenced_at)


def record_fact(record: Mapping[str, Any], exact: bytes, envelope: EnvelopeFacts) -> RecordFact:
    """The fact of a record.

    Args:
        record: as `validate_record` accepted it.
        exact: the JSON bytes that it was read from, as they travel.
        envelope: what is proved around it.
    """
    stated = record.get("translation_of")
    return RecordFact(
        message=envelope.message,
        box=envelope.box,
        record_id=record["record_id"],
        record_type=record["record_type"],
        catalogue_id=record["catalogue_id"],
        measure=record["measure"],
        action=Action(record["action"]),
        references=tuple(record.get("references", ())),
        originators=tuple(sorted(MemberId(code) for code in record["originators"])),
        sender=envelope.sender,
        recipients=envelope.audience,
        issued_at=seconds(record["issued_at"]),
        evidenced_at=envelope.evidenced_at,
        delivered=envelope.delivered,
        mode=record["mode"],
        language=record["language"],
        digest=sha256(exact).hexdigest(),
        translation_of=None if stated is None else TextRef(stated["record_id"], stated["sha256"]),
        title=record["title"],
        body=record["body"],
    )


def seconds(timestamp: str) -> int:
    """Unix seconds of a `timestamp` member, rounded down; by its offset it may lie beyond `MAX_TIME`."""
    return int((datetime.fromisoformat(timestamp) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() // 1)


def day_of(time: int) -> date:
    """The day, UTC, of Unix seconds; the last one of the calendar for what lies beyond it."""
    return datetime.fromtimestamp(min(time, MAX_TIME), UTC).date()
