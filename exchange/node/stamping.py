"""Has the newest anchored checkpoint of the audit log time-stamped by an authority (RFC 3161), once a day.

log/stamps/SIZE.checkpoint    as it was stamped
log/stamps/SIZE.tsr           the authority's answer, verified; `openssl ts -verify` reads both

Nothing waits for it. An authority that does not answer, or answers what does not hold, is an alarm once a day.
"""

import asyncio
from pathlib import Path
from typing import Final

import aiohttp

from exchange.errors import ExchangeError, Unavailable
from exchange.logs import get_logger
from exchange.node.alarms import Alarms
from exchange.node.config import Timestamps
from exchange.node.parts import Parts
from exchange.process import write_durably
from keys.errors import KeyFault
from keys.primitives import Certificates
from keys.timestamp import MAX_STAMP, stamp_request, verify_stamp
from schemas.limits import DAY, HOUR, MAX_CLOCK_AHEAD

FOLDER: Final = Path("log") / "stamps"
CHECKPOINT: Final = ".checkpoint"
STAMP: Final = ".tsr"
_LOOK_AGAIN: Final = 60.0
_PATIENCE: Final = aiohttp.ClientTimeout(total=30)
_QUERY: Final = "application/timestamp-query"


class Stamper:
    """One loop; without settings it does nothing."""

    def __init__(self, parts: Parts, folder: Path) -> None:
        """`folder`: the node's."""
        self._parts = parts
        self._node = folder
        self._folder = folder / FOLDER
        self._due: int | None = None
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._log = get_logger("stamping")

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(_LOOK_AGAIN)

    async def turn(self) -> None:
        """Have a checkpoint stamped when that is due. Raises StoreFault or Unavailable of the node's own store."""
        settings, now = self._parts.config.timestamps, self._parts.clock.now()
        if settings is None:
            return
        if self._due is None:
            self._due = await asyncio.to_thread(self._next_due)
        if now < self._due:
            return
        newest = await self._parts.stores.audit_heads.newest(anchored=True)
        if newest is None or (self._folder / f"{newest.size}{STAMP}").exists():
            return
        self._due = now + HOUR
        try:
            stamp = await self._stamped(settings, newest.note)
            await asyncio.to_thread(self._write, newest.size, newest.note, stamp)
        except (ExchangeError, KeyFault, aiohttp.ClientError, TimeoutError, OSError) as fault:
            detail = f"the audit log's checkpoint of {newest.size} entries has no time-stamp: {_said(fault)}"
            await self._alarms.tell_daily("timestamp", "timestamp", None, detail)
        else:
            self._due = now + DAY
            self._log.info("checkpoint.stamped", size=newest.size)

    async def _stamped(self, settings: Timestamps, note: bytes) -> bytes:
        """The authority's answer. Raises BadSignature and others."""
        trusted = Certificates.read(await asyncio.to_thread((self._node / settings.certificates).read_bytes))
        asked, before = stamp_request(note), self._parts.clock.now()
        answer = await _post(settings.url, asked.encoded)
        time = await asyncio.to_thread(verify_stamp, answer, note, trusted, asked.nonce)
        if not before - MAX_CLOCK_AHEAD <= time <= self._parts.clock.now() + MAX_CLOCK_AHEAD:
            raise Unavailable("timestamp-time", "the authority states another time than this clock: check both")
        return answer

    def _write(self, size: int, note: bytes, stamp: bytes) -> None:
        """The stamp last: where it is, its checkpoint is."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        write_durably(self._folder / f"{size}{CHECKPOINT}", note, 0o600)
        write_durably(self._folder / f"{size}{STAMP}", stamp, 0o600)

    def _next_due(self) -> int:
        """A day after the last one that was written."""
        written = [int(path.stat().st_mtime) for path in self._folder.glob(f"*{STAMP}")]
        return max(written) + DAY if written else 0


async def _post(url: str, query: bytes) -> bytes:
    """Raises Unavailable, ClientError or TimeoutError."""
    async with (
        aiohttp.ClientSession(timeout=_PATIENCE, trust_env=False) as http,
        http.post(url, data=query, headers={"Content-Type": _QUERY}, allow_redirects=False) as response,
    ):
        answer = b""
        async for piece in response.content.iter_any():
            answer += piece
            if len(answer) > MAX_STAMP:
                raise Unavailable("timestamp-answer", "the authority's answer is larger than any time-stamp")
        if response.status != 200:
            raise Unavailable("timestamp-answer", f"the authority answers {response.status}")
        return answer


def _said(fault: BaseException) -> str:
    """Of our own and the libraries' words those that say something."""
    return " ".join(str(fault).split())[:200] or type(fault).__name__
