"""`GET /v1/consent/refusals`: transfers of what this state provides that others refused, each with its proof.

A row: `header_digest`, `envelope`, `sender`, `recipients`, `messages` (this state's own that were to be passed on),
`rule`, `source` (`relay`, or the code of the member that refused), `time` and `received` (dates), `judgement` (`agrees`
or `cannot-tell`: this node's own), and `notice`: a `RefusedTransfer` in hexadecimal, with the header that the forwarder
signed, which anyone can check (docs/protocol.md, "Refused transfers").
"""

from typing import Final

from aiohttp import web

from exchange.errors import Json
from exchange.node.access import Caller, Scope
from exchange.node.compose import date_text
from exchange.node.cursors import cursor, place
from exchange.node.entry import Entry
from exchange.node.parts import Parts
from exchange.node.queries import number
from exchange.node.request import may_use_measure
from exchange.storage.refused_port import StoredRefusal
from keys.digests import message_id
from schemas.envelope import Header, decode_header
from schemas.refused import RefusedTransfer, encode_refused

_KIND: Final = "refusals"
# A page of the largest headers is 24 MiB in hexadecimal.
_MAX_PAGE: Final = 10
_ALL: Final = "*"


class RefusalsApi:
    """The route of refused transfers."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/consent/refusals", self._list)]

    async def _list(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        vault = self._parts.keyring.vault
        after = place(vault, _KIND, caller, request.query.get("after", "0"))
        limit = number(request.query.get("limit", str(_MAX_PAGE)), "limit", _MAX_PAGE)
        rows = await self._parts.stores.refused.refused(after, limit)
        shown: list[Json] = [row for stored in rows if (row := await self._shown(stored, caller)) is not None]
        following = cursor(vault, _KIND, caller, rows[-1].seq) if rows and len(rows) == limit else None
        return web.json_response({"refusals": shown, "next": following})

    async def _shown(self, stored: StoredRefusal, caller: Caller) -> dict[str, Json] | None:
        """None for a row of measures that the caller is not for."""
        header = decode_header(stored.header)
        messages = await self._messages(header, caller)
        if not messages and _ALL not in caller.measures:
            return None
        return {
            "header_digest": stored.digest.hex(),
            "envelope": header.core.id.hex(),
            "sender": stored.sender,
            "recipients": list(stored.recipients),
            "messages": list(messages),
            "rule": stored.rule,
            "source": stored.source,
            "time": date_text(stored.time),
            "received": date_text(stored.received),
            "judgement": stored.judgement,
            "notice": encode_refused(RefusedTransfer(stored.header, stored.receipt, stored.rule, stored.time)).hex(),
        }

    async def _messages(self, header: Header, caller: Caller) -> tuple[str, ...]:
        """This state's messages that the header's Provisions are of, as far as the caller is for their measures."""
        found = []
        for signed in header.core.provisions:
            if self._parts.member not in signed.provision.providers:
                continue
            message = await self._parts.stores.views.message(message_id(signed.body))
            if message is not None and may_use_measure(caller.measures, message.measure, message.record_type):
                found.append(message.id.hex())
        return tuple(found)
