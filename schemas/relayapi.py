"""Frames of the WebSocket between a node and the relay, and the relay's paths (docs/protocol.md, "Relay API").

A frame is one kind byte and one object. The node connects; the relay sends Challenge; the node answers Proof; the relay
answers Welcome; then the relay sends Deliver, Notice, RefusedTransfer and WitnessRequest, the node sends Acks, Seen,
RefusalsSeen and WitnessAnswer, in any order.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Blob, Choice, Field, Seq, Struct, Text, Uint, fixed
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ED25519_SIGNATURE, ID16, MEMBER, TIME, Digest, EnvelopeId, KeyId, MemberId, nested
from schemas.kinds import Kinds
from schemas.refused import MAX_REFUSED, REFUSED_TRANSFER, RefusedTransfer

PATH_ENVELOPES: Final = "/v1/envelopes"
PATH_MAILBOX: Final = "/v1/mailbox"
PATH_BODIES: Final = "/v1/bodies"
PATH_DIRECTORY: Final = "/v1/directory"
PATH_ACKS: Final = "/v1/acknowledgements"
PATH_NOTICES: Final = "/v1/notices"
PATH_REFUSALS: Final = "/v1/refusals"
PATH_SESSION: Final = "/v1/session"
PATH_LOG: Final = "/v1/log"
PATH_ANCHORS: Final = "/v1/anchors"

# A body up to this size travels inside its Deliver frame; a larger one is fetched as a stream.
INLINE_BODY: Final = 64 * limits.KIB
MAX_FRAME: Final = limits.MAX_HEADER + INLINE_BODY + 8 * limits.KIB
# How many envelopes the relay sends before it waits for acknowledgements: bounds what a slow node makes it hold.
WINDOW: Final = 64
MAX_ACKS: Final = 64
# Refused transfers in one answer to a pull: their headers are of 2 MiB together at most, or it is one.
MAX_PULLED_REFUSALS: Final = 16
# A request holds at most 63 hashes of a proof (45 bytes each) and a checkpoint with the relay's two signatures (some
# 5 KiB); an answer the two cosignature lines of a node, of which the longer is 3.4 KiB, or those of a few keys.
MAX_WITNESS_REQUEST: Final = 16 * limits.KIB
MAX_WITNESS_ANSWER: Final = 16 * limits.KIB
MAX_ORIGIN: Final = 200


class SessionRole(IntEnum):
    """What a session is for."""

    NODE = 1


@dataclass(frozen=True, slots=True)
class Challenge:
    """The relay's first word: 32 random bytes and which of its identities speaks."""

    nonce: bytes
    relay: KeyId
    time: int


@dataclass(frozen=True, slots=True)
class SessionStatement:
    """What both sides sign, each under its own label; bound to the TLS certificate that the client saw.

    `tls_digest` is its SHA-256 (tls-server-end-point, RFC 5929), None on a plain loopback connection.
    """

    nonce: bytes
    relay: KeyId
    member: MemberId
    role: SessionRole
    time: int
    tls_digest: Digest | None


@dataclass(frozen=True, slots=True)
class Proof:
    """The node's answer: the exact bytes of its statement, its signing key, its signature."""

    statement: bytes
    key_id: KeyId
    signature: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """The relay's signature over the same statement."""

    signature: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """One envelope for the node: header, signed receipt, and the body when it is small."""

    header: bytes
    receipt: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Notice:
    """Acknowledgements by recipients of envelopes that this node sent."""

    acknowledgements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Acks:
    """This node's own acknowledgements."""

    acknowledgements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SeenItem:
    """One acknowledgement that the sender has on file: which envelope, by which recipient."""

    envelope: EnvelopeId
    recipient: MemberId


@dataclass(frozen=True, slots=True)
class Seen:
    """The node has these notices on file; the relay need not repeat them."""

    items: tuple[SeenItem, ...]


@dataclass(frozen=True, slots=True)
class RefusalsSeen:
    """The provider's node has dealt with these refused transfers, by the digests of their headers."""

    digests: tuple[Digest, ...]


class WitnessStatus(IntEnum):
    """What a node answers as a witness, by the HTTP status of tlog-witness; NOT_NOW is ours.

    COSIGNED: it has checked and kept the checkpoint. OTHER_SIZE: its newest is of another size than the request's
    `old`. INCONSISTENT: the proof does not hold, which may be evidence against the relay. NOT_NOW: its clock or its
    store do not let it sign.
    """

    COSIGNED = 200
    MALFORMED = 400
    BAD_SIGNATURE = 403
    UNKNOWN_LOG = 404
    OTHER_SIZE = 409
    INCONSISTENT = 422
    NOT_NOW = 503


@dataclass(frozen=True, slots=True)
class WitnessRequest:
    """The relay asks for a cosignature: the body of a tlog-witness add-checkpoint request."""

    body: bytes


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """A node's answer for one log.

    Attributes:
        origin: of the log.
        size: of the checkpoint that was asked about; with OTHER_SIZE, of the newest that the node has cosigned.
        lines: its signature lines (UTF-8, as in tlog-witness), only with COSIGNED.

    Raises DecodeError (contradiction) for lines with another status, or none with COSIGNED.
    """

    origin: str
    size: int
    status: WitnessStatus
    lines: bytes | None

    def __post_init__(self) -> None:
        """Lines stand with one status only."""
        if (self.lines is not None) != (self.status is WitnessStatus.COSIGNED):
            raise DecodeError(Reason.CONTRADICTION, "WitnessAnswer.lines")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Answer to a pull: envelopes and notices that wait."""

    envelopes: tuple[Deliver, ...]
    acknowledgements: tuple[bytes, ...]
    refusals: tuple[RefusedTransfer, ...] | None = None


Frame = (
    Challenge
    | Proof
    | Welcome
    | Deliver
    | Notice
    | Acks
    | Seen
    | WitnessRequest
    | WitnessAnswer
    | RefusedTransfer
    | RefusalsSeen
)

SESSION_STATEMENT: Final = Struct(
    SessionStatement,
    Field(1, "nonce", fixed(32)),
    Field(2, "relay", DIGEST),
    Field(3, "member", MEMBER),
    Field(4, "role", Choice(SessionRole)),
    Field(5, "time", TIME),
    Field(6, "tls_digest", DIGEST, optional=True),
)
_ACKS: Final = Seq(nested(limits.MAX_SMALL_OBJECT), 1, MAX_ACKS)
_CHALLENGE: Final = Struct(Challenge, Field(1, "nonce", fixed(32)), Field(2, "relay", DIGEST), Field(3, "time", TIME))
_PROOF: Final = Struct(
    Proof,
    Field(1, "statement", nested(limits.MAX_SMALL_OBJECT)),
    Field(2, "key_id", DIGEST),
    Field(3, "signature", ED25519_SIGNATURE),
)
_WELCOME: Final = Struct(Welcome, Field(1, "signature", ED25519_SIGNATURE))
_DELIVER: Final = Struct(
    Deliver,
    Field(1, "header", nested(limits.MAX_HEADER)),
    Field(2, "receipt", nested(limits.MAX_SMALL_OBJECT)),
    Field(3, "body", Blob(1, INLINE_BODY), optional=True),
)
_NOTICE: Final = Struct(Notice, Field(1, "acknowledgements", _ACKS))
ACKS: Final = Struct(Acks, Field(1, "acknowledgements", _ACKS))
_SEEN_ITEM: Final = Struct(SeenItem, Field(1, "envelope", ID16), Field(2, "recipient", MEMBER))
SEEN: Final = Struct(Seen, Field(1, "items", Seq(_SEEN_ITEM, 1, MAX_ACKS)))
REFUSALS_SEEN: Final = Struct(RefusalsSeen, Field(1, "digests", Seq(DIGEST, 1, MAX_ACKS)))
_WITNESS_REQUEST: Final = Struct(WitnessRequest, Field(1, "body", nested(MAX_WITNESS_REQUEST)))
_WITNESS_ANSWER: Final = Struct(
    WitnessAnswer,
    Field(1, "origin", Text(MAX_ORIGIN)),
    Field(2, "size", Uint(0, limits.MAX_NUMBER)),
    Field(3, "status", Choice(WitnessStatus)),
    Field(4, "lines", nested(MAX_WITNESS_ANSWER), optional=True),
)
MAILBOX: Final = Struct(
    Mailbox,
    Field(1, "envelopes", Seq(_DELIVER, 0, WINDOW)),
    Field(2, "acknowledgements", Seq(nested(limits.MAX_SMALL_OBJECT), 0, MAX_ACKS)),
    Field(3, "refusals", Seq(REFUSED_TRANSFER, 1, MAX_PULLED_REFUSALS), optional=True),
)
MAX_MAILBOX: Final = 2 * MAX_FRAME + MAX_ACKS * limits.MAX_SMALL_OBJECT + 2 * MAX_REFUSED

FRAMES: Final[Kinds[Frame]] = Kinds(
    "Frame",
    MAX_FRAME,
    {
        1: _CHALLENGE,
        2: _PROOF,
        3: _WELCOME,
        4: _DELIVER,
        5: _NOTICE,
        6: ACKS,
        7: SEEN,
        8: _WITNESS_REQUEST,
        9: _WITNESS_ANSWER,
        10: REFUSED_TRANSFER,
        11: REFUSALS_SEEN,
    },
)


def encode_frame(frame: Frame) -> bytes:
    """Kind byte and object."""
    return FRAMES.encode(frame)


def decode_frame(data: bytes) -> Frame:
    """Read one frame; raises DecodeError."""
    return FRAMES.decode(data)
