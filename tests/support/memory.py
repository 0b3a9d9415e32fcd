"""Looks for secrets where they must not be: in a process's memory, in files. The search is the same everywhere."""

import mmap
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PIECE = 1024 * 1024
_UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")
_STOP_TIMEOUT = 10.0


def dump(pid: int, path: Path) -> int:
    """Copy every readable byte of a process's memory into a file; gives how many."""
    with Path(f"/proc/{pid}/maps").open() as maps:
        regions = [line.split() for line in maps]
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory, path.open("wb") as file:
        for region in regions:
            if "r" in region[1] and region[-1] not in _UNREADABLE:
                start, end = (int(bound, 16) for bound in region[0].split("-"))
                for piece in _read(memory.fileno(), start, end):
                    file.write(piece)
    return path.stat().st_size


def _read(memory: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        try:
            piece = os.pread(memory, min(_PIECE, end - start), start)
        except OSError:
            return
        if not piece:
            return
        yield piece
        start += len(piece)


def found(path: Path, secrets: Mapping[str, bytes]) -> set[str]:
    """The names of the secrets that a file holds, as bytes or in hexadecimal."""
    # A narrow tile of a log that grows meanwhile goes when the wider one is there, which holds all that it held.
    if ".p" in path.parent.suffix and not path.exists():
        return set()
    if not path.stat().st_size:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return {name for name, secret in secrets.items() if any(data.find(form) >= 0 for form in _forms(secret))}


def _forms(secret: bytes) -> tuple[bytes, bytes]:
    assert len(secret) >= 16, "a shorter one could be found by chance"
    return secret, secret.hex().encode("ascii")


def found_in(folder: Path, secrets: Mapping[str, bytes], excepted: str = "") -> dict[str, set[str]]:
    """Which files of a folder, whatever they are called, hold which secrets; files that end in `excepted` aside."""
    files = [path for path in folder.rglob("*") if path.is_file() and not (excepted and path.name.endswith(excepted))]
    assert files, f"there is nothing in {folder} to look through"
    return {str(path.relative_to(folder)): names for path in files if (names := found(path, secrets))}


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Keep a process from running, at the point where it is now."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + _STOP_TIMEOUT
        while _state(pid) not in "Tt":
            assert time.monotonic() < deadline, "the process does not stop"
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def peak_memory(pid: int) -> int:
    """The most memory that a process was resident with, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])
