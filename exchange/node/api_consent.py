"""Requests for consent, Grants, and the log of both.

POST /v1/consent/requests               ask for consent (scope send): 201, or 200: it was asked before
GET  /v1/consent/requests?box=in|out    those received (consent) or made (send, consent), of the token's measures
GET  /v1/consent/requests/{id}          one of either, with every provider's answer
POST /v1/consent/requests/{id}/grant    sign a Grant in answer (consent); 202 when other officials have to approve it
POST /v1/consent/requests/{id}/refuse   {"reason"} (consent)
GET  /v1/consent/grants?box=held|given  Grants
POST /v1/consent/grants                 give one that nobody asked for (consent)
GET  /v1/consent/log                    what happened (audit, or consent for all measures)
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from aiohttp import web

from exchange.errors import Forbidden, Invalid, Json, NotFound
from exchange.node.access import Caller, Scope, authenticate
from exchange.node.acts import Acts
from exchange.node.asking import Asker, AskForm
from exchange.node.consent_forms import GiveForm, GrantForm, RefuseForm
from exchange.node.consent_views import ConsentViews
from exchange.node.consenting import Consenting, require_any, visible_request
from exchange.node.cursors import cursor, place
from exchange.node.entry import Entry
from exchange.node.parts import Parts
from exchange.node.passing import source_of
from exchange.node.queries import idempotency_key, number
from exchange.node.request import may_use_measure, parse_model
from exchange.node.taken import Taken, taken_json
from exchange.node.uploads import read_json
from exchange.storage.request_port import GIVEN, HELD, IN, OUT, StoredGrant, StoredRequest

_MAX_PAGE: Final = 200
Row = TypeVar("Row", StoredRequest, StoredGrant)


class ConsentApi:
    """The routes of requests and Grants."""

    def __init__(self, parts: Parts, entry: Entry, acts: Acts) -> None:
        """Over the node's parts, behind their door; what others have to approve waits among `acts`."""
        self._parts = parts
        self._entry = entry
        self._asker = Asker(parts)
        self._consenting = Consenting(parts, acts)
        self._views = ConsentViews(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.post("/v1/consent/requests", self._ask),
            web.get("/v1/consent/requests", self._list_requests),
            web.get("/v1/consent/requests/{id}", self._show),
            web.post("/v1/consent/requests/{id}/grant", self._grant),
            web.post("/v1/consent/requests/{id}/refuse", self._refuse),
            web.get("/v1/consent/grants", self._list_grants),
            web.post("/v1/consent/grants", self._give),
            web.get("/v1/consent/log", self._log),
        ]

    async def _ask(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.SEND)
        form = parse_model(AskForm, await read_json(request))
        source = source_of(await self._entry.message(form.message, caller))
        ident, new = await self._asker.request(source, form, caller, idempotency_key(request))
        stored = await visible_request(self._parts, OUT, ident.hex(), caller)
        return web.json_response(self._views.request(stored), status=201 if new else 200)

    async def _list_requests(self, request: web.Request) -> web.Response:
        box = _box(request, (IN, OUT))
        caller = await self._caller(request, *((Scope.CONSENT,) if box == IN else (Scope.SEND, Scope.CONSENT)))
        rows, following = await self._page(request, f"consent-{box}", box, caller, self._parts.stores.requests.requests)
        return web.json_response({"requests": [self._views.request(row) for row in rows], "next": following})

    async def _show(self, request: web.Request) -> web.Response:
        caller = await self._caller(request, Scope.CONSENT, Scope.SEND)
        ident = request.match_info["id"]
        try:
            found = await visible_request(self._parts, OUT, ident, caller)
        except NotFound:
            require_any(caller, Scope.CONSENT)
            found = await visible_request(self._parts, IN, ident, caller)
        return web.json_response(self._views.request(found))

    async def _grant(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        found = await self._consenting.request(request.match_info["id"], caller)
        form = parse_model(GrantForm, await read_json(request))
        return await self._given(await self._consenting.grant(found, form, caller, idempotency_key(request)))

    async def _refuse(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        found = await self._consenting.request(request.match_info["id"], caller)
        form = parse_model(RefuseForm, await read_json(request))
        await self._consenting.refuse(found, form.reason, caller, idempotency_key(request))
        return web.json_response(self._views.request(await self._consenting.request(found.id.hex(), caller)))

    async def _list_grants(self, request: web.Request) -> web.Response:
        box = _box(request, (HELD, GIVEN))
        caller = await self._caller(request, *((Scope.CONSENT,) if box == GIVEN else (Scope.SEND, Scope.CONSENT)))
        rows, following = await self._page(request, f"consent-{box}", box, caller, self._parts.stores.grants.grants)
        return web.json_response({"grants": [self._views.grant(row) for row in rows], "next": following})

    async def _give(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        form = parse_model(GiveForm, await read_json(request))
        return await self._given(await self._consenting.give(form, caller, idempotency_key(request)))

    async def _given(self, taken: Taken) -> web.Response:
        """The Grant, or the act that others have to approve first."""
        stored = await self._parts.stores.grants.grant(GIVEN, self._parts.member, taken.message)
        if stored is None:
            return web.json_response(await taken_json(self._parts, taken), status=202)
        return web.json_response(self._views.grant(stored), status=201 if taken.new else 200)

    async def _log(self, request: web.Request) -> web.Response:
        caller = await self._caller(request, Scope.AUDIT, Scope.CONSENT)
        if Scope.AUDIT.value not in caller.scopes and "*" not in caller.measures:
            raise Forbidden("measure-not-allowed", "the log is of all measures: it takes the scope audit")
        vault = self._parts.keyring.vault
        after = place(vault, "consent-log", caller, request.query.get("after", "0"))
        limit = number(request.query.get("limit", "100"), "limit", _MAX_PAGE)
        found = await self._parts.stores.consent.events(after, limit, request.query.get("subject"))
        following = cursor(vault, "consent-log", caller, found[-1].seq) if found and len(found) == limit else None
        return web.json_response({"events": [self._views.line(event) for event in found], "next": following})

    async def _page(
        self,
        request: web.Request,
        kind: str,
        box: str,
        caller: Caller,
        read: Callable[[str, int, int], Awaitable[tuple[Row, ...]]],
    ) -> tuple[list[Row], Json]:
        """The rows of a page that the caller may see, perhaps none of them, and the cursor of the next page."""
        vault = self._parts.keyring.vault
        after = place(vault, kind, caller, request.query.get("after", "0"))
        limit = number(request.query.get("limit", "100"), "limit", _MAX_PAGE)
        found = await read(box, after, limit)
        following = cursor(vault, kind, caller, found[-1].seq) if found and len(found) == limit else None
        seen = [row for row in found if may_use_measure(caller.measures, row.measure or "", row.record_type)]
        return seen, following

    async def _caller(self, request: web.Request, *scopes: Scope) -> Caller:
        """The caller, with one of the scopes. Raises Unauthenticated, Forbidden."""
        caller = await authenticate(self._parts.stores.access, request.headers.get("Authorization", ""))
        require_any(caller, *scopes)
        return caller


def _box(request: web.Request, names: tuple[str, str]) -> str:
    box = request.query.get("box", names[0])
    if box not in names:
        raise Invalid("bad-request", f"?box= is {names[0]} or {names[1]}")
    return box
