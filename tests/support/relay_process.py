"""A relay as a process of its own, set up by the commands that an operator uses."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from exchange.process import RUN_FILE
from exchange.wiring.relay import IDENTITY
from keys.digests import charter_digest
from schemas.charter import Charter, Relay
from schemas.files import RELAY_IDENTITY, SIGNED_CHARTER, decode_file, encode_file
from schemas.statement import read_entry
from tests.support.realm import charter_entry
from tests.support.waiting import until
from tests.support.world import World

ROOT = Path(__file__).parents[2]
PASSPHRASE = "correct horse battery"
_CBM = [sys.executable, "-c", "from exchange.cli.main import main; main()"]


def passphrase_file(folder: Path) -> Path:
    """A private file with the passphrase."""
    path = folder / "passphrase"
    path.write_text(PASSPHRASE, "utf-8")
    path.chmod(0o600)
    return path


def cbm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run([*_CBM, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def identity_in(folder: Path) -> Relay:
    """The public identity of a relay that was set up."""
    return decode_file(RELAY_IDENTITY, (folder / IDENTITY).read_bytes())


def charter_file(path: Path, world: World, relay: Relay) -> Charter:
    """Write the world's charter with this relay in it, signed by everybody."""
    charter = replace(world.charter, relays=(relay,))
    entry = read_entry(charter_entry(charter, world.roots))
    path.write_bytes(encode_file(SIGNED_CHARTER, entry))
    return charter


def set_up(parent: Path, world: World, *options: str) -> Path:
    """A relay's folder with identity and charter, ready to run."""
    folder, secret = parent / "relay", str(passphrase_file(parent))
    made = cbm("relay", "init", "--dir", str(folder), "--passphrase-file", secret, *options)
    assert made.returncode == 0, made.stderr
    charter_file(parent / "charter.cbm", world, identity_in(folder))
    installed = cbm("relay", "charter", "--dir", str(folder), str(parent / "charter.cbm"), "--json")
    assert installed.returncode == 0, installed.stderr
    entry = decode_file(SIGNED_CHARTER, (parent / "charter.cbm").read_bytes())
    assert json.loads(installed.stdout)["charter"].replace(" ", "") == charter_digest(entry.body).hex()
    return folder


class Process:
    """A relay that runs."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self.folder = folder

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def url(self) -> str:
        """Its address, once it has written it down itself."""
        await until(self._is_ready)
        return str(self._run_file()["url"])

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, "the relay ended at once"
        return self._run_file().get("pid") == self.pid

    def _run_file(self) -> dict[str, object]:
        try:
            found: dict[str, object] = json.loads((self.folder / RUN_FILE).read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return found

    async def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        os.kill(self.pid, number)
        return await asyncio.to_thread(self._process.wait, 30)


@contextmanager
def process(folder: Path) -> Iterator[Process]:
    """Run the relay in `folder`; it is ended with the block."""
    secret = str(folder.parent / "passphrase")
    with (folder.parent / "relay.log").open("ab") as log:
        started = subprocess.Popen(
            [*_CBM, "relay", "run", "--dir", str(folder), "--passphrase-file", secret], cwd=ROOT, stderr=log
        )
    try:
        yield Process(started, folder)
    finally:
        if started.poll() is None:
            started.terminate()
            started.wait(30)
