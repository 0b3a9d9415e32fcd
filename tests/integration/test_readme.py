"""The README's commands do what it says, run in order as a new user would run them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STOP = "trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT"


def blocks() -> list[str]:
    """The fenced blocks of the README that a shell or Python runs, in order, as lines of one shell script."""
    found = re.findall(
        r"^```(sh|python)\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    return [code if kind == "sh" else f"python3 <<'END'\n{code}END\n" for kind, code in found]


def test_the_commands_of_the_readme_run_in_order(tmp_path: Path) -> None:
    script = blocks()
    assert len(script) >= 5
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join([STOP, *script])],
        cwd=tmp_path,
        env={"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    logs = "".join(file.read_text("utf-8")[-2000:] for file in tmp_path.glob("*.log"))
    assert run.returncode == 0, run.stdout + run.stderr + logs
    assert "no valid Grant of KAZ lets MNG pass this to UZB: ask KAZ for consent" in run.stderr
    assert run.stdout.count("2.1.1.b") >= 3, run.stdout
    assert '"state": "queued"' in run.stdout
    assert "every claim in this file holds" in run.stdout


@pytest.mark.parametrize("target", ["demo", "test", "bench"])
def test_the_make_targets_of_the_readme_exist(target: str) -> None:
    assert f"make {target}" in (ROOT / "README.md").read_text("utf-8")
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)
