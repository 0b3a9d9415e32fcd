"""What happened to one message, or in the streams of two nodes, as one file (docs/protocol.md, "Evidence files").

The file is the line `cbm/1 evidence`, one Evidence, then the directory by which it is judged: every entry from the
first on. Each stands after its length in 4 bytes, big-endian. Nothing in it is signed by who made it: every claim rests
on objects that others can check, and what is not in it proves nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas import limits
from schemas.canon import Field, Seq, Struct, Uint, decode, encode
from schemas.errors import DecodeError, Reason
from schemas.files import EVIDENCE_LINE, join_parts, split_parts
from schemas.ids import DIGEST, MEMBER, TIME, Digest, MemberId, nested
from schemas.origin import ORIGINS, Origins
from schemas.refused import MAX_REFUSED

_SIGNED: Final = 2 * limits.KIB


@dataclass(frozen=True, slots=True)
class EnvelopeEvidence:
    """One envelope and what became of it; all but `logged` are exact bytes.

    Attributes:
        header: a `Header`.
        receipt: the relay's `SignedReceipt`.
        logged: that its acceptance stands in the relay's log: one proof.
        acknowledgements: `SignedAcknowledgement`s of its recipients.
        manifest: the content that a Provision in the header commits to; absent where it stays sealed.
    """

    header: bytes
    receipt: bytes | None
    logged: Origins | None
    acknowledgements: tuple[bytes, ...]
    manifest: bytes | None


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry of an audit log under a checkpoint of that log.

    Attributes:
        leaf: the exact bytes of an `AuditEntry`.
        index: its place in the log.
        path: RFC 6962 section 2.1.1, from the bottom to the top.
        note: the checkpoint, as a signed note.
    """

    leaf: bytes
    index: int
    path: tuple[Digest, ...]
    note: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a member's node has on file; `time` (Unix seconds) is when it was written out, by the node's clock.

    Attributes:
        provision: digest of the Provision that it is about, of a message.
        partner: the member between whose node and this one the streams are that it is about.
        checkpoint: the cosigned checkpoint of the directory that follows, as a signed note.
        envelopes: that carried what stands under the Provision, forwards included.
        heads: envelopes whose content is a head, with it.
        refused: `RefusedTransfer`s, exact bytes.
        grants, statements, openings: `SignedGrant`s, holders' `SignedStatement`s, `SignedOpening`s, exact bytes.
        entries: of audit logs.
        earlier: cosigned checkpoints of the same directory when it was smaller, as signed notes: what stood in a log
            before a key ended is known by them.

    Raises DecodeError (contradiction) when it is about both or neither.
    """

    member: MemberId
    time: int
    provision: Digest | None
    partner: MemberId | None
    checkpoint: bytes
    envelopes: tuple[EnvelopeEvidence, ...]
    heads: tuple[EnvelopeEvidence, ...] = ()
    refused: tuple[bytes, ...] = ()
    grants: tuple[bytes, ...] = ()
    statements: tuple[bytes, ...] = ()
    openings: tuple[bytes, ...] = ()
    entries: tuple[LoggedEntry, ...] = ()
    earlier: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """It is about one thing."""
        if (self.provision is None) == (self.partner is None):
            raise DecodeError(Reason.CONTRADICTION, "Evidence.provision")


def _bytes(data: bytes) -> bytes:
    return data


ENVELOPE_EVIDENCE: Final = Struct(
    EnvelopeEvidence,
    Field(1, "header", nested(limits.MAX_HEADER)),
    Field(2, "receipt", nested(limits.MAX_SMALL_OBJECT), optional=True),
    Field(3, "logged", ORIGINS, optional=True),
    Field(4, "acknowledgements", Seq(nested(limits.MAX_SMALL_OBJECT), 0, limits.MAX_ACKNOWLEDGEMENTS, _bytes)),
    Field(5, "manifest", nested(limits.MAX_MANIFEST), optional=True),
)
LOGGED_ENTRY: Final = Struct(
    LoggedEntry,
    Field(1, "leaf", nested(limits.MAX_AUDIT_ENTRY)),
    Field(2, "index", Uint(0, limits.MAX_TREE_SIZE - 1)),
    Field(3, "path", Seq(DIGEST, 0, limits.MAX_PROOF)),
    Field(4, "note", nested(limits.MAX_ORIGIN_NOTE)),
)
EVIDENCE: Final = Struct(
    Evidence,
    Field(1, "member", MEMBER),
    Field(2, "time", TIME),
    Field(3, "provision", DIGEST, optional=True),
    Field(4, "partner", MEMBER, optional=True),
    Field(5, "checkpoint", nested(limits.MAX_NOTE)),
    Field(6, "envelopes", Seq(ENVELOPE_EVIDENCE, 0, limits.MAX_EVIDENCE_ENVELOPES)),
    Field(7, "heads", Seq(ENVELOPE_EVIDENCE, 0, limits.MAX_EVIDENCE_ENVELOPES)),
    Field(8, "refused", Seq(nested(MAX_REFUSED), 0, limits.MAX_EVIDENCE_REFUSALS)),
    Field(9, "grants", Seq(nested(_SIGNED), 0, limits.MAX_EVIDENCE_ITEMS, _bytes)),
    Field(10, "statements", Seq(nested(limits.MAX_SERVICE + limits.KIB), 0, limits.MAX_EVIDENCE_ITEMS, _bytes)),
    Field(11, "openings", Seq(nested(limits.MAX_SMALL_OBJECT), 0, limits.MAX_EVIDENCE_ITEMS, _bytes)),
    Field(12, "entries", Seq(LOGGED_ENTRY, 0, limits.MAX_EVIDENCE_ENVELOPES)),
    Field(13, "earlier", Seq(nested(limits.MAX_NOTE), 0, limits.MAX_EVIDENCE_EARLIER, _bytes)),
)


def encode_evidence(evidence: Evidence, entries: Iterable[bytes]) -> bytes:
    """An evidence file. Raises DecodeError (too-large) when it would be larger than one may be."""
    body = encode(EVIDENCE, evidence)
    if len(body) > limits.MAX_EVIDENCE:
        raise DecodeError(Reason.TOO_LARGE, "Evidence")
    return join_parts(EVIDENCE_LINE, (body, *entries), limits.MAX_PROOF_FILE)


def read_evidence(data: bytes) -> tuple[Evidence, tuple[bytes, ...]]:
    """The evidence in a file, and the bytes of the directory's entries; nothing is verified. Raises DecodeError."""
    body, *entries = split_parts(EVIDENCE_LINE, data, limits.MAX_PROOF_FILE)
    return decode(EVIDENCE, body, limits.MAX_EVIDENCE), tuple(entries)
