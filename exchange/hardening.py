"""Keeps the memory of a process that holds keys off every disk: no core dump, no swapping, no other process reading it.

Linux. Each step that the system refuses is told, and the process goes on: docs/node-operation.md says what it takes.
"""

import ctypes
import os
import resource
from pathlib import Path
from typing import Final

# linux/prctl.h, asm-generic/mman.h, linux/capability.h
_PR_SET_DUMPABLE: Final = 4
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
# Pages are locked when they are first touched: the address space that threads and allocators reserve costs nothing.
_MCL_ONFAULT: Final = 4
_CAP_IPC_LOCK: Final = 14


def harden() -> tuple[str, ...]:
    """Do all of it for this process; gives what the system refused, a line each."""
    refused = list(forbid_dumps())
    why = _lock_memory(_libc())
    if why is not None:
        refused.append(f"memory is not locked and may be written to swap: {why}")
    return tuple(refused)


def forbid_dumps() -> tuple[str, ...]:
    """No core dump, and no other process of this user reads the memory: also for a command that is over in a moment."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        return (f"other processes of this user may read the memory: {_reason()}",)
    return ()


def locked_memory(status: str) -> int | None:
    """Bytes that a process has locked, from the text of its `/proc/PID/status`; None when it does not say."""
    value = _field(status, "VmLck")
    return None if value is None else int(value.split()[0]) * 1024


def _lock_memory(libc: ctypes.CDLL) -> str | None:
    """Why memory cannot be locked; None when it is."""
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard != resource.RLIM_INFINITY and not _may_lock(_own_status()):
        # Under a bound, an allocation beyond it would fail at any later time: rather none than half.
        return "the limit of locked memory is bounded (systemd: LimitMEMLOCK=infinity)"
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
    if libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) != 0:
        return _reason()
    return None


def _may_lock(status: str) -> bool:
    """Whether a process has CAP_IPC_LOCK, from the text of its `/proc/PID/status`."""
    capabilities = _field(status, "CapEff")
    return capabilities is not None and bool(int(capabilities, 16) >> _CAP_IPC_LOCK & 1)


def _field(status: str, name: str) -> str | None:
    for line in status.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return None


def _own_status() -> str:
    try:
        return Path("/proc/self/status").read_text("ascii")
    except OSError:
        return ""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _reason() -> str:
    return os.strerror(ctypes.get_errno())
