"""A software token (SoftHSM) with a PIN, in a folder of its own. `make test` installs what it needs.

A driver reads its settings and sees its tokens once for a process: the tests of one process share one token, and each
has keys under labels of its own.
"""

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from keys.token import TokenPlace

PIN = b"246813579"
_DRIVERS = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so", "/usr/lib/libsofthsm2.so")


@dataclass(frozen=True, slots=True)
class SoftToken:
    """Where it is, and what a process needs in its environment to reach it."""

    place: TokenPlace
    environment: dict[str, str]
    folder: Path


def driver() -> str:
    """The shared library."""
    found = [path for path in _DRIVERS if Path(path).exists()]
    assert found, "SoftHSM is missing: run `make test`, or install softhsm2"
    return found[0]


def new_token(folder: Path) -> SoftToken:
    """A token without any key, in an empty folder."""
    tokens = folder / "tokens"
    tokens.mkdir()
    settings = folder / "softhsm2.conf"
    settings.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": str(settings)}
    label = f"cbm-{secrets.token_hex(4)}"
    command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678", "--pin"]
    subprocess.run([*command, PIN.decode()], check=True, capture_output=True, env={**os.environ, **environment})
    return SoftToken(TokenPlace(driver(), label, "cbm-signing"), environment, tokens)
