"""Starts, kills and restarts the processes of a site. Every process is ours by its own id, and none outlives us."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Self

import aiohttp

from exchange.demo.site import Site, free_port
from exchange.errors import Unavailable
from exchange.process import RUN_FILE, running_at

# Starting costs a second on this machine; a loaded one may need much more.
START_TIMEOUT: Final = 60.0
_POLL: Final = 0.02


class Processes:
    """The relay and the nodes of one site; use as a context manager."""

    def __init__(self, site: Site) -> None:
        """Nothing runs yet."""
        self.site = site
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything that still runs."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def folder(self, name: str) -> Path:
        """The folder of `relay`, or of a member's node."""
        return self.site.relay if name == "relay" else self.site.node(name)

    def launch(self, name: str, module: str = "exchange.cli") -> None:
        """Start `relay` or a member's node without waiting for it. `module`: what runs in place of the product."""
        folder = self.folder(name)
        (folder / RUN_FILE).unlink(missing_ok=True)
        kind = "relay" if name == "relay" else "node"
        arguments = [sys.executable, "-m", module, kind, "run", "--dir", str(folder)]
        environment = {**os.environ, "CBM_PASSPHRASE_FILE": str(self.site.passphrase_file)}
        with (self.site.folder / f"{name.lower()}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )

    async def wait_ready(self, name: str) -> str:
        """The URL of a process that was launched, once it answers. Raises Unavailable."""
        deadline = time.monotonic() + START_TIMEOUT
        async with aiohttp.ClientSession() as http:
            while time.monotonic() < deadline:
                if self._running[name].poll() is not None:
                    raise Unavailable("demo-process", f"{name} ended: see {self.site.folder / name.lower()}.log")
                url = running_at(self.folder(name))
                if url is not None and await _answers(http, url):
                    return url
                await asyncio.sleep(_POLL)
        raise Unavailable("demo-process", f"{name} did not start in {START_TIMEOUT:.0f} s: see its log")

    async def start(self, *names: str) -> None:
        """Start and wait for all."""
        for name in names:
            self.launch(name)
        await asyncio.gather(*(self.wait_ready(name) for name in names))

    def kill(self, name: str) -> None:
        """SIGKILL, and reap."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> None:
        """SIGTERM, and wait for the good end."""
        process = self._running.pop(name)
        process.terminate()
        process.wait(timeout=30)

    def pid(self, name: str) -> int:
        """The process id."""
        return self._running[name].pid

    def url(self, name: str) -> str:
        """Where a process listens. Raises Unavailable when it does not run."""
        url = running_at(self.folder(name))
        if url is None:
            raise Unavailable("demo-process", f"{name} does not run")
        return url


async def _answers(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        # This machine asks itself; the certificate is not what is being checked.
        async with http.get(f"{url}/healthz", ssl=False, timeout=aiohttp.ClientTimeout(total=2)) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


__all__ = ["Processes", "free_port"]
