"""Runs a node in this process: its loops, its API, and what it says of itself."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from exchange.errors import ExchangeError, Invalid, Json
from exchange.logs import get_logger
from exchange.node.api import Api
from exchange.node.compose import Composer, date_text
from exchange.node.config import Listen
from exchange.node.housekeeping import Housekeeper
from exchange.node.link import Link
from exchange.node.parts import Parts
from exchange.node.receiver import Receiver
from exchange.node.sealer import Sealer
from exchange.node.sender import Sender
from exchange.process import address_of
from schemas.statement import DirectoryEntry

_LAST_ALARMS = 20


class Node:
    """The loops of a node, wired to each other."""

    def __init__(self, parts: Parts, statement: DirectoryEntry | None) -> None:
        """`statement`: this node's certified signing key, when it has been installed."""
        self._parts = parts
        self._log = get_logger("node")
        self.receiver = Receiver(parts)
        self.sealer = Sealer(parts)
        self.sender = Sender(parts)
        self.link = Link(parts, self.receiver)
        self.housekeeper = Housekeeper(parts, self.receiver, statement)
        self.api = Api(parts, Composer(parts), self.status, lambda: self.link.connected)

    async def serve(self, folder: Path, ready: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve until `stop` is set; `ready` is called with the URL once requests are accepted.

        Raises Invalid when the address cannot be listened on, ExchangeError when one of the loops ended by itself.
        """
        listen = self._parts.config.listen
        orphans = self._parts.files.remove_orphans(*await self._parts.stores.views.files())
        self._log.info("node.start", member=self._parts.member, orphans=orphans)
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
            asyncio.create_task(loop(), name=name)
            for name, loop in (
                ("housekeeping", self.housekeeper.run),
                ("sealer", self.sealer.run),
                ("sender", self.sender.run),
                ("link", self.link.run),
            )
        ]
        stopping = asyncio.create_task(stop.wait())
        try:
            ready(address_of(runner, context is not None))
            # A loop that ends is a fault of the program: a node that only seems to run is worse than none.
            await asyncio.wait([*loops, stopping], return_when=asyncio.FIRST_COMPLETED)
            for ended in loops:
                if ended.done() and not ended.cancelled():
                    self._log.critical("node.loop-ended", loop=ended.get_name(), exc_info=ended.exception())
                    raise ExchangeError("loop-ended", f"the node's {ended.get_name()} has failed: its log says why")
        finally:
            stopping.cancel()
            for task in loops:
                task.cancel()
            await asyncio.gather(*loops, stopping, return_exceptions=True)
            await runner.cleanup()
            await self._parts.relay.close()

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
            "directory": {
                "size": directory.current.size,
                "updated": date_text(directory.updated) if directory.updated else None,
                "fault": self.housekeeper.directory_fault,
            },
            "messages": dict(await parts.stores.views.counts()),
            "alarms": [
                {"time": date_text(alarm.time), "kind": alarm.kind, "member": alarm.member, "detail": alarm.detail}
                for alarm in alarms
            ],
        }


def _tls_context(listen: Listen, folder: Path) -> ssl.SSLContext | None:
    """TLS for ministries; None on plain loopback. Raises Invalid when the files cannot be used."""
    if listen.tls_certificate is None or listen.tls_key is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / listen.tls_certificate, folder / listen.tls_key)
    except (OSError, ValueError) as fault:
        raise Invalid("bad-certificate", f"listen.tls_certificate and tls_key cannot be used: {fault}") from None
    return context
