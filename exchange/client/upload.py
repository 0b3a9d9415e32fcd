"""The bodies of requests: plain JSON, or a form with JSON first and then files."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

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
    count = _Counter(sum(attachment.path.stat().st_size for attachment in attachments), progress)
    return _form("message", message, "attachment", attachments, count)


def sheet_body(template: Mapping[str, Any], file: Attachment) -> aiohttp.MultipartWriter:
    """A file to convert, after what it cannot say of the record."""
    return _form("template", template, "file", [file], _Counter(0, None))


def _form(
    name: str, value: Mapping[str, Any], file_name: str, files: Sequence[Attachment], count: "_Counter"
) -> aiohttp.MultipartWriter:
    form = aiohttp.MultipartWriter("form-data")
    part = form.append(_text(value), {"Content-Type": "application/json"})
    part.set_content_disposition("form-data", name=name)
    for file in files:
        part = form.append(_File(file, count))
        # UTF-8 in quotes, as curl and browsers write names; the other form is percent-encoded, which servers keep.
        part.set_content_disposition("form-data", quote_fields=False, name=file_name, filename=file.filename)
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


class _File(aiohttp.Payload):
    """A file that is opened when its turn comes, and closed whatever becomes of the connection."""

    def __init__(self, attachment: Attachment, count: _Counter) -> None:
        super().__init__(attachment.path, content_type=attachment.media_type)
        self._path = attachment.path
        self._count = count

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # the library's own
        raise TypeError("a file is sent, not shown")

    async def write(self, writer: AbstractStreamWriter) -> None:
        with self._path.open("rb") as file:  # opening does not block; reading is in a thread
            while piece := await asyncio.to_thread(file.read, _PIECE):
                await writer.write(piece)
                self._count.add(len(piece))


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
