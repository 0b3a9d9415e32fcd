"""`GET /v1/calendar` and `/v1/calendar.ics`: which returns are due, were given, are late or missing.

A calendar is the state's, not one ministry's: whoever may see a measure sees what became of its returns, also of those
that another ministry sent. It holds no content of a record.
"""

import asyncio

from aiohttp import web

from exchange.convert.ical import days_to_ical
from exchange.errors import Conflict, Json
from exchange.node.access import Caller, Scope
from exchange.node.compose import date_text
from exchange.node.entry import Entry
from exchange.node.parts import Parts
from exchange.node.queries import day
from exchange.node.request import may_use_measure
from exchange.node.shelf import Shelf
from exchange.records.calendar import Obligation, chosen, events, obligations
from exchange.records.participation import Agreement, Declaration


class CalendarApi:
    """The routes of the calendar."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._shelf = Shelf(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/calendar", self._show), web.get("/v1/calendar.ics", self._feed)]

    async def _show(self, request: web.Request) -> web.Response:
        rows = await self._rows(request)
        return web.json_response({"member": self._parts.member, "obligations": [_row_json(row) for row in rows]})

    async def _feed(self, request: web.Request) -> web.Response:
        rows = await self._rows(request)
        owner = self._parts.member.lower()
        days = [(f"{event.uid}@{owner}", event.day, event.summary) for event in events(rows)]
        body = await asyncio.to_thread(days_to_ical, days, self._parts.clock.now())
        return web.Response(body=body, content_type="text/calendar", charset="utf-8")

    async def _rows(self, request: web.Request) -> tuple[Obligation, ...]:
        caller = await self._entry.caller(request, Scope.READ)
        query = request.query
        start, end = day(request, "from"), day(request, "to")
        measure = query.get("measure")
        declared = _seen(self._declaration(), caller, measure)
        facts = await self._shelf.about({agreement.measure for agreement in declared.agreements})
        rows = await asyncio.to_thread(obligations, declared, facts, self._parts.clock.now())
        return chosen(rows, partner=query.get("partner"), measure=measure, start=start, end=end)

    def _declaration(self) -> Declaration:
        if self._parts.declaration is None:
            why = "this node has no participation.toml: its operator writes what is agreed with whom, and restarts it"
            raise Conflict("no-declaration", why)
        return self._parts.declaration


def _seen(declaration: Declaration, caller: Caller, measure: str | None) -> Declaration:
    """The agreements, all or those on a measure, that a caller may see whatever record answers them."""

    def seen(agreement: Agreement) -> bool:
        types = agreement.record_types or ("",)
        return all(may_use_measure(caller.measures, agreement.measure, name) for name in types)

    agreements = tuple(
        agreement for agreement in declaration.agreements if measure in (None, agreement.measure) and seen(agreement)
    )
    return Declaration(declaration.member, declaration.catalogue_id, agreements)


def _row_json(row: Obligation) -> dict[str, Json]:
    return {
        "measure": row.measure,
        "partner": row.partner,
        "ours": row.ours,
        "due": row.due.isoformat(),
        "start": row.start.isoformat(),
        "end": row.end.isoformat(),
        "answer": row.answer.value,
        "days_late": row.days_late,
        "message": row.message,
        "evidenced_at": None if row.evidenced_at is None else date_text(row.evidenced_at),
        "delivered_at": None if row.delivered_at is None else date_text(row.delivered_at),
    }
