"""The node's answers as values. Members that this version does not know are ignored, so that a node may be newer.

Times are RFC 3339 texts, as the node writes them; member codes are ISO 3166-1 alpha-3, or `CICA`.
"""

import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from exchange.client.errors import BadAnswer

T = TypeVar("T")

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
class Queued:
    """The node has the message durably; `state` is `queued` at first."""

    id: str
    state: str


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
        event_id: of the event that announced it; give it to `NodeClient.inbox` to go on from there. None when the
            message was asked for by its id.
    """

    summary: Summary
    record: Mapping[str, Any] = field(repr=False)
    provision: Mapping[str, Any] = field(repr=False)
    envelopes: tuple[Mapping[str, Any], ...] = field(repr=False)
    event_id: str | None = None

    @property
    def id(self) -> str:
        """The message's id."""
        return self.summary.id


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened: `message.received` or `message.state`."""

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


def queued(answer: object) -> Queued:
    """Read the answer to a message handed in; raises BadAnswer."""
    return _read(answer, lambda o: Queued(_text(o, "id"), _text(o, "state")))


def summary(answer: object) -> Summary:
    """Read one row of a box; raises BadAnswer."""
    return _read(
        answer,
        lambda o: Summary(
            **{name: _text(o, name) for name in _SUMMARY_TEXTS},
            recipients=tuple(Delivery(_text(r, "member"), _text(r, "state"), r.get("at")) for r in o["recipients"]),
            titles=_names(o["title"]),
            received=_text(o, "received") if o.get("received") is not None else None,
            attachments=tuple(_attachment(a) for a in o["attachments"]),
            path=tuple(str(member) for member in o.get("path") or ()),
            waits=_text(o, "waits") if o.get("waits") is not None else None,
            raw=o,
        ),
    )


def message(answer: object, event_id: str | None = None) -> Message:
    """Read a whole message; raises BadAnswer."""
    row = summary(answer)
    return _read(
        answer,
        lambda o: Message(
            row, dict(o["record"]), dict(o["provision"]), tuple(dict(e) for e in o["envelopes"]), event_id
        ),
    )


def page(answer: object) -> tuple[list[Summary], str | None]:
    """Read one page of a box and the cursor of the next; raises BadAnswer."""
    rows, following = _read(answer, lambda o: (list(o["messages"]), o.get("next")))
    return [summary(row) for row in rows], None if following is None else str(following)


def members(answer: object) -> Members:
    """Read the list of members; raises BadAnswer."""
    return _read(
        answer,
        lambda o: Members(
            tuple(
                Member(_text(m, "code"), str(m["role"]).lower(), _names(m["names"]), bool(m["can_receive"]))
                for m in o["members"]
            ),
            int(o["charter"]),
            int(o["directory_size"]),
        ),
    )


def mapping(answer: object) -> dict[str, Any]:
    """Read any object; raises BadAnswer."""
    return _read(answer, dict)


_SUMMARY_TEXTS = (
    "id",
    "box",
    "sender",
    "measure",
    "record_type",
    "state",
    "precedence",
    "tlp",
    "onward",
    "purpose",
    "created",
)


def _read(answer: object, build: Callable[[dict[str, Any]], T]) -> T:
    if not isinstance(answer, dict):
        raise BadAnswer("the answer is no JSON object: check that the address is the node's")
    try:
        return build(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        lacks = f"lacks {fault.args[0]!r}" if isinstance(fault, KeyError) else "has another shape"
        raise BadAnswer(f"the node's answer {lacks}: use a client of the node's version") from None


def _text(answer: Mapping[str, Any], name: str) -> str:
    value = answer[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _attachment(answer: Mapping[str, Any]) -> AttachmentInfo:
    return AttachmentInfo(
        int(answer["index"]),
        _text(answer, "filename"),
        _text(answer, "media_type"),
        int(answer["size"]),
        _text(answer, "sha256"),
    )


def _names(answer: Mapping[str, Any]) -> dict[str, str]:
    """Texts by language tag."""
    return {language: _text(answer, language) for language in answer}
