"""What every long-running process of ours does: own its folder, stop in good order, say where it listens."""

import asyncio
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from exchange.errors import Conflict, ExchangeError, Invalid

RUN_FILE: Final = "run.json"
LOCK_FILE: Final = "lock"
_PAUSES: Final = (0.0, 0.01, 0.02, 0.04, 0.08)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT end the process in good order."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Own a folder while the block lasts: two processes on one store would give out the same numbers.

    The kernel ends the ownership with the process, however it dies. Raises Conflict when another process has the
    folder, Invalid when the lock cannot be made.
    """
    path = folder / LOCK_FILE
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise Invalid("no-lock", f"{path} cannot be opened ({fault.strerror}): check the folder") from None
    with os.fdopen(handle, "rb"):
        # Not at the first try only: `running_at` holds the lock for an instant when nobody else does.
        if not any(_lock(handle, fcntl.LOCK_EX, pause) for pause in _PAUSES):
            raise Conflict("folder-in-use", f"another process runs on {folder}: stop it first")
        # What an earlier process wrote down before it was killed is not true of this one.
        (folder / RUN_FILE).unlink(missing_ok=True)
        yield


def _lock(handle: int, kind: int, pause: float = 0.0) -> bool:
    time.sleep(pause)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owned(folder: Path) -> bool:
    """Whether a living process owns a folder."""
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(handle, "rb"):
        return not _lock(handle, fcntl.LOCK_SH)


def address_of(runner: web.AppRunner, tls: bool) -> str:
    """The URL of a runner that has begun to listen."""
    host, port = runner.addresses[0][:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if tls else 'http'}://{shown}:{port}"


def write_durably(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write aside, rename, all made durable: readers see the old file or the new one, also after a power cut."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def note_running(folder: Path, url: str) -> None:
    """Write down this process and its address for the commands of the same folder."""
    write_durably(folder / RUN_FILE, json.dumps({"pid": os.getpid(), "url": url}).encode("ascii"))


def process_of(folder: Path) -> int | None:
    """The id of the process that owns the folder; None when none does. Raises ExchangeError as `running_at` does."""
    told = _told(folder, "pid")
    return None if told is None else int(told)


def running_at(folder: Path) -> str | None:
    """The URL that the process which owns the folder wrote down; None when none runs or it does not listen yet.

    What a dead process left is not believed: another one may listen there now, and would be sent a token. Raises
    ExchangeError when the file cannot be read.
    """
    return _told(folder, "url")


def _told(folder: Path, name: str) -> str | None:
    path = folder / RUN_FILE
    try:
        value = json.loads(path.read_text("utf-8"))[name]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise ExchangeError("bad-run-file", f"{path} cannot be read ({type(fault).__name__})") from None
    return str(value) if _owned(folder) else None
