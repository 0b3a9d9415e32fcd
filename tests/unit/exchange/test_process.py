"""A folder has one owner at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.errors import Conflict, Invalid
from exchange.process import LOCK_FILE, RUN_FILE, note_running, running_at, sole_owner

HOLDER = """
import sys
from pathlib import Path
from exchange.process import note_running, sole_owner
with sole_owner(Path(sys.argv[1])):
    note_running(Path(sys.argv[1]), "http://127.0.0.1:1")
    print("held", flush=True)
    sys.stdin.read()
"""
ASKER = """
import sys
from pathlib import Path
from exchange.process import running_at
Path(sys.argv[1], "run.json").write_text('{"url": "http://127.0.0.1:1"}')
print("asking", flush=True)
while True:
    running_at(Path(sys.argv[1]))
"""


def test_a_second_owner_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    with sole_owner(tmp_path), pytest.raises(Conflict, match="another process runs on"), sole_owner(tmp_path):
        pass
    with sole_owner(tmp_path):
        assert (tmp_path / LOCK_FILE).stat().st_mode & 0o777 == 0o600


def test_an_owner_that_is_killed_owns_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Conflict), sole_owner(tmp_path):
            pass
        assert running_at(tmp_path) == "http://127.0.0.1:1"
        os.kill(holder.pid, 9)
    assert (tmp_path / RUN_FILE).exists()
    assert running_at(tmp_path) is None
    with sole_owner(tmp_path):
        assert running_at(tmp_path) is None


def test_a_folder_without_a_lock_is_nobodys(tmp_path: Path) -> None:
    note_running(tmp_path, "http://127.0.0.1:1")
    assert running_at(tmp_path) is None
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / RUN_FILE)
    assert running_at(tmp_path) is None


def test_who_only_asks_keeps_nobody_from_starting(tmp_path: Path) -> None:
    with sole_owner(tmp_path):
        pass
    with subprocess.Popen([sys.executable, "-c", ASKER, str(tmp_path)], stdout=subprocess.PIPE) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == b"asking\n"
        try:
            for _ in range(20):
                with sole_owner(tmp_path):
                    pass
                (tmp_path / RUN_FILE).write_text('{"url": "http://127.0.0.1:1"}')
        finally:
            asker.kill()


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Invalid, match="cannot be opened"), sole_owner(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
