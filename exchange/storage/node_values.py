"""Values that cross the border of a node's store. Everything called sealed is ciphertext under the node's local key."""

from dataclasses import dataclass

from exchange.delivery.streams import StreamState


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """An attachment's place: index in the manifest, and name of its sealed file."""

    position: int
    file: str


@dataclass(frozen=True, slots=True)
class GrantUse:
    """One use of a held Grant (provider, id) by a transfer; `provision`: the Provision's id."""

    provider: str
    grant: bytes
    recipient: str
    provision: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A ministry's message, sent or received. Times are Unix seconds; `recipients` are member codes.

    `id` is the first 16 bytes of the Provision's digest, at its sender and at every receiver; a forward's is its own.
    `direct`: this copy was sent by a provider itself. `record_id` and `named`: the record inside, and the records that
    it names. These three are taken in and not given out again. `replaces`: the envelope in whose place a queued message
    is sealed; it is given out with messages that are due, and not taken in. `kind`: of its content
    (`schemas.content.ContentKind`); ministries see records only. `uses`: of held Grants, which this transfer makes;
    taken in, and not given out.
    """

    id: bytes
    box: str
    provision: bytes
    state: str
    ministry: str | None
    measure: str
    record_type: str
    precedence: int
    created: int
    due: int
    expires: int
    signed_provisions: tuple[bytes, ...]
    signed_grants: tuple[bytes, ...]
    purpose: int
    path: tuple[str, ...]
    sealed_manifest: bytes
    sealed_title: bytes
    recipients: tuple[str, ...]
    attachments: tuple[StoredAttachment, ...]
    waits: str | None = None
    seq: int = 0
    direct: bool = False
    record_id: str | None = None
    named: tuple[str, ...] = ()
    replaces: bytes | None = None
    kind: int = 1
    uses: tuple[GrantUse, ...] = ()
    official: str | None = None


@dataclass(frozen=True, slots=True)
class RecordRow:
    """Where a record is: its message, what decides who may see it, and the size of its sealed manifest in bytes."""

    message: bytes
    measure: str
    record_type: str
    ministry: str | None
    size: int


@dataclass(frozen=True, slots=True)
class IndexRow:
    """The record in a message, and the records that it names."""

    message: bytes
    record_id: str
    named: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A message with the evidence about it: the relay's receipts, and the acknowledgements of its recipients."""

    message: Message
    receipts: tuple[bytes, ...]
    acknowledgements: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """One recipient's state, since when, and the acknowledgement on file."""

    member: str
    state: str
    changed: int
    acknowledgement: bytes | None


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A ministry's key for one request: whose token, which key, digest of the request."""

    token: str
    key: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """A number that an envelope takes in the stream to one recipient."""

    recipient: str
    kind: int
    stream: bytes
    number: int
    head_due: int | None


@dataclass(frozen=True, slots=True)
class OutboxEnvelope:
    """A sealed envelope. `body` None: the ciphertext is in the spool. `message` None: a head."""

    envelope: bytes
    message: bytes | None
    state: str
    precedence: int
    created: int
    expires: int
    header: bytes
    header_digest: bytes
    body: bytes | None
    attempts: int = 0
    receipt: bytes | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A partner that is to be asked to send again what this node answered at `since` or later."""

    member: str
    since: int


@dataclass(frozen=True, slots=True)
class Resent:
    """A message that is to be sealed anew for one recipient, in place of an envelope whose header is `replaced`.

    `waits`: until the recipient has another epoch than that envelope was sealed to.
    """

    message: Message
    member: str
    asked: int
    replaces: bytes
    replaced: bytes
    waits: bool


@dataclass(frozen=True, slots=True)
class StreamOut:
    """The stream to one recipient: last number used and digest of the header that has it."""

    recipient: str
    kind: int
    stream: bytes
    last: int
    digest: bytes
    head_due: int | None


@dataclass(frozen=True, slots=True)
class SettledStream:
    """How far a stream may be announced: every number up to `last` is accepted or void.

    `recent`: digests of the headers that had the numbers before it, in the order of the numbers.
    """

    stream: bytes
    last: int
    digest: bytes
    voids: tuple[tuple[int, int], ...]
    recent: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceivedEnvelope:
    """Evidence of one envelope that reached this node, and what it answered."""

    sender: str
    envelope: bytes
    header_digest: bytes
    header: bytes
    receipt: bytes
    acknowledgement: bytes
    provision: bytes
    outcome: str
    reason: str | None
    time: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A place in a sender's stream: an envelope's number with its digest, or what a head settles and announces."""

    sender: str
    stream: bytes
    number: int | None
    digest: bytes | None
    voids: tuple[int, ...] = ()
    last: int = 0


@dataclass(frozen=True, slots=True)
class LateStream:
    """A sender's stream with what is missing in it; up to `told` an alarm has named it."""

    sender: str
    stream: bytes
    state: StreamState
    told: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that people must look at. `fact` is what it is about: the same fact is one alarm."""

    fact: str
    kind: str
    member: str | None
    detail: str
    time: int
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the event stream. `data` is JSON of states and ids, no content."""

    seq: int
    message: bytes
    type: str
    data: str
    measure: str
    record_type: str
    ministry: str | None


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token: SHA-256 of its secret half, whom it belongs to, what it may do, for which measures."""

    id: str
    hash: bytes
    ministry: str
    scopes: tuple[str, ...]
    measures: tuple[str, ...]
    created: int
    revoked: int | None
