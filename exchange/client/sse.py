"""Server-sent events (WHATWG HTML, section 9.2.6) out of pieces of bytes as they come."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from exchange.client.errors import BadAnswer

# An event announces a message; it never carries one.
_MAX_EVENT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One event before its data is read; `id` is the last one seen, which a later request resumes after."""

    id: str | None
    kind: str
    data: str


class SseParser:
    """Collects lines into events; one parser per connection, started with the last id known."""

    def __init__(self, last_id: str | None = None) -> None:
        """Events that carry no id of their own have `last_id`."""
        self.last_id = last_id
        self._buffer = b""
        self._kind = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[RawEvent]:
        """The events that `piece` completes; raises BadAnswer when one is larger than any that a node sends."""
        # A carriage return at the end may be the first half of a line end, so it waits for the next piece.
        text = (self._buffer + piece).replace(b"\r\n", b"\n")
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = text[: len(text) - len(held)].replace(b"\r", b"\n").split(b"\n")
        self._buffer = rest + held
        self._refuse_large(len(self._buffer))
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event

    def _line(self, line: bytes) -> RawEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(line)
            self._refuse_large(self._size)
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        return None

    def _dispatch(self) -> RawEvent | None:
        kind, data = self._kind or "message", self._data
        self._kind, self._data, self._size = "", [], 0
        return RawEvent(self.last_id, kind, "\n".join(data)) if data else None

    def _refuse_large(self, size: int) -> None:
        if size > _MAX_EVENT:
            raise BadAnswer("the node sent an event larger than any of its interface: check the address")
