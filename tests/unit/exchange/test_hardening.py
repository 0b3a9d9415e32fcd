"""A process that holds keys leaves no core dump, is read by no other process of its user, and is not swapped out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.hardening import locked_memory

ASKER = """
import ctypes, json, resource
from pathlib import Path
from exchange import hardening
{before}
refused = hardening.harden()
status = Path("/proc/self/status").read_text()
print(json.dumps({{
    "refused": refused,
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "locked": hardening.locked_memory(status),
}}))
"""
BOUNDED = """
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
hardening._may_lock = lambda status: False
"""


def hardened(before: str = "") -> dict[str, object]:
    """What a process of its own says after it was hardened."""
    run = subprocess.run(
        [sys.executable, "-c", ASKER.format(before=before)], capture_output=True, text=True, check=True
    )
    told: dict[str, object] = json.loads(run.stdout)
    return told


def test_no_core_dump_and_no_reader() -> None:
    told = hardened()
    assert (told["core"], told["dumpable"]) == ([0, 0], 0)


def test_memory_is_locked_or_it_is_told_why() -> None:
    told = hardened()
    locked = told["locked"]
    assert isinstance(locked, int)
    assert (locked > 2**20) is (told["refused"] == [])


def test_under_a_bound_nothing_is_locked_and_it_is_told() -> None:
    """Half-locked, the process would fail at an allocation later."""
    told = hardened(BOUNDED)
    assert told["locked"] == 0
    assert isinstance(told["refused"], list)
    assert [line for line in told["refused"] if "LimitMEMLOCK" in line] == told["refused"]
    assert told["refused"]
    assert told["core"] == [0, 0]


@pytest.mark.parametrize(
    ("status", "locked"), [("VmLck:\t   12 kB\nVmPin: 0 kB", 12 * 1024), ("VmPeak: 1 kB", None), ("", None)]
)
def test_what_a_process_has_locked(status: str, locked: int | None) -> None:
    assert locked_memory(status) == locked


def test_a_command_that_is_given_a_passphrase_leaves_no_dump_of_what_it_opens(tmp_path: Path) -> None:
    """A ceremony with a root's key is over in a moment, and may crash in it."""
    file = tmp_path / "passphrase"
    file.touch(0o600)
    file.write_text("correct horse")
    asked = """
from exchange.cli.passphrase import read_passphrase
class hardening:
    harden = staticmethod(lambda: [str(read_passphrase(Path(sys.argv[1]), new=False, what="x"))])
    locked_memory = staticmethod(lambda status: 0)
"""
    code = ASKER.format(before=asked)
    run = subprocess.run(
        [sys.executable, "-c", "import sys\n" + code, file], capture_output=True, text=True, check=True
    )
    told = json.loads(run.stdout)
    assert (told["core"], told["dumpable"]) == ([0, 0], 0)
