"""docs/ceremonies.md, run as it stands: its commands in their order, in an empty folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.files import KINDS

ROOT = Path(__file__).parents[4]
DOCUMENT = ROOT / "docs" / "ceremonies.md"
BLOCK = re.compile(r"^```(sh|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script() -> str:
    """The document's blocks as one shell script: commands as they are, a TOML file into the file that it names."""
    parts = ["set -eu"]
    for kind, text in BLOCK.findall(DOCUMENT.read_text("utf-8")):
        name = text.splitlines()[0].removeprefix("# ")
        parts.append(text if kind == "sh" else f"cat > {name} <<'END'\n{text}END")
    return "\n".join(parts)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to work in, beside the program and a passphrase."""
    program = tmp_path / "bin" / "cbm"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nfrom exchange.cli.main import main\nmain()\n")
    program.chmod(0o755)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery")
    passphrase.chmod(0o600)
    work = tmp_path / "work"
    work.mkdir()
    return work


def test_the_walk_through_works(folder: Path) -> None:
    commands = script()
    assert commands.count("cbm ") > 15
    environment = {
        "PATH": f"{folder.parent / 'bin'}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "CBM_PASSPHRASE_FILE": str(folder.parent / "passphrase"),
    }
    ended = subprocess.run(
        ["sh", "-c", commands], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert {"kaz.root", "charter.cbm", "kaz-signing-key.cbm"} <= {path.name for path in folder.iterdir()}
    assert "Traceback" not in ended.stderr
    shown = re.search(r"^verified: yes\npinned: yes\n", ended.stdout, re.MULTILINE)
    assert shown is not None


def test_every_kind_of_file_is_in_the_document() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []
