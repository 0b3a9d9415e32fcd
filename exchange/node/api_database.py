"""`GET /v1/database` and `POST /v1/compilations`: the Secretariat's database (1.6; section 3.B, step B2; 2.3.14).

Any node answers questions about what it holds; editions are compiled at the Secretariat's alone.
"""

import re
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from exchange.errors import Invalid
from exchange.node.access import Caller, Scope
from exchange.node.compiler import Compiler
from exchange.node.compose import Composer
from exchange.node.cursors import cursor, place
from exchange.node.entry import Entry
from exchange.node.parts import Parts
from exchange.node.queries import day, idempotency_key, number
from exchange.node.search import Search
from exchange.node.taken import taken_json
from exchange.node.text_index import Wanted
from exchange.node.uploads import read_json
from exchange.records.words import MAX_QUESTION, question_of
from schemas.errors import DecodeError
from schemas.ids import member_id
from schemas.limits import DAY

_MEASURE: Final = re.compile(r"[0-9A-Za-z.]{1,20}\*?")
# Each row asks `authorise` about every member.
_MAX_PAGE: Final = 50
_KIND: Final = "database"
_NEWEST: Final = 2**62


class DatabaseApi:
    """The routes of the database."""

    def __init__(self, parts: Parts, entry: Entry, composer: Composer) -> None:
        """Over the node's parts, behind their door; editions go out through the composer."""
        self._vault = parts.keyring.vault
        self._parts = parts
        self._entry = entry
        self._search = Search(parts)
        self._compiler = Compiler(parts, composer)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/database", self._find), web.post("/v1/compilations", self._compile)]

    async def forget(self) -> None:
        """Nothing of what was read for earlier questions is kept."""
        await self._search.forget()

    async def _find(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        before = place(self._vault, _KIND, caller, request.query.get("after", "0")) or _NEWEST
        limit = number(request.query.get("limit", "20"), "limit", _MAX_PAGE)
        page = await self._search.find(_wanted(request), caller, before, limit)
        following = None if page.last is None else cursor(self._vault, _KIND, caller, page.last)
        return web.json_response({"rows": list(page.rows), "next": following, "complete": page.complete})

    async def _compile(self, request: web.Request) -> web.Response:
        caller = await self._caller(request)
        taken, told = await self._compiler.compile(await read_json(request), caller, idempotency_key(request))
        shown = {**await taken_json(self._parts, taken), **told}
        return web.json_response(shown, status=202 if taken.new else 200)

    async def _caller(self, request: web.Request) -> Caller:
        """Who compiles reads what it compiles from."""
        caller = await self._entry.caller(request, Scope.SEND)
        caller.require(Scope.READ)
        return caller


def _wanted(request: web.Request) -> Wanted:
    """What a query asks for. Raises Invalid."""
    query = request.query
    text, measure, state = query.get("q"), query.get("measure"), query.get("state")
    words = None if text is None else question_of(text[: MAX_QUESTION + 1])
    if text is not None and (words is None or len(text) > MAX_QUESTION):
        raise Invalid("bad-request", f"?q= has one word or more, and at most {MAX_QUESTION} characters")
    if measure is not None and _MEASURE.fullmatch(measure) is None:
        raise Invalid("bad-request", "?measure= is a number such as 2.3.12, or the beginning of one and a star: 2.3.*")
    try:
        originator = None if state is None else member_id(state)
    except DecodeError:
        raise Invalid("bad-request", "?state= is a member's code, three capital letters") from None
    start, end = day(request, "from"), day(request, "to")
    return Wanted(
        words=words,
        measure=measure,
        state=originator,
        start=None if start is None else _midnight(start.isoformat()),
        end=None if end is None else _midnight(end.isoformat()) + DAY - 1,
    )


def _midnight(text: str) -> int:
    """Unix seconds of the beginning of a day, UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
