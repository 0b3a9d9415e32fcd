"""A folder has one owner at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.errors import Conflict, Invalid
from exchange.process import LOCK_FILE, sole_owner

HOLDER = """
import sys
from pathlib import Path
from exchange.process import sole_owner
with sole_owner(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
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
        os.kill(holder.pid, 9)
    with sole_owner(tmp_path):
        pass


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Invalid, match="cannot be opened"), sole_owner(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
