"""What those who look after the relay ask it.

GET  /healthz /readyz /metrics
"""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from exchange.relay.keeper import DirectoryKeeper
from exchange.relay.metrics import Metrics
from exchange.relay.tlog_both import Logs
from exchange.storage.port import RelayStore


class Probes:
    """The handlers."""

    def __init__(self, store: RelayStore, keeper: DirectoryKeeper, logs: Logs, metrics: Metrics) -> None:
        """`add_to` binds them."""
        self._store = store
        self._keeper = keeper
        self._logs = logs
        self._metrics = metrics

    def add_to(self, app: web.Application) -> None:
        """Bind every path."""
        app.add_routes(
            [
                web.get("/healthz", self.healthz),
                web.get("/readyz", self.readyz),
                web.get("/metrics", self.metrics),
            ]
        )

    async def healthz(self, _request: web.Request) -> web.Response:
        """The process answers."""
        return web.json_response({"status": "ok"})

    async def readyz(self, _request: web.Request) -> web.Response:
        """The store answers too."""
        await self._store.entries(0, 1)
        directory = self._logs.directory.published
        sizes = {
            "directory_size": self._keeper.current.size,
            "published_size": 0 if directory is None else directory.checkpoint.size,
        }
        return web.json_response({"status": "ready", **sizes})

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus's text format."""
        return web.Response(body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})


def counting(metrics: Metrics) -> Middleware:
    """A middleware that counts requests by the route's pattern, so that no id becomes a label."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        resource = request.match_info.route.resource
        route = "none" if resource is None else resource.canonical
        metrics.requests.labels(route, str(response.status)).inc()
        return response

    return middleware
