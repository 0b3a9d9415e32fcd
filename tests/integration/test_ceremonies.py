"""docs/ceremonies.md, run as it stands: its commands in their order, in an empty folder, with real relays and nodes."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.demo.site import free_port
from schemas.files import KINDS

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "ceremonies.md"
BLOCK = re.compile(r"^```(sh|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE = 200
STOP = "trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT"
# The program, with a passphrase's key cheap to derive: what that costs is no part of what is tested here.
PROGRAM = """#!{python}
from keys import primitives
primitives.ARGON2_OPS, primitives.ARGON2_MEMORY = 1, 8192
from exchange.cli.main import main
main()
"""


def script() -> str:
    """The document's blocks as one shell script: commands as they are, a TOML file into the file that it names."""
    parts = []
    for kind, text in BLOCK.findall(DOCUMENT.read_text("utf-8")):
        name = text.splitlines()[0].removeprefix("# ")
        parts.append(text if kind == "sh" else f"cat > {name} <<'END'\n{text}END\n")
    return "\n".join(parts)


def on_free_ports(commands: str) -> str:
    """The same with ports that are free here in place of the document's."""
    ports = {number: str(free_port()) for number in sorted(set(re.findall(r"\b84[0-9]{2}\b", commands)))}
    assert len(ports) >= 4
    return re.sub(r"\b84[0-9]{2}\b", lambda found: ports[found[0]], commands)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to work in, beside the program and a passphrase."""
    program = tmp_path / "bin" / "cbm"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery")
    passphrase.chmod(0o600)
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_the_walk_through_works(folder: Path, tell: Callable[[str], None]) -> None:
    commands = script()
    count = len(re.findall(r"(?:^|until |\$\()cbm ", commands, re.MULTILINE))
    assert count > 90
    began = time.monotonic()
    code, told, errors = run(f"{STOP}\n{on_free_ports(commands)}", folder)
    tell(f"ceremonies: {count} commands of the document in {time.monotonic() - began:.0f} s")
    logs = "".join(path.read_text("utf-8")[-1500:] for path in folder.glob("*.log"))
    assert code == 0, told[-3000:] + errors[-3000:] + logs
    assert "Traceback" not in errors + logs
    check_told(told)


def run(commands: str, folder: Path) -> tuple[int, str, str]:
    """A shell script in a process group of its own, of which nothing is left when this returns."""
    environment = {
        "PATH": f"{folder.parent / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "CBM_PASSPHRASE_FILE": str(folder.parent / "passphrase"),
    }
    out, err = folder.parent / "out", folder.parent / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            ["bash", "-xeuo", "pipefail", "-c", commands],
            cwd=folder,
            env=environment,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)
            code = process.wait(30)
    return code, out.read_text("utf-8"), err.read_text("utf-8")


def check_told(told: str) -> None:
    """What the ceremonies printed, where it is not what a command's exit code says already."""
    assert re.search(r"^verified: yes\npinned: yes\n", told, re.MULTILINE)
    assert re.search(r"^exposed:\n  epochs: \d+ to \d+\n", told, re.MULTILINE)
    for change in (
        "admits XAA as member, root ",
        "changes the quorum to witness from 2 to 3",
        "removes XAA",
        "replaces the root of UZB by ",
        "changes the quorum to amend from 3 to 2",
        "gives the Chairmanship to MNG",
        "names relay relay with key ",
        "ends the directory at ",
    ):
        assert f"- {change}" in told
    assert re.search(r"^verified: yes\npinned: no\n(?:.*\n){1}version: 7\n", told, re.MULTILINE)


def test_every_kind_of_file_is_in_the_document() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []
