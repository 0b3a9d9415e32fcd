"""Runs a node in this process: its loops, its API, and what it says of itself."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import web

from exchange.certificates import server_context
from exchange.errors import ExchangeError, Invalid, Json
from exchange.logs import get_logger, place_of
from exchange.node.alarms import Alarms
from exchange.node.api import Api
from exchange.node.asking import Asker
from exchange.node.audit_log import AuditLog
from exchange.node.compose import Composer, date_text
from exchange.node.config import Listen
from exchange.node.desk import Desk, Taker
from exchange.node.granting import Granter
from exchange.node.housekeeping import Housekeeper
from exchange.node.indexing import index_stored
from exchange.node.joint import Joint
from exchange.node.link import Link
from exchange.node.openings import Readings
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.node.refusals import Refusals
from exchange.node.sealer import Sealer
from exchange.node.sender import Sender
from exchange.node.stamping import Stamper
from exchange.node.withdrawals import Withdrawals
from exchange.process import address_of
from schemas.statement import DirectoryEntry

_LAST_ALARMS: Final = 20
# Seconds between the failure of a loop and its next beginning.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0


class Node:
    """The loops of a node, wired to each other."""

    def __init__(self, parts: Parts, statement: DirectoryEntry | None) -> None:
        """`statement`: this node's certified signing key, when it has been installed."""
        self._parts = parts
        self._log = get_logger("node")
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self.receiver = Receiver(parts)
        self.sealer = Sealer(parts)
        self.sender = Sender(parts)
        self.link = Link(parts, self.receiver)
        self.origins = OriginKeeper(parts)
        self.housekeeper = Housekeeper(parts, statement)
        self.withdrawals = Withdrawals(parts)
        self.desk = Desk(parts, takers(parts, self.withdrawals))
        self.composer = Composer(parts)
        self.api = Api(parts, self.composer, self.status, lambda: self.link.connected)

    async def serve(self, folder: Path, ready: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set; `ready` is called with the URL once requests are accepted.

        Raises Invalid when the address cannot be listened on.
        """
        listen = self._parts.config.listen
        orphans = self._parts.files.remove_orphans(*await self._parts.stores.views.files())
        indexed = await index_stored(self._parts)
        self._log.info("node.start", member=self._parts.member, orphans=orphans, indexed=indexed)
        runner = web.AppRunner(self.api.application(), access_log=None, handle_signals=False, shutdown_timeout=2)
        await runner.setup()
        context = _tls_context(listen, folder)
        site = web.TCPSite(runner, listen.host, listen.port, ssl_context=context)
        try:
            await site.start()
        except OSError as fault:
            await runner.cleanup()
            raise Invalid("bad-address", f"cannot listen on {listen.host}:{listen.port}: {fault.strerror}") from None
        loops = [
            asyncio.create_task(self._keep(name, loop), name=name)
            for name, loop in (
                ("housekeeping", self.housekeeper.run),
                ("directory", self.housekeeper.follow),
                ("sealer", self.sealer.run),
                ("sender", self.sender.run),
                ("link", self.link.run),
                ("origins", self.origins.run),
                ("desk", self.desk.run),
                ("acts", self.composer.acts.run),
                ("audit", AuditLog(self._parts, folder).run),
                ("stamping", Stamper(self._parts, folder).run),
            )
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            ready(address_of(runner, context is not None))
            await asyncio.wait([*loops, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, stopping, return_exceptions=True)
            await runner.cleanup()
            await self._parts.relay.close()

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop; one that fails is told and begins again after a pause.

        What makes it fail may come from a peer: it must not be able to end the others, or the process.
        """
        pause = _FIRST_PAUSE
        while True:
            began = self._parts.clock.now()
            try:
                await loop()
                where = "it ended"
            except Exception as fault:  # noqa: BLE001  # see above
                where = place_of(fault)
            self._log.critical("node.loop-failed", loop=name, fault=where)
            detail = f"the node's {name} has failed ({where}) and begins again: report the log"
            with suppress(ExchangeError):
                await self._alarms.tell_daily(f"loop:{name}:{where}", "fault", None, detail)
            if self._parts.clock.now() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def status(self) -> dict[str, Json]:
        """How the node is, for its operators: what waits and why, since when the relay is away, alarms."""
        parts = self._parts
        directory = parts.directory
        relay: dict[str, Json] = {"url": parts.config.relay_url, "session": self.link.connected}
        away = self.link.fault or self.sender.unreachable
        if away is not None:
            relay["unreachable_since"] = date_text(away[0])
            relay["why"] = away[1]
        alarms = await parts.stores.inbox.latest_alarms(_LAST_ALARMS)
        return {
            "member": parts.member,
            "time": date_text(parts.clock.now()),
            "relay": relay,
            "clock": {"ahead_of_relay": parts.clocks.ahead(), "fault": parts.clocks.fault()},
            "directory": {
                "size": directory.current.size,
                "updated": date_text(directory.updated) if directory.updated else None,
                "sends_until": date_text(directory.updated + parts.guard.max_age) if directory.updated else None,
                "fault": self.housekeeper.directory_fault,
            },
            "held": [
                {"member": hold.member, "since": date_text(hold.since), "kind": hold.kind, "detail": hold.detail}
                for hold in await parts.stores.hand.holds()
            ],
            "messages": dict(await parts.stores.views.counts()),
            "alarms": [
                {"time": date_text(alarm.time), "kind": alarm.kind, "member": alarm.member, "detail": alarm.detail}
                for alarm in alarms
            ],
        }


def takers(parts: Parts, withdrawals: Withdrawals) -> tuple[Taker, ...]:
    """All that the consent desk takes, in the order of its turns."""
    return Asker(parts), Granter(parts), Joint(parts), Readings(parts), Refusals(parts), withdrawals


def _tls_context(listen: Listen, folder: Path) -> ssl.SSLContext | None:
    """TLS for ministries; None on plain loopback. Raises Invalid, also for a key that others can read."""
    if listen.tls_certificate is None or listen.tls_key is None:
        return None
    return server_context(folder / listen.tls_certificate, folder / listen.tls_key)
