"""`GET /v1/procedures` and `/v1/procedures/{record_id}`: how far each thread of section 3 is, and who may go on.

A procedure is the state's, not one ministry's: whoever may see its measure sees all steps, also those that another
ministry sent; of those it sees no title.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from aiohttp import web

from exchange.errors import Json, NotFound
from exchange.node.access import Caller, Scope, may_see
from exchange.node.compose import MESSAGE_ID, date_text
from exchange.node.entry import Entry
from exchange.node.judging import bodies_of
from exchange.node.parts import Parts
from exchange.node.queries import number
from exchange.node.request import may_use_measure
from exchange.node.shelf import MOST_ABOUT, Shelf
from exchange.node.views import line_json
from exchange.records.chain import build
from exchange.records.facts import RecordFact
from exchange.records.procedure import MODALITIES, Bodies, Next, Status, Taken, status
from exchange.records.threads import Threads, area, starts
from exchange.records.tree import forest

_MOST: Final = 200
_USUAL: Final = "50"


class ProceduresApi:
    """The routes of the procedures."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._shelf = Shelf(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/procedures", self._list), web.get("/v1/procedures/{record_id}", self._show)]

    async def _list(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        limit = number(request.query.get("limit", _USUAL), "limit", _MOST)
        measures = [measure for measure in MODALITIES if _admitted(caller, measure)]
        facts = await self._shelf.about(measures)
        threads, more = await asyncio.to_thread(_threads, facts, limit, self._bodies(), self._parts.clock.now())
        shown = [_summary(start, found, await self._title(start, caller)) for start, found in threads]
        return web.json_response({"procedures": shown, "more": more})

    async def _show(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        asked = await self._asked(request.match_info["record_id"], caller)
        facts = await self._around(asked, caller)
        told = await asyncio.to_thread(_status, facts, asked, self._bodies(), self._parts.clock.now())
        begun = starts(fact for fact in facts if fact.measure == asked.measure)
        start = asked if asked in begun or not begun else begun[0]
        return web.json_response(
            {
                **_summary(start, told, await self._title(start, caller)),
                "refused": [{"record_id": ident, "reason": reason} for ident, reason in told.refused],
                "open": [_next_json(step) for step in told.open],
                "records": await asyncio.to_thread(_lines, facts),
            }
        )

    async def _asked(self, ident: str, caller: Caller) -> RecordFact:
        """The record of section 3 with an id, or in the message with one. Raises NotFound."""
        found: RecordFact | None
        if MESSAGE_ID.fullmatch(ident) is not None:
            found = await self._shelf.of(await self._entry.message(ident, caller))
        else:
            held = sorted(await self._shelf.around((ident,)), key=lambda fact: fact.order)
            found = next((fact for fact in held if fact.record_id == ident), None)
        if found is None or found.measure not in MODALITIES or not _admitted(caller, found.measure):
            raise NotFound("no-such-procedure", "no record of section 3 with this id is here: see GET /v1/procedures")
        return found

    async def _around(self, asked: RecordFact, caller: Caller) -> tuple[RecordFact, ...]:
        """A record's thread, with it. Of other measures, which a record may name too, only what the caller may see."""
        whole = await self._shelf.thread(asked)
        if all(fact.measure == asked.measure for fact in whole):
            return (*whole, asked)
        seen = {fact.message for fact in await self._shelf.thread(asked, caller)}
        return (*(fact for fact in whole if fact.measure == asked.measure or fact.message in seen), asked)

    def _bodies(self) -> Bodies:
        return bodies_of(self._parts.directory.current)

    async def _title(self, fact: RecordFact, caller: Caller) -> Json:
        message = await self._parts.stores.views.message(bytes.fromhex(fact.message))
        return dict(fact.title) if message is not None and may_see(caller, message) else None


def _admitted(caller: Caller, measure: str) -> bool:
    return may_use_measure(caller.measures, measure, "")


def _threads(
    facts: tuple[RecordFact, ...], limit: int, bodies: Bodies, now: int
) -> tuple[list[tuple[RecordFact, Status]], bool]:
    """The threads that began last, the newest first, and whether there are more.

    Records that all name one are in each other's threads: it ends before that makes more work than to read them all.
    """
    begun = starts(facts)
    threads = Threads(facts)
    found: list[tuple[RecordFact, Status]] = []
    read = 0
    for start in begun[: -limit - 1 : -1]:
        thread = threads.of(start)
        read += len(thread)
        if read > MOST_ABOUT:
            break
        found.append((start, _status((*thread, start), start, bodies, now)))
    return found, len(found) < len(begun)


def _status(facts: Iterable[RecordFact], of: RecordFact, bodies: Bodies, now: int) -> Status:
    return status(facts, of.measure, bodies, now, of.mode)


def _summary(start: RecordFact, found: Status, title: Json) -> dict[str, Json]:
    return {
        "id": start.record_id,
        "measure": start.measure,
        "mode": start.mode,
        "title": title,
        "priority_area": area(start),
        "by": list(start.originators),
        "begun": _time(start.evidenced_at),
        "state": "ended" if found.ended else "open",
        "done": [_taken_json(taken) for taken in found.done],
    }


def _taken_json(taken: Taken) -> dict[str, Json]:
    return {
        "step": taken.step,
        "record_id": taken.record_id,
        "by": list(taken.by),
        "at": date_text(taken.at),
        "outcome": taken.outcome,
    }


def _next_json(step: Next) -> dict[str, Json]:
    return {"step": step.step, "act": step.act, "actors": list(step.actors), "members": list(step.members)}


def _lines(facts: tuple[RecordFact, ...]) -> list[Json]:
    """Every record of a thread, under what it acts on."""
    return [line_json(line) for line in forest(build(facts))]


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else date_text(seconds)
