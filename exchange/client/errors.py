"""What can go wrong between a ministry's program and its node. No message holds a token or content."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """Base of all that this package raises on purpose; one line: what, why, what to do."""


class Unreachable(ClientError):
    """The node did not answer within the attempts allowed; what was asked may or may not have happened.

    Asking again with the same idempotency key is safe.
    """


class BadAnswer(ClientError):
    """What answered does not speak the node's interface, or a newer version of it."""


class NotPrivate(ClientError):
    """A token that others could read: on disk, or on its way."""


class Problem(ClientError):
    """The node refused, with a problem document (RFC 9457).

    Attributes:
        type: a stable URN such as `urn:cbm:problem:equivocation`; `about:blank` when it was no problem document.
        title: the kind of problem, for people.
        status: HTTP status.
        detail: this problem, one line.
        extra: the document's further members, such as the provider whose consent is missing.
    """

    def __init__(self, type: str, title: str, status: int, detail: str, extra: Mapping[str, Any]) -> None:  # noqa: A002
        """Keep the members; the message is the detail."""
        super().__init__(detail or title)
        self.type = type
        self.title = title
        self.status = status
        self.detail = detail
        self.extra = dict(extra)

    def document(self) -> dict[str, Any]:
        """The problem document again."""
        return {
            **self.extra,
            "type": self.type,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
