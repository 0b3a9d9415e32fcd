"""The node's answers as values, and what is handed to it.

Times are RFC 3339 texts, as the node writes them; member codes are ISO 3166-1 alpha-3, or `CICA`.
"""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Box = Literal["inbox", "outbox"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file to send along; it is read while it is sent, and again if it has to be sent again.

    Raises ValueError for a name or a media type that would break the request's headers.
    """

    path: Path
    filename: str
    media_type: str = "application/octet-stream"

    def __post_init__(self) -> None:
        """Refuse control characters."""
        if not (self.filename + self.media_type).isprintable() or not self.filename:
            raise ValueError("an attachment's name and media type have printable characters only: rename it")

    @classmethod
    def of(cls, source: "Attachment | Path | str") -> "Attachment":
        """The source itself, or the file at a path under its own name and the media type that its ending suggests."""
        if isinstance(source, Attachment):
            return source
        path = Path(source)
        return cls(path, path.name, mimetypes.guess_type(path.name)[0] or "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Warned:
    """What is unusual about a message that the node took all the same; `code` is stable."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Queued:
    """The node has the message durably. A repeated request is not warned of again.

    `state` is `queued` at first; or `awaiting-release`, when other officials have to approve it (`NodeClient.release`).
    """

    id: str
    state: str
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a message came at one recipient: pending, accepted, delivered, refused or expired; `at`: since when."""

    member: str
    state: str
    at: str | None


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """One attachment of a message; `size` in bytes, `sha256` in hexadecimal."""

    index: int
    filename: str
    media_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A message without its content.

    Attributes:
        titles: by language tag; `title` is the English one, else the Russian.
        waits: why it is not sealed yet, such as a recipient without an encryption epoch; None otherwise.
        path: the members through whose nodes it came, the last sender last.
        raw: the node's whole object.
    """

    id: str
    box: str
    sender: str
    recipients: tuple[Delivery, ...]
    measure: str
    record_type: str
    titles: Mapping[str, str]
    state: str
    precedence: str
    tlp: str
    onward: str
    purpose: str
    created: str
    received: str | None
    attachments: tuple[AttachmentInfo, ...]
    path: tuple[str, ...]
    waits: str | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def title(self) -> str:
        """The title in one language."""
        return self.titles.get("en") or self.titles.get("ru") or next(iter(self.titles.values()), "")


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its record.

    Attributes:
        provision: the terms under which the information was provided (provision 1.7).
        envelopes: those that it travelled in, each with the relay's receipt as far as there is one.
        record_sha256: of the record's exact JSON bytes; a translation names it.
        chain: what began the record's chain and what acted on it, each a row with its `depth` and `state`, as the node
            writes them; `current`: the message whose record holds now.
        event_id: of the event that announced it; give it to `NodeClient.inbox` to go on from there. None when the
            message was asked for by its id.
    """

    summary: Summary
    record: Mapping[str, Any] = field(repr=False)
    provision: Mapping[str, Any] = field(repr=False)
    envelopes: tuple[Mapping[str, Any], ...] = field(repr=False)
    event_id: str | None = None
    record_sha256: str | None = None
    chain: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    current: str | None = None

    @property
    def id(self) -> str:
        """The message's id."""
        return self.summary.id


@dataclass(frozen=True, slots=True)
class Converted:
    """A record made of a file, not sent yet.

    Attributes:
        warnings: what is doubtful: objects with `path`, `found`, `expected`.
        attach: the file has to travel with the record, unchanged, since the record names it.
    """

    record: dict[str, Any] = field(repr=False)
    warnings: tuple[Mapping[str, Any], ...]
    attach: bool


@dataclass(frozen=True, slots=True)
class Exported:
    """A message's record as a file.

    Attributes:
        note: what has to be known of it, None if nothing has.
        filename: a name that says what it is and how it is marked.
        proof: marking, handling, terms and signed evidence, to be kept beside the file.
    """

    content: bytes = field(repr=False)
    media_type: str
    note: str | None
    filename: str
    proof: Mapping[str, Any] = field(repr=False)

    @property
    def marking(self) -> str:
        """The TLP 2.0 marking."""
        return str(self.proof["marking"])

    @property
    def handling(self) -> str:
        """Whether it may leave the state, in words."""
        return str(self.proof["handling"])


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened: `message.received`, `message.state`, or `consent.request`: one about the message moved."""

    id: str | None
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A party of the charter; `names` by language tag; `can_receive`: it has a valid encryption epoch."""

    code: str
    role: str
    names: Mapping[str, str]
    can_receive: bool


@dataclass(frozen=True, slots=True)
class Members:
    """The node's verified view of the directory."""

    members: tuple[Member, ...]
    charter: int
    directory_size: int
