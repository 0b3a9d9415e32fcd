"""Reads the node's answers. Members that this version does not know are ignored, so that a node may be newer."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from exchange.client.errors import BadAnswer
from exchange.client.models import (
    AttachmentInfo,
    Converted,
    Delivery,
    Exported,
    Member,
    Members,
    Message,
    Queued,
    Summary,
    Warned,
)

T = TypeVar("T")


def queued(answer: object) -> Queued:
    """Read the answer to a message handed in; raises BadAnswer."""
    return _read(
        answer,
        lambda o: Queued(
            _text(o, "id"),
            _text(o, "state"),
            tuple(Warned(_text(w, "code"), _text(w, "detail")) for w in o.get("warnings", ())),
        ),
    )


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
            row,
            dict(o["record"]),
            dict(o["provision"]),
            tuple(dict(e) for e in o["envelopes"]),
            event_id,
            o.get("record_sha256"),
            tuple(dict(line) for line in o.get("chain", ())),
            o.get("current"),
        ),
    )


def page(answer: object) -> tuple[list[Summary], str | None]:
    """Read one page of a box and the cursor of the next; raises BadAnswer."""
    rows, following = _read(answer, lambda o: (list(o["messages"]), o.get("next")))
    return [summary(row) for row in rows], None if following is None else str(following)


def converted(answer: object) -> Converted:
    """Read the answer to a conversion; raises BadAnswer."""
    return _read(
        answer,
        lambda o: Converted(
            dict(o["record"]), tuple(dict(one) for one in o["warnings"]), o.get("attachment") is not None
        ),
    )


def exported(answer: object) -> Exported:
    """Read an export with its proof; raises BadAnswer."""
    return _read(
        answer,
        lambda o: Exported(
            base64.b64decode(_text(o, "content"), validate=True),
            _text(o, "media_type"),
            None if o.get("note") is None else _text(o, "note"),
            _text(o, "filename"),
            {**o["proof"], "marking": _text(o["proof"], "marking"), "handling": _text(o["proof"], "handling")},
        ),
    )


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


def rows(answer: object, name: str) -> list[dict[str, Any]]:
    """Read the objects in one member of an answer; raises BadAnswer."""
    return _read(answer, lambda o: [dict(row) for row in o[name]])


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
