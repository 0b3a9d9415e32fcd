"""What a decrypted body holds: transport part, manifest, attachments, padding (docs/protocol.md, "Content").

The manifest names each attachment by its digest, so the Provision's commitment to the manifest commits to all of it,
and an attachment of any size is checked while it streams by.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from schemas import limits
from schemas.canon import Blob, Choice, Field, Seq, Struct, Text, Uint, decode, encode, fixed
from schemas.contexts import Context, framed
from schemas.errors import DecodeError, Reason
from schemas.ids import DIGEST, ID16, MEMBER, TIME, ClassTag, Digest, MemberId, StreamId, nested

# Below this every message is padded to one size, so that short answers do not stand out.
_LEAST: Final = 1024
_LENGTH_BYTES: Final = 4
# Path separators, line separators, and the controls of writing direction (UAX #9): they reorder what a reader sees.
_UNSAFE_NAME: Final = re.compile(r"[/\\\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class ContentKind(IntEnum):
    """What the manifest's body is: a record's text, what nodes tell each other on their own account, or consent.

    CONSENT: one message about consent (`schemas.consent`). DRAFT: a joint Provision to be signed, with the attachments
    of what it is about.
    """

    RECORD = 1
    HEAD = 2
    RESEND = 3
    CONSENT = 4
    DRAFT = 5


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that follows the manifest: plain name, media type, size in bytes, SHA-256."""

    filename: str
    media_type: str
    size: int
    sha256: Digest

    def __post_init__(self) -> None:
        """Refuse a name that is a path or hides its end: it is written to disks and shown to people."""
        if _UNSAFE_NAME.search(self.filename) is not None or self.filename in (".", ".."):
            raise DecodeError(Reason.OUT_OF_RANGE, "Attachment.filename")


@dataclass(frozen=True, slots=True)
class ClassMeaning:
    """What one class tag of the Provision stands for: the provider's own words."""

    tag: ClassTag
    name: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content part, passed on byte for byte: `body` is the record's JSON text, or a head.

    `classes`: what each class tag of its Provision stands for, in the order of the tags; None when that has none.
    """

    salt: bytes
    providers: tuple[MemberId, ...]
    kind: ContentKind
    body: bytes
    attachments: tuple[Attachment, ...]
    classes: tuple[ClassMeaning, ...] | None = None

    @property
    def class_tags(self) -> tuple[ClassTag, ...]:
        """The tags that it explains; the Provision that commits to it has exactly these."""
        return tuple(meaning.tag for meaning in self.classes or ())


@dataclass(frozen=True, slots=True)
class Transport:
    """The part that is new for every envelope.

    Attributes:
        directory_size: the size of the directory that the sender used.
        content_size: bytes of the content part: manifest with its length, and attachments.
        checkpoint: the newest cosigned checkpoint of the directory that the sender knows, as a signed note with the
            relay's Ed25519 line alone: so that members who are shown two directories learn of it.
        anchor: the newest checkpoint of the sender's own audit log that the relay has, as a signed note with the
            Ed25519 line of the sender alone: so that it cannot rewrite its log afterwards.
    """

    directory_size: int
    content_size: int
    checkpoint: bytes | None = None
    anchor: bytes | None = None


class VoidReason(IntEnum):
    """Why a number was used and no envelope will come under it."""

    EXPIRED = 1
    REFUSED = 2
    SUPERSEDED = 3
    LOST = 4


@dataclass(frozen=True, slots=True)
class Void:
    """A number that its sender settles without an envelope."""

    number: int
    reason: VoidReason


@dataclass(frozen=True, slots=True)
class Head:
    """The sender's statement of how far a stream to this recipient is.

    Attributes:
        last: the last number used, 0 when none.
        digest: of the header that carried it; 32 zero bytes when none.
        voids: numbers settled without an envelope, ascending.
        recent: of the headers that carried the numbers before it, up to `last` - 1; None when it says nothing of them.

    Raises DecodeError (contradiction) when `recent` is of more numbers than there are before it.
    """

    stream: StreamId
    last: int
    digest: Digest
    voids: tuple[Void, ...]
    recent: tuple[Digest, ...] | None = None

    def __post_init__(self) -> None:
        """Numbers begin with 1."""
        if len(self.recent or ()) >= max(self.last, 1):
            raise DecodeError(Reason.CONTRADICTION, "Head.recent")

    def number_of(self, digest: Digest) -> int | None:
        """The number that a header has, as far as this head says."""
        named = (*(self.recent or ()), self.digest)
        return self.last - len(named) + 1 + named.index(digest) if self.last and digest in named else None


@dataclass(frozen=True, slots=True)
class Resend:
    """A recipient's request that its partner seal for it anew what it lost: what it answered at `since` or later."""

    since: int


ATTACHMENT: Final = Struct(
    Attachment,
    Field(1, "filename", Text(limits.MAX_FILENAME)),
    Field(2, "media_type", Text(limits.MAX_FILENAME)),
    Field(3, "size", Uint(0, limits.MAX_CONTENT)),
    Field(4, "sha256", DIGEST),
)
CLASS_MEANING: Final = Struct(ClassMeaning, Field(1, "tag", ID16), Field(2, "name", Text(limits.MAX_NAME)))
MANIFEST: Final = Struct(
    Manifest,
    Field(1, "salt", fixed(32)),
    Field(2, "providers", Seq(MEMBER, 1, limits.MAX_PROVIDERS, lambda m: m)),
    Field(3, "kind", Choice(ContentKind)),
    Field(4, "body", Blob(1, limits.MAX_RECORD)),
    Field(5, "attachments", Seq(ATTACHMENT, 0, limits.MAX_ATTACHMENTS)),
    Field(6, "classes", Seq(CLASS_MEANING, 1, limits.MAX_CLASS_TAGS, lambda meaning: meaning.tag), optional=True),
)
TRANSPORT: Final = Struct(
    Transport,
    Field(1, "directory_size", Uint(0, limits.MAX_DIRECTORY_SIZE)),
    Field(2, "content_size", Uint(1, limits.MAX_CONTENT)),
    Field(3, "checkpoint", nested(limits.MAX_GOSSIP), optional=True),
    Field(4, "anchor", nested(limits.MAX_GOSSIP), optional=True),
)
VOID: Final = Struct(Void, Field(1, "number", Uint(1, limits.MAX_NUMBER)), Field(2, "reason", Choice(VoidReason)))
HEAD: Final = Struct(
    Head,
    Field(1, "stream", ID16),
    Field(2, "last", Uint(0, limits.MAX_NUMBER)),
    Field(3, "digest", DIGEST),
    Field(4, "voids", Seq(VOID, 0, 256, lambda void: void.number)),
    Field(5, "recent", Seq(DIGEST, 1, limits.MAX_RECENT), optional=True),
)
RESEND: Final = Struct(Resend, Field(1, "since", TIME))


def commitment_input(manifest: bytes) -> bytes:
    """The bytes whose SHA-256 is the Provision's commitment; the salt stands inside the manifest."""
    return framed(Context.CONTENT, manifest)


def padded_size(size: int) -> int:
    """Padme: the padded size for `size` bytes, which tells an observer O(log log size) bits of it.

    Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019.
    """
    size = max(size, _LEAST)
    exponent = size.bit_length() - 1
    mantissa = exponent.bit_length()
    mask = (1 << (exponent - mantissa)) - 1
    return (size + mask) & ~mask


def payload_prefix(transport: Transport, manifest: bytes) -> bytes:
    """What stands before the attachments: each part after its length, 4 bytes, big-endian."""
    head = encode(TRANSPORT, transport)
    return _sized(head) + _sized(manifest)


def content_size(manifest: bytes, attachments: tuple[Attachment, ...]) -> int:
    """Bytes of the content part."""
    return _LENGTH_BYTES + len(manifest) + sum(attachment.size for attachment in attachments)


def read_transport(data: bytes) -> Transport:
    """Read a transport part; raises DecodeError."""
    return decode(TRANSPORT, data, limits.MAX_TRANSPORT)


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest; raises DecodeError."""
    return decode(MANIFEST, data, limits.MAX_MANIFEST)


def _sized(part: bytes) -> bytes:
    return len(part).to_bytes(_LENGTH_BYTES, "big") + part
