"""`GET /v1/audit`: this node's audit log, searched, and `GET /v1/audit/{index}`, one entry of it.

Query: `kind` (several with commas), `member`, `actor` (as a whole, or a ministry with `/` behind it), `reason`,
`envelope` and `subject` (hexadecimal), `since` (inclusive), `until` (exclusive; RFC 3339), `newest` (true: the latest
first), `after` (the `next` of the page before), `limit`, `export` (true: what is asked for is taken out into a file,
and the log says who did so). The log is of the whole node: a token needs the scope `audit`, and to be for all measures.
"""

from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from exchange.audit.shown import KINDS, shown
from exchange.errors import Forbidden, Invalid, Json, NotFound
from exchange.node.access import Caller, Scope
from exchange.node.entry import Entry
from exchange.node.parts import Parts
from exchange.node.queries import flag, number
from exchange.storage.audit_port import AuditLeaf, AuditPlace, AuditQuery
from schemas.audit import AuditKind
from schemas.limits import MAX_TREE_SIZE

_MAX_PAGE: Final = 1000
_PAGE: Final = 100
_ALL: Final = "*"
_MAX_BLOB: Final = 32


class AuditApi:
    """The routes of the audit log."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._audit = parts.stores.audit
        self._doors = parts.doors
        self._entry = entry

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/audit", self._search), web.get("/v1/audit/{index}", self._show)]

    async def _search(self, request: web.Request) -> web.Response:
        caller = await self._allow(request)
        query = audit_query(request)
        limit = number(request.query.get("limit", str(_PAGE)), "limit", _MAX_PAGE)
        after = request.query.get("after")
        place = None if after is None else await self._place(number(after, "after", MAX_TREE_SIZE))
        if flag(request, "export") and place is None:
            await self._doors.exported(caller)
        leaves = await self._audit.search(query, place, limit)
        rows: list[Json] = [_shown(leaf) for leaf in leaves]
        following = leaves[-1].index if leaves and len(leaves) == limit else None
        return web.json_response({"entries": rows, "next": following})

    async def _show(self, request: web.Request) -> web.Response:
        await self._allow(request)
        leaf = await self._at(number(request.match_info["index"], "the index", MAX_TREE_SIZE))
        raw = {"leaf": None if leaf.leaf is None else leaf.leaf.hex()}
        return web.json_response(_shown(leaf) | raw)

    async def _allow(self, request: web.Request) -> Caller:
        caller = await self._entry.caller(request, Scope.AUDIT)
        if _ALL not in caller.measures:
            raise Forbidden("measure-not-allowed", "the audit log is of all measures, and this token is not")
        return caller

    async def _place(self, index: int) -> AuditPlace:
        leaf = await self._at(index)
        return AuditPlace(leaf.time, leaf.index)

    async def _at(self, index: int) -> AuditLeaf:
        found = await self._audit.leaves(index, 1)
        if not found or found[0].index != index:
            raise NotFound("no-such-entry", f"the audit log has no entry {index}")
        return found[0]


def _shown(leaf: AuditLeaf) -> dict[str, Json]:
    return shown(leaf.index, leaf.time, leaf.leaf, leaf.lost)


def audit_query(request: web.Request) -> AuditQuery:
    """What a request looks for. Raises Invalid (bad-request)."""
    return AuditQuery(
        kinds=_kinds(request.query.get("kind")),
        member=request.query.get("member"),
        actor=request.query.get("actor"),
        reason=request.query.get("reason"),
        envelope=_blob(request, "envelope"),
        subject=_blob(request, "subject"),
        since=_moment(request, "since"),
        until=_moment(request, "until"),
        newest=flag(request, "newest"),
    )


def _kinds(text: str | None) -> tuple[AuditKind, ...] | None:
    if text is None:
        return None
    try:
        return tuple(KINDS[label] for label in text.split(","))
    except KeyError as fault:
        raise Invalid("bad-request", f"there is no kind {fault.args[0]!r}: one of {', '.join(KINDS)}") from None


def _blob(request: web.Request, name: str) -> bytes | None:
    text = request.query.get(name)
    try:
        value = None if text is None else bytes.fromhex(text)
    except ValueError:
        value = b""
    if value is not None and not 0 < len(value) <= _MAX_BLOB:
        raise Invalid("bad-request", f"?{name}= is an identifier in hexadecimal")
    return value


def _moment(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
        return int((value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise Invalid("bad-request", f"?{name}= is a time such as 2027-01-31T09:00:00Z") from None
