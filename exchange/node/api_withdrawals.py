"""Withdrawals of consent, what holders state about them, and why a message may go to a state or not.

GET  /v1/consent/withdrawals                    `own` and `others`, each with its state
POST /v1/consent/withdrawals                    {"id": of a message or Grant, "reason"}: 201, or 200: it was so
GET  /v1/consent/withdrawals/{name}             with all statements, or what was stated from here
POST /v1/consent/withdrawals/{name}/statements  {"conduct": "ceased", "destroyed" or "not-held"}
GET  /v1/messages/{id}/explain?to=UZB,CHN       decisions about each recipient, for a `purpose`
"""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from exchange.consent.explanation import explanation_json, explanation_lines
from exchange.errors import Invalid, Json, NotFound
from exchange.node.access import Caller, Scope
from exchange.node.compose import MESSAGE_ID
from exchange.node.entry import Entry
from exchange.node.explaining import Explainer
from exchange.node.parts import Parts
from exchange.node.request import code, may_use_measure, parse_model
from exchange.node.uploads import read_json
from exchange.node.withdrawal_views import own_json, read_name, seen_json, statement_json, told_json
from exchange.node.withdrawing import Withdrawer
from exchange.node.withdrawn import Withdrawn, ident_of
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import OwnWithdrawal
from schemas.consent import Conduct
from schemas.content import ContentKind
from schemas.errors import DecodeError
from schemas.ids import member_id
from schemas.limits import MAX_REASON, MAX_RECIPIENTS
from schemas.terms import Purpose

_CONDUCTS: Final = {"ceased": Conduct.CEASED, "destroyed": Conduct.DESTROYED, "not-held": Conduct.NOT_HELD}


class WithdrawRequest(BaseModel):
    """Body of a withdrawal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern="^[0-9a-f]{32}$")
    reason: str = Field(min_length=1, max_length=MAX_REASON)


class StateRequest(BaseModel):
    """Body of a statement."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    conduct: Literal["ceased", "destroyed", "not-held"]


class WithdrawalsApi:
    """The routes of withdrawals."""

    def __init__(self, parts: Parts, entry: Entry, forget: Callable[[], Awaitable[None]]) -> None:
        """Over the node's parts, behind their door; `forget` drops what was read of messages and is kept in memory."""
        self._parts = parts
        self._entry = entry
        self._forget = forget
        self._own = Withdrawer(parts)
        self._others = Withdrawn(parts)
        self._explainer = Explainer(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/v1/consent/withdrawals", self._list),
            web.post("/v1/consent/withdrawals", self._withdraw),
            web.get("/v1/consent/withdrawals/{name}", self._show),
            web.post("/v1/consent/withdrawals/{name}/statements", self._state),
            web.get("/v1/messages/{id}/explain", self._explain),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        own: list[Json] = [
            await self._own_row(row) for row in await self._parts.stores.withdrawals.withdrawals() if _may(caller, row)
        ]
        others: list[Json] = [
            {**seen_json(self._parts, row), "stated": await self._stated(row.provider, row.id)}
            for row in await self._parts.stores.held.all_seen()
            if may_use_measure(caller.measures, *await self._others.kind(row))
        ]
        return web.json_response({"own": own, "others": others})

    async def _withdraw(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        asked = parse_model(WithdrawRequest, await read_json(request))
        row, new = await self._own.withdraw(bytes.fromhex(asked.id), asked.reason, caller)
        return web.json_response(await self._own_row(row), status=201 if new else 200)

    async def _show(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        provider, ident = read_name(request.match_info["name"])
        if provider == self._parts.member:
            row = await self._parts.stores.withdrawals.withdrawal(ident)
            if row is None or not _may(caller, row):
                raise NotFound("no-such-withdrawal", "this state has withdrawn nothing of this name")
            return web.json_response(await self._own_row(row))
        seen = await self._others.require(provider, ident, caller)
        messages = [{"id": ident_of(row).hex(), "box": row.box} for row in await self._others.messages(seen)]
        shown = {**seen_json(self._parts, seen), "stated": await self._stated(provider, ident), "messages": messages}
        return web.json_response(shown)

    async def _state(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        provider, ident = read_name(request.match_info["name"])
        conduct = _CONDUCTS[parse_model(StateRequest, await read_json(request)).conduct]
        try:
            await self._others.state(provider, ident, conduct, caller)
        finally:
            # Also when a file resists: the rest is destroyed.
            if conduct is Conduct.DESTROYED:
                await self._forget()
        return web.json_response({"stated": await self._stated(provider, ident)}, status=201)

    async def _explain(self, request: web.Request) -> web.Response:
        message = await self._message(request)
        label = request.query.get("purpose")
        purpose = None if label is None else code(Purpose, label, "purpose")
        try:
            to = {member_id(text.strip()) for text in request.query.get("to", "").split(",")}
        except DecodeError:
            raise Invalid("bad-member", "?to= has members' codes, such as UZB,CHN") from None
        if len(to) > MAX_RECIPIENTS or self._parts.member in to:
            raise Invalid("bad-member", f"?to= has at most {MAX_RECIPIENTS} codes, and not this node's own")
        explanation = await self._explainer.explain(message, tuple(sorted(to)), purpose)
        return web.json_response(
            {**explanation_json(explanation), "lines": list(explanation_lines(explanation))},
        )

    async def _message(self, request: web.Request) -> Message:
        """For who may read it; and, whichever ministry sent it, for who decides about consent to its measure."""
        caller, ident = await self._entry.anyone(request), request.match_info["id"]
        if Scope.CONSENT in caller.scopes and MESSAGE_ID.fullmatch(ident) is not None:
            message = await self._parts.stores.views.message(bytes.fromhex(ident))
            if message is not None and message.kind == ContentKind.RECORD and _may(caller, message):
                return message
        caller.require(Scope.READ)
        return await self._entry.message(ident, caller)

    async def _own_row(self, row: OwnWithdrawal) -> dict[str, Json]:
        statements = await self._parts.stores.held.statements(self._parts.member, row.id)
        told = await self._parts.stores.withdrawals.told(row.id)
        return {**own_json(self._parts, row), "holders": [told_json(one, statements) for one in told]}

    async def _stated(self, provider: str, ident: bytes) -> list[Json]:
        return [statement_json(row) for row in await self._parts.stores.held.statements(provider, ident)]


def _may(caller: Caller, row: OwnWithdrawal | Message) -> bool:
    return may_use_measure(caller.measures, row.measure, row.record_type)
