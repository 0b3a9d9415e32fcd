"""Entries of an audit log: who did what, when, about which envelope (docs/protocol.md, "Audit logs").

The relay and every node keep one such log each. An entry holds ids, digests and stable codes: never content, a title,
words that somebody wrote, or a secret. The relay's entry about an envelope that it accepted is `schemas.origin`'s.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Blob, Choice, Field, Struct, Text, Uint, decode, encode, fixed
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ID16, MEMBER, TIME, Digest, EnvelopeId, MemberId

_ACTOR: Final = re.compile(r"[a-z0-9][a-z0-9./:_-]*")
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9.:_-]*")


class AuditKind(IntEnum):
    """What a leaf of an audit log states; it comes first, so that no leaf can be taken for one of another kind.

    Numbers below 16 are for both kinds of log, from 16 for a relay's, from 64 for a node's. `ACCEPTED` is an
    `Acceptance`, all others an `AuditEntry`.
    """

    ACCEPTED = 1
    OPERATOR = 2
    CONFIGURED = 3
    ALARM = 4
    EXPIRED = 5
    REFUSED = 16
    PUSHED = 17
    ACKNOWLEDGED = 18
    DELETED = 19
    DIRECTORY_ENTRY = 20
    SESSION_BEGUN = 21
    SESSION_DENIED = 22
    ANCHORED = 23
    NOTICE = 24
    SUBMITTED = 64
    SUBMISSION_REFUSED = 65
    SEALED = 66
    RELAYED = 67
    RELAY_REFUSED = 68
    RECEIVED = 69
    RECEIVE_REFUSED = 70
    ANSWERED = 71
    OPENED = 72
    FORWARDED = 73
    CONSENT = 74
    RELEASE = 75
    KEY = 76
    LOGIN = 77
    LOGIN_DENIED = 78
    EXPORTED = 79
    PURGED = 80

    @property
    def label(self) -> str:
        """As text: `submission-refused`."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry of any kind but ACCEPTED. What an entry of a kind does not know is None.

    Attributes:
        version: of this form; 1.
        salt: 32 random bytes, so that nobody can guess an entry by its hash.
        time: when it was done, by the clock of who keeps the log (Unix seconds).
        actor: who did it: `MINISTRY/TOKEN`, `operator`, `rule:NAME`, `node`, `relay`.
        member: the other member that it is about: recipient, sender, who anchored.
        envelope, header_digest: of the envelope.
        provision: digest of the Provision.
        subject: id of what else it is about: a message, Grant, request, act or key; of an anchor, the root.
        reason: a stable code, such as a refusal's or an alarm's kind.
        evidence: SHA-256 of the signed bytes that it is about: receipt, acknowledgement, statement, note.
        relay_time: the relay's clock, when that is known too.
        address: 16 bytes, a pseudonym of the caller's network address that changes daily.
        count: of the occurrences that this one entry stands for; of an anchor, its size.
        directory_size: of the directory by which the relay decided; of acknowledgements.
    """

    kind: AuditKind
    salt: bytes
    time: int
    actor: str | None = None
    member: MemberId | None = None
    envelope: EnvelopeId | None = None
    header_digest: Digest | None = None
    provision: Digest | None = None
    subject: bytes | None = None
    reason: str | None = None
    evidence: Digest | None = None
    relay_time: int | None = None
    address: bytes | None = None
    count: int | None = None
    directory_size: int | None = None
    version: int = 1

    def __post_init__(self) -> None:
        """Refuse the kind that has a form of its own."""
        if self.kind is AuditKind.ACCEPTED:
            raise DecodeError(Reason.OUT_OF_RANGE, "AuditEntry.kind")


AUDIT_ENTRY: Final = Struct(
    AuditEntry,
    Field(1, "kind", Choice(AuditKind)),
    Field(2, "version", Uint(1, 1)),
    Field(3, "salt", fixed(32)),
    Field(4, "time", TIME),
    Field(5, "actor", Text(limits.MAX_ACTOR, _ACTOR), optional=True),
    Field(6, "member", MEMBER, optional=True),
    Field(7, "envelope", ID16, optional=True),
    Field(8, "header_digest", DIGEST, optional=True),
    Field(9, "provision", DIGEST, optional=True),
    Field(10, "subject", Blob(1, 32), optional=True),
    Field(11, "reason", Text(limits.MAX_CODE, _CODE), optional=True),
    Field(12, "evidence", DIGEST, optional=True),
    Field(13, "relay_time", TIME, optional=True),
    Field(14, "address", ID16, optional=True),
    Field(15, "count", Uint(0, limits.MAX_TREE_SIZE), optional=True),
    Field(16, "directory_size", Uint(1, limits.MAX_DIRECTORY_SIZE), optional=True),
)


def write_entry(entry: AuditEntry) -> bytes:
    """The leaf; raises DecodeError."""
    return encode(AUDIT_ENTRY, entry)


def read_entry(leaf: bytes) -> AuditEntry:
    """Read a leaf of any kind but ACCEPTED; raises DecodeError."""
    return decode(AUDIT_ENTRY, leaf, limits.MAX_AUDIT_ENTRY)
