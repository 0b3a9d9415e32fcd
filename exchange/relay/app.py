"""Puts the relay's parts together into one web application; whoever calls owns the store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from exchange.clock import Clock
from exchange.errors import ExchangeError, StoreFault
from exchange.logs import get_logger
from exchange.relay.admission import Newcomers, Rates
from exchange.relay.anchor_routes import AnchorRoutes
from exchange.relay.anchors import Anchors
from exchange.relay.config import RelaySettings
from exchange.relay.httpsig import RequestVerifier
from exchange.relay.intake import Intake, RelayIdentity
from exchange.relay.journal import Journal
from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.metrics import Metrics
from exchange.relay.probes import Probes, counting
from exchange.relay.registry import Sessions
from exchange.relay.routes import MAX_REQUEST, Routes, Services
from exchange.relay.tlog_both import Logs
from exchange.relay.tlog_proofs import LogProofs
from exchange.relay.tlog_routes import LogRoutes
from exchange.storage.port import RelayStore
from exchange.web import problems
from keys.errors import Untrusted
from schemas.ids import Digest


@dataclass(frozen=True, slots=True)
class RelayApp:
    """The application, and the parts that the runner looks after."""

    web: web.Application
    store: RelayStore
    clock: Clock
    sessions: Sessions
    metrics: Metrics
    keeper: DirectoryKeeper
    logs: Logs
    journal: Journal


async def build_app(
    folder: Path,
    settings: RelaySettings,
    store: RelayStore,
    identity: RelayIdentity,
    clock: Clock,
    tls_digest: Digest | None,
) -> RelayApp:
    """Load directory and logs and bind the routes; the logs' loops run as long as the application is served.

    `folder` has the logs' tiles; `tls_digest` is of the certificate to be shown, None on plain HTTP. Raises StoreFault
    when the directory does not verify under the pinned charter, knows no such relay, or contradicts what was signed;
    Invalid for a witness that cannot be one.
    """
    if settings.charter_digest is None:
        raise StoreFault("no-charter", "no charter is pinned: install it with `cbm relay charter FILE`")
    keeper = await DirectoryKeeper.load(store, Digest(bytes.fromhex(settings.charter_digest)), identity.key_id, clock)
    _check_identity(keeper, identity, tls_digest)
    metrics, sessions, journal = Metrics(), Sessions(), Journal(store, clock)
    metrics.directory_size.set(keeper.current.size)
    limits = settings.limits
    logs = await Logs.open(folder, settings, store, keeper, identity, journal, sessions, metrics)
    journal.grew = logs.audit.grew
    services = Services(
        settings=settings,
        store=store,
        keeper=keeper,
        identity=identity,
        clock=clock,
        intake=Intake(store, keeper, identity, clock, sessions, metrics, limits, journal),
        sessions=sessions,
        metrics=metrics,
        requests=RequestVerifier(settings.authority),
        handshakes=Newcomers(
            limits.max_handshakes, limits.max_address_handshakes, "sessions-busy", "sessions that are being set up"
        ),
        tls_digest=tls_digest,
        logs=logs,
        journal=journal,
    )
    return RelayApp(_web(services), store, clock, sessions, metrics, keeper, logs, journal)


def _web(services: Services) -> web.Application:
    app = web.Application(
        middlewares=[counting(services.metrics), problems(get_logger("relay.http"))], client_max_size=MAX_REQUEST
    )
    routes = Routes(services)
    routes.add_to(app)
    Probes(services.store, services.keeper, services.logs, services.metrics).add_to(app)
    limits = services.settings.limits
    rates = Rates(limits.log_rate, limits.log_at_once)
    proofs = LogProofs(services.logs.audit, services.store)
    LogRoutes(services.logs, services.store, proofs, rates, routes.signed).add_to(app)
    anchors = Anchors(services.store, services.keeper, services.clock, services.journal)
    AnchorRoutes(anchors, services.store, proofs, routes.signed, routes.read).add_to(app)

    async def close_sessions(_app: web.Application) -> None:
        await services.sessions.close_all("the relay stops")

    async def run_logs(_app: web.Application) -> AsyncIterator[None]:
        writing = asyncio.create_task(services.journal.run(), name="audit")
        async with services.logs.running():
            yield
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        try:
            await services.journal.flush(whole=True)
        except ExchangeError as fault:
            get_logger("relay.audit").warning("audit.failed", code=fault.code)

    app.on_shutdown.append(close_sessions)
    app.cleanup_ctx.append(run_logs)
    return app


def _check_identity(keeper: DirectoryKeeper, identity: RelayIdentity, tls_digest: Digest | None) -> None:
    """Nodes would refuse every receipt and every session of a relay that the charter does not name like this."""
    try:
        row = keeper.current.relay(identity.key_id)
    except Untrusted as fault:
        raise StoreFault("relay-not-in-charter", f"this relay's key is not in the charter: {fault}") from None
    if tls_digest is not None and row.tls_digests and tls_digest not in row.tls_digests:
        raise StoreFault("certificate-not-in-charter", "the charter does not name this relay's TLS certificate")
