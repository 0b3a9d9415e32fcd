"""Large bodies as files: each has a random name of its own, and is nothing until a committed row names it.

So an upload that ends early, loses the race against its duplicate, or meets a crash leaves at most a file without a
row, and those are removed at the next start.
"""

import asyncio
import io
import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from exchange.errors import StoreFault

T = TypeVar("T")

# Pieces are gathered to this size before a thread is asked to write them: the hop costs less than the write.
_PIECE: Final = 256 * 1024


class StagedBody:
    """A body on its way in: in memory when `folder` is None, else in a new file there."""

    def __init__(self, folder: Path | None) -> None:
        """Nothing is created before the first piece is written out."""
        self._folder = folder
        self._buffer = bytearray()
        self._handle: int | None = None
        self._taken = False
        # A caller that is cancelled leaves its thread running: removing waits for that thread.
        self._lock = threading.Lock()
        self.name = secrets.token_hex(16) if folder is not None else None

    async def write(self, piece: bytes) -> None:
        """Append a piece; raises StoreFault when the disk refuses."""
        self._buffer += piece
        if self._folder is not None and len(self._buffer) >= _PIECE:
            await _in_thread(self._flush)

    async def finish(self) -> bytes | None:
        """Make a file durable, or give the bytes of a small body. The engine owns the file from now on."""
        self._taken = True
        if self._folder is None:
            return bytes(self._buffer)
        await _in_thread(self._finish)
        return None

    async def discard(self) -> None:
        """Remove the file, unless the engine has taken it."""
        if not self._taken:
            await self.remove()

    async def remove(self) -> None:
        """Remove the file, whoever owns it."""
        self._buffer.clear()
        if self._folder is not None:
            await _in_thread(self._remove)

    def _flush(self) -> None:
        with self._lock:
            self._write_out()

    def _write_out(self) -> None:
        if self._handle is None:
            self._handle = os.open(self._path(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        data, self._buffer = self._buffer, bytearray()
        view = memoryview(data)
        while view:
            view = view[os.write(self._handle, view) :]

    def _finish(self) -> None:
        with self._lock:
            self._write_out()
            if self._handle is not None:
                os.fsync(self._handle)
            self._close()
            sync_folder(self._path().parent)

    def _remove(self) -> None:
        with self._lock:
            self._close()
            self._path().unlink(missing_ok=True)

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _path(self) -> Path:
        if self._folder is None or self.name is None:
            raise ValueError("a body in memory has no file")
        return self._folder / self.name


async def read_file(path: Path) -> AsyncIterator[bytes] | None:
    """A file's pieces, or None when it is gone; one that is removed meanwhile is still read to its end."""
    file = await _in_thread(lambda: _open(path))
    return None if file is None else _pieces(file)


def _open(path: Path) -> io.FileIO | None:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError:
        return None


async def _pieces(file: io.FileIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece


def remove_all(folder: Path, names: Iterable[str]) -> None:
    """Remove files that no row names any more."""
    for name in names:
        (folder / name).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _in_thread(action: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(action)
    except OSError as fault:
        raise StoreFault("store-failed", f"a body cannot be stored ({fault.strerror}): check the disk") from None
