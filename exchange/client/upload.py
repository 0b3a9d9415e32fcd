"""The body of a message that is handed in: plain JSON, or a form with the message first and then its files."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp

from exchange.client.models import Attachment

Progress = Callable[[int, int], None]
"""Called with the bytes of attachments sent so far and in all; it starts at 0 again when the request is repeated."""

_PIECE: Final = 256 * 1024


def json_body(value: Mapping[str, Any]) -> aiohttp.Payload:
    """A JSON object as a request's body."""
    return aiohttp.BytesPayload(_text(value), content_type="application/json")


def form_body(
    message: Mapping[str, Any], attachments: Sequence[Attachment], progress: Progress | None
) -> aiohttp.MultipartWriter:
    """The message and its files, each opened when its turn comes."""
    form = aiohttp.MultipartWriter("form-data")
    part = form.append(_text(message), {"Content-Type": "application/json"})
    part.set_content_disposition("form-data", name="message")
    count = _Counter(sum(attachment.path.stat().st_size for attachment in attachments), progress)
    for attachment in attachments:
        headers = {"Content-Type": attachment.media_type}
        part = form.append(_pieces(attachment, count), headers)
        # UTF-8 in quotes, as curl and browsers write names; the other form is percent-encoded, which servers keep.
        part.set_content_disposition("form-data", quote_fields=False, name="attachment", filename=attachment.filename)
    return form


class _Counter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._sent = 0
        self._total = total
        self._progress = progress

    def add(self, size: int) -> None:
        self._sent += size
        if self._progress is not None:
            self._progress(self._sent, self._total)


async def _pieces(attachment: Attachment, count: _Counter) -> AsyncIterator[bytes]:
    with attachment.path.open("rb") as file:  # opening does not block; reading is in a thread
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
            count.add(len(piece))


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
