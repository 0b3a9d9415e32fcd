"""Runs a relay in this process: listens, tells where, deletes what has expired, stops without losing anything."""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from exchange.certificates import leaf, server_context
from exchange.errors import ExchangeError, Invalid
from exchange.logs import get_logger
from exchange.process import address_of
from exchange.relay.app import RelayApp
from exchange.relay.config import RelaySettings
from exchange.relay.limits import REFUSAL_LIFE
from schemas.ids import Digest

# Requests under way when the relay is told to stop may take this long to end; clients repeat what was cut off.
_STOP_TIMEOUT: Final = 10

log = get_logger("relay")


def tls_context(settings: RelaySettings, folder: Path) -> tuple[ssl.SSLContext, Digest] | None:
    """TLS 1.3 from the settings' files and the digest of the certificate that clients see; None for plain HTTP.

    Raises Invalid when the files cannot be used, or others can read the key.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    certificate = folder / settings.tls_cert
    context = server_context(certificate, folder / settings.tls_key)
    return context, Digest(hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf(certificate))).digest())


async def serve(
    app: RelayApp,
    settings: RelaySettings,
    context: ssl.SSLContext | None,
    ready: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set; `ready` is called with the URL once connections are accepted.

    Raises Invalid when the address cannot be listened on.
    """
    runner = web.AppRunner(
        app.web,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_STOP_TIMEOUT,
        keepalive_timeout=settings.limits.idle_timeout,
    )
    await runner.setup()
    site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
    try:
        await site.start()
    except OSError as fault:
        await runner.cleanup()
        raise Invalid("bad-address", f"cannot listen on {settings.host}:{settings.port}: {fault.strerror}") from None
    sweeping = asyncio.create_task(_sweep(app, settings.sweep_interval))
    try:
        ready(address_of(runner, context is not None))
        await stop.wait()
    finally:
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)
        await runner.cleanup()


async def _sweep(app: RelayApp, interval: float) -> None:
    while True:
        try:
            count = await app.store.expire(app.clock.now())
            untold = await app.store.expire_refusals(app.clock.now() - REFUSAL_LIFE)
            await app.journal.flush()
        except ExchangeError as fault:
            log.warning("sweep.failed", code=fault.code)
        else:
            if count:
                app.metrics.expired.inc(count)
                log.info("envelopes.expired", count=count)
                app.journal.grew()
                app.sessions.wake_all()
            if untold:
                log.warning("refusals.expired", count=untold)
        await asyncio.sleep(interval)
