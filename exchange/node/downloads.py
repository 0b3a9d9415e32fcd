"""Sends a sealed file as an answer, piece by piece."""

import asyncio
from typing import Final

from aiohttp import web

from exchange.errors import ExchangeError
from exchange.logs import get_logger
from exchange.node.files import NodeFiles
from keys.errors import KeyFault

_LOG: Final = get_logger("api")


async def send_file(request: web.Request, files: NodeFiles, name: str, size: int) -> web.StreamResponse:
    """The plaintext of a content file of `size` bytes. Raises what reading its beginning raises."""
    # Whatever a sender calls it, a browser is to save it and never to run it.
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": "attachment",
        "Content-Length": str(size),
        "X-Content-Type-Options": "nosniff",
    }
    response = web.StreamResponse(headers=headers)
    pieces = files.read_content(name)
    # Before the answer begins, so that a file that cannot be read is a problem document.
    piece = await asyncio.to_thread(next, pieces, b"")
    await response.prepare(request)
    try:
        while piece:
            await response.write(piece)
            piece = await asyncio.to_thread(next, pieces, b"")
    except (ExchangeError, KeyFault) as fault:
        # Cut off: a second answer would be taken for the rest of the file.
        _LOG.error("attachment.damaged", path=request.path, why=str(fault))
        raise ConnectionAbortedError("the stored file is damaged") from None
    await response.write_eof()
    return response
