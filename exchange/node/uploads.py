"""Reads `POST /v1/messages`: plain JSON, or a form whose first part is that JSON and whose other parts are files.

Files stream into sealed content files as they arrive; nothing of a request that fails stays behind.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from exchange.errors import Invalid, Malformed, TooLarge, TooSlow
from exchange.node.draft import Upload
from exchange.node.files import NodeFiles
from schemas import limits
from schemas.content import Attachment
from schemas.errors import DecodeError
from schemas.ids import Digest
from schemas.record_errors import RecordError
from schemas.validate import load_json

# A request's JSON holds one record and a few terms.
_MAX_JSON: Final = limits.MAX_RECORD
_READ_TIMEOUT: Final = 60
_PIECE: Final = 256 * limits.KIB
T = TypeVar("T")


async def read_json(request: web.Request) -> object:
    """The JSON body of a request; raises Malformed, TooLarge or TooSlow."""
    return await _parse(await _timely(_bounded(request.content.iter_chunked(_PIECE))))


async def read_request(request: web.Request, files: NodeFiles) -> tuple[object, tuple[Upload, ...]]:
    """The request's JSON and its attachments, whose sealed files are on the disk. Raises and leaves no file."""
    if not request.content_type.startswith("multipart/"):
        return await read_json(request), ()
    uploads: list[Upload] = []
    try:
        reader = await request.multipart()
        first = await _timely(reader.next())
        if not isinstance(first, BodyPartReader) or first.name != "message":
            raise Malformed("bad-form", "the first part of the form has to be `message`, the request's JSON")
        value = await _parse(await _timely(_bounded(_pieces(first))))
        total = 0
        while (part := await _timely(reader.next())) is not None:
            if not isinstance(part, BodyPartReader) or part.name != "attachment":
                raise Malformed("bad-form", "parts after `message` have to be files named `attachment`")
            if len(uploads) >= limits.MAX_ATTACHMENTS:
                raise TooLarge("too-many-attachments", f"at most {limits.MAX_ATTACHMENTS} attachments")
            upload = await _store_part(part, files, limits.MAX_CONTENT - total)
            uploads.append(upload)
            total += upload.attachment.size
    except (ValueError, HttpProcessingError) as fault:
        files.remove_content(upload.file for upload in uploads)
        if isinstance(fault, DecodeError):
            raise Invalid("bad-attachment", f"{fault.where}: {fault.reason.value}: rename the file") from None
        raise Malformed("bad-form", "the form is not well-formed multipart/form-data") from None
    except BaseException:
        files.remove_content(upload.file for upload in uploads)
        raise
    return value, tuple(uploads)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file to convert, with what it cannot say of the record."""

    template: object
    filename: str
    data: bytes


async def read_sheet(request: web.Request, most: int) -> Sheet:
    """The form of a conversion: a part `template`, JSON, then a part `file` of at most `most` bytes.

    Raises Malformed, TooLarge or TooSlow.
    """
    if not request.content_type.startswith("multipart/"):
        raise Malformed("bad-form", "send a form: the part `template`, JSON, and then the part `file`")
    try:
        reader = await request.multipart()
        first = await _timely(reader.next())
        if not isinstance(first, BodyPartReader) or first.name != "template":
            raise Malformed("bad-form", "the first part of the form has to be `template`, JSON")
        template = await _parse(await _timely(_bounded(_pieces(first))))
        second = await _timely(reader.next())
        if not isinstance(second, BodyPartReader) or second.name != "file":
            raise Malformed("bad-form", "the second part of the form has to be `file`, what is to be converted")
        data = await _timely(_bounded(_pieces(second), most, "the file"))
        if await _timely(reader.next()) is not None:
            raise Malformed("bad-form", "nothing may follow the part `file`: convert one file at a time")
    except (ValueError, HttpProcessingError):
        raise Malformed("bad-form", "the form is not well-formed multipart/form-data") from None
    return Sheet(template, second.filename or "original", data)


async def _store_part(part: BodyPartReader, files: NodeFiles, most: int) -> Upload:
    """Seal one file while it arrives: a thread writes, this side feeds it with at most a few pieces ahead."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue(4)
    name = files.new_name()

    def pieces() -> Iterator[bytes]:
        while piece := asyncio.run_coroutine_threadsafe(queue.get(), loop).result():
            yield piece

    writing = asyncio.create_task(asyncio.to_thread(files.write_content, name, pieces()))
    digest = hashlib.sha256()
    size = 0
    complete = False
    try:
        async for piece in _pieces(part):
            size += len(piece)
            if size > most:
                raise TooLarge("content-too-large", f"record and attachments exceed {limits.MAX_CONTENT} bytes")
            digest.update(piece)
            await _feed(queue, piece, writing)
        complete = True
    finally:
        await _feed(queue, b"", writing)
        await asyncio.gather(writing, return_exceptions=not complete)
        if not complete:
            files.remove_content([name])
    try:
        attachment = Attachment(
            filename=part.filename or "attachment",
            media_type=part.headers.get("Content-Type", "application/octet-stream"),
            size=size,
            sha256=Digest(digest.digest()),
        )
    except DecodeError:
        files.remove_content([name])
        raise
    return Upload(attachment, name)


async def _feed(queue: asyncio.Queue[bytes], piece: bytes, writing: asyncio.Task[None]) -> None:
    """Hand a piece to the writer, unless it has ended with a fault."""
    putting = asyncio.ensure_future(queue.put(piece))
    await asyncio.wait({putting, writing}, return_when=asyncio.FIRST_COMPLETED)
    if not putting.done():
        putting.cancel()
    if writing.done() and piece:
        await writing


async def _pieces(part: BodyPartReader) -> AsyncIterator[bytes]:
    while piece := await _timely(part.read_chunk(_PIECE)):
        yield bytes(piece)


async def _timely(reading: Awaitable[T]) -> T:
    """One step of reading: a piece of a file, the headers of a part, or the whole of the request's JSON."""
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            return await reading
    except TimeoutError:
        raise TooSlow("too-slow", f"the request did not arrive within {_READ_TIMEOUT} s: send it again") from None


async def _bounded(pieces: AsyncIterator[bytes], most: int = _MAX_JSON, what: str = "the request's JSON") -> bytes:
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > most:
            raise TooLarge("request-too-large", f"{what} exceeds {most} bytes: use an attachment")
    return bytes(data)


async def _parse(data: bytes) -> object:
    try:
        # In a thread: what a caller makes costly to read holds up nobody else.
        return await asyncio.to_thread(load_json, data)
    except RecordError as fault:
        first = fault.faults[0]
        detail = f"the request is no JSON text: found {first.found}, expected {first.expected}"
        raise Malformed("bad-json", detail) from None
