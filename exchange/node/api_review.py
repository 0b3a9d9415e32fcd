"""`GET /v1/review` and `/v1/review/merged`: numbers for the review of implementation (1.8), nothing of any record.

The numbers are the state's: they count what all its ministries sent and received. Whose token may name measure 1.8
sees them. Merged are the reports that the token may see; who is shown what received ones say has read them.
"""

import asyncio
from datetime import date

from aiohttp import web

from exchange.errors import Invalid
from exchange.node.access import Caller, Scope
from exchange.node.editions import default_edition
from exchange.node.entry import Entry
from exchange.node.openings import Readings
from exchange.node.parts import Parts
from exchange.node.queries import day, flag
from exchange.node.request import require_measure
from exchange.node.shelf import Shelf
from exchange.records.facts import RecordFact
from exchange.records.review import MEASURE, RECORD_TYPE, count, merge, report_json, row_json, submitted, without_text
from schemas import catalogue


class ReviewApi:
    """The routes of the review."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._shelf = Shelf(parts)
        self._readings = Readings(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/review", self._report), web.get("/v1/review/merged", self._merged)]

    async def _report(self, request: web.Request) -> web.Response:
        edition, start, end, _ = await self._asked(request)
        own_only = flag(request, "own_only")
        facts: list[RecordFact] = []
        for measure in catalogue.numbers(edition):
            facts += [without_text(fact) for fact in await self._shelf.about({measure})]
        member = self._parts.member
        report = await asyncio.to_thread(count, facts, member, edition, start, end, own_only=own_only)
        return web.json_response(report_json(report))

    async def _merged(self, request: web.Request) -> web.Response:
        edition, start, end, caller = await self._asked(request)
        facts = await self._shelf.about({MEASURE}, caller)
        await self._read(caller, [fact for fact in facts if submitted([fact], edition, start, end)])
        reports = await asyncio.to_thread(submitted, facts, edition, start, end)
        rows = await asyncio.to_thread(merge, reports)
        return web.json_response(
            {
                "catalogue": edition,
                "start": start.isoformat(),
                "end": end.isoformat(),
                "reporters": [report.reporter for report in reports],
                "rows": [row_json(row) for row in rows],
            }
        )

    async def _read(self, caller: Caller, facts: list[RecordFact]) -> None:
        """The numbers are what reports say: whose are shown is read."""
        stores = self._parts.stores
        found = [await stores.views.message(bytes.fromhex(fact.message)) for fact in facts]
        await self._readings.read(caller, *(message for message in found if message is not None))

    async def _asked(self, request: web.Request) -> tuple[str, date, date, Caller]:
        """The edition and the period, for a caller that may ask for them."""
        caller = await self._entry.caller(request, Scope.READ)
        require_measure(caller.measures, MEASURE, RECORD_TYPE)
        edition = request.query.get("catalogue", default_edition(self._parts.directory.current.charter))
        if not catalogue.knows(edition):
            known = ", ".join(row.catalogue_id for row in catalogue.editions())
            raise Invalid("bad-request", f"?catalogue= is one of {known}")
        start, end = day(request, "start"), day(request, "end")
        if start is None or end is None or end < start:
            raise Invalid("bad-request", "?start= and ?end= are the first and the last day, such as 2026-12-31")
        return edition, start, end, caller
