"""The node's local HTTP API: thin handlers that authenticate, check scope and measure, and call what does the work."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from exchange.errors import ExchangeError, Invalid, Json, NotFound
from exchange.logs import get_logger
from exchange.node.access import Scope, may_see
from exchange.node.api_acts import ActsApi
from exchange.node.api_audit import AuditApi
from exchange.node.api_calendar import CalendarApi
from exchange.node.api_consent import ConsentApi
from exchange.node.api_convert import ConvertApi
from exchange.node.api_database import DatabaseApi
from exchange.node.api_evidence import EvidenceApi
from exchange.node.api_export import ExportApi
from exchange.node.api_groups import GroupsApi
from exchange.node.api_joint import JointApi
from exchange.node.api_procedures import ProceduresApi
from exchange.node.api_refusals import RefusalsApi
from exchange.node.api_review import ReviewApi
from exchange.node.api_withdrawals import WithdrawalsApi
from exchange.node.compose import Composer
from exchange.node.conversions import Conversions
from exchange.node.cursors import cursor, place
from exchange.node.downloads import send_file
from exchange.node.entry import Entry
from exchange.node.metrics import metrics_text
from exchange.node.openings import Readings
from exchange.node.parts import Parts
from exchange.node.passing import source_of
from exchange.node.queries import idempotency_key, number
from exchange.node.stored import open_manifest
from exchange.node.taken import Taken, taken_json
from exchange.node.uploads import read_json, read_request
from exchange.node.views import Views
from exchange.node.wake import wait_for
from exchange.storage.node_values import Event
from exchange.web import problems
from schemas import limits

_MAX_PAGE: Final = 200
_EVENT_PAGE: Final = 200
# A comment line at this pace keeps proxies and clients from taking silence for death.
_HEARTBEAT: Final = 15.0

Status = Callable[[], Awaitable[dict[str, Json]]]


class Api:
    """The routes of a node."""

    def __init__(self, parts: Parts, composer: Composer, status: Status, connected: Callable[[], bool]) -> None:
        """`status` tells how the node is, for operators; `connected`, whether a session with the relay is open."""
        self._parts = parts
        self._entry = Entry(parts)
        self._composer = composer
        self._views = Views(parts)
        self._readings = Readings(parts)
        self._vault = parts.keyring.vault
        self._status = status
        self._connected = connected
        self._log = get_logger("api")

    def application(self) -> web.Application:
        """The aiohttp application."""
        database = DatabaseApi(self._parts, self._entry, self._composer)
        watched = [problems(self._log), self._parts.doors.watching()]
        app = web.Application(middlewares=watched, client_max_size=limits.MAX_CONTENT)
        conversions = Conversions()
        app.add_routes(
            [
                web.post("/v1/messages", self._send),
                web.get("/v1/messages", self._list),
                web.get("/v1/messages/{id}", self._show),
                web.get("/v1/messages/{id}/attachments/{index}", self._attachment),
                web.post("/v1/messages/{id}/forward", self._forward),
                web.get("/v1/events", self._events),
                web.get("/v1/members", self._members),
                web.get("/v1/status", self._show_status),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
                *CalendarApi(self._parts, self._entry).routes(),
                *database.routes(),
                *ConsentApi(self._parts, self._entry, self._composer.acts).routes(),
                *ConvertApi(self._parts, self._entry, conversions).routes(),
                *EvidenceApi(self._parts, self._entry).routes(),
                *AuditApi(self._parts, self._entry).routes(),
                *ExportApi(self._parts, self._entry, conversions).routes(),
                *ActsApi(self._parts, self._entry, self._composer.acts).routes(),
                *GroupsApi(self._parts, self._entry).routes(),
                *JointApi(self._parts, self._entry, self._composer.acts).routes(),
                *ProceduresApi(self._parts, self._entry).routes(),
                *ReviewApi(self._parts, self._entry).routes(),
                *WithdrawalsApi(self._parts, self._entry, database.forget).routes(),
                *RefusalsApi(self._parts, self._entry).routes(),
            ]
        )
        return app

    async def _send(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.SEND)
        key = idempotency_key(request)
        value, uploads = await read_request(request, self._parts.files)
        try:
            taken = await self._composer.send(value, uploads, caller, key)
        except Exception:
            # Not when it is cancelled: the commit may stand, and orphans are removed at the next start.
            self._parts.files.remove_content(upload.file for upload in uploads)
            raise
        return await self._taken(taken)

    async def _forward(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.SEND)
        caller.require(Scope.READ)
        source = source_of(await self._entry.message(request.match_info["id"], caller))
        taken = await self._composer.forward(source, await read_json(request), caller, idempotency_key(request))
        return await self._taken(taken)

    async def _taken(self, taken: Taken) -> web.Response:
        return web.json_response(await taken_json(self._parts, taken), status=202 if taken.new else 200)

    async def _list(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        box = request.query.get("box", "inbox")
        if box not in ("inbox", "outbox"):
            raise Invalid("bad-request", "?box= is inbox or outbox")
        after = place(self._vault, box, caller, request.query.get("after", "0"))
        limit = number(request.query.get("limit", "50"), "limit", _MAX_PAGE)
        ministry = caller.ministry if box == "outbox" else None
        found = await self._parts.stores.views.messages(box, after, limit, caller.measures, ministry)
        shown = [await self._views.summary(message) for message in found]
        following = cursor(self._vault, box, caller, found[-1].seq) if found and len(found) == limit else None
        return web.json_response({"messages": shown, "next": following})

    async def _show(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        ident = request.match_info["id"]
        gone = await self._entry.destroyed(ident, caller)
        if gone is not None:
            return web.json_response(await self._views.gone(gone))
        message = await self._entry.message(ident, caller)
        shown = await self._views.detail(message, caller)
        await self._readings.read(caller, message)
        return web.json_response(shown)

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        caller = await self._entry.caller(request, Scope.READ)
        message = await self._entry.message(request.match_info["id"], caller)
        index = number(request.match_info["index"], "index", limits.MAX_ATTACHMENTS)
        if index >= len(message.attachments):
            raise NotFound("no-such-attachment", "this message has no attachment with this index")
        await self._readings.read(caller, message)
        size = open_manifest(self._vault, message).attachments[index].size
        return await send_file(request, self._parts.files, message.attachments[index].file, size)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        caller = await self._entry.caller(request, Scope.READ)
        known = request.headers.get("Last-Event-ID", request.query.get("after", "0"))
        last = place(self._vault, "events", caller, known)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        clock = asyncio.get_running_loop()
        beat = clock.time() + _HEARTBEAT
        while True:
            news = self._parts.wakes.news()
            try:
                page = await self._parts.stores.views.events(last, _EVENT_PAGE)
                caller = await self._entry.caller(request, Scope.READ)
            except ExchangeError:
                # The token was revoked, or the store is away: the stream ends, and the next request is told why.
                break
            for event in page:
                last = event.seq
                if may_see(caller, event):
                    await response.write(_event_text(event, cursor(self._vault, "events", caller, last)))
            # At a pace of its own: a comment at every news would tell when others have some.
            if clock.time() >= beat:
                await response.write(b": still here\n\n")
                beat = clock.time() + _HEARTBEAT
            if not page:
                await wait_for(news, beat - clock.time())
        await response.write_eof()
        return response

    async def _members(self, request: web.Request) -> web.Response:
        await self._entry.caller(request, Scope.READ)
        directory = self._parts.directory.current
        now = self._parts.clock.now()
        members: list[Json] = []
        for member in directory.charter.members:
            epochs = directory.epochs.get(member.code, ())
            ready = any(e.valid_from <= now <= e.valid_until and directory.in_force(e) for e in epochs)
            names: dict[str, Json] = {name.language: name.text for name in member.names}
            role = member.role.name.lower()
            members.append({"code": member.code, "role": role, "names": names, "can_receive": ready})
        return web.json_response(
            {"members": members, "charter": directory.charter.version, "directory_size": directory.size}
        )

    async def _show_status(self, request: web.Request) -> web.Response:
        await self._entry.caller(request, Scope.ADMIN)
        return web.json_response(await self._status())

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        # One row by its key: cheap for the node, and it shows that the store answers.
        await self._parts.stores.access.token("readyz")
        return web.json_response({"status": "ready"})

    async def _metrics(self, request: web.Request) -> web.Response:
        await self._entry.caller(request, Scope.ADMIN)
        parts = self._parts
        counts = await parts.stores.views.counts()
        text = metrics_text(counts, parts.directory.current.size, self._connected())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _event_text(event: Event, ident: str) -> bytes:
    return f"id: {ident}\nevent: {event.type}\ndata: {event.data}\n\n".encode()
