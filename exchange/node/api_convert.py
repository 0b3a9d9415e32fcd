"""`POST /v1/convert/{from}`: files of other standards as records, over HTTP.

A conversion stores nothing. It gives the record to send, and says which file to attach to it.
"""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from exchange.convert.formats import IMPORTERS, Source
from exchange.errors import Invalid, Json, NotFound
from exchange.node.access import Scope
from exchange.node.conversions import Conversions, fault_json
from exchange.node.editions import default_edition
from exchange.node.entry import Entry
from exchange.node.outbound import record_uuid
from exchange.node.parts import Parts
from exchange.node.queries import flag
from exchange.node.request import require_measure
from exchange.node.uploads import Sheet, read_sheet
from keys.primitives import random_bytes


class ConvertApi:
    """The routes of conversions."""

    def __init__(self, parts: Parts, entry: Entry, conversions: Conversions) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._conversions = conversions

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.post("/v1/convert/{from}", self._import)]

    async def _import(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.SEND)
        name = request.match_info["from"]
        importer = IMPORTERS.get(name)
        if importer is None:
            raise NotFound("no-such-format", f"formats to convert from are: {', '.join(IMPORTERS)}")
        cap_1_1 = flag(request, "cap_1_1")
        sheet = await read_sheet(request, importer.largest)
        source = Source(
            sheet.data,
            self._template(sheet, importer.names_record),
            sheet.filename,
            frozenset(self._parts.config.convert.accepted_senders),
            cap_1_1,
        )
        found = await self._conversions.do(lambda: importer.convert(source))
        require_measure(caller.measures, found.record["measure"], found.record["record_type"])
        attachment: Json = None
        if found.original is not None:
            attachment = found.record["attachments"][0]
        warnings: list[Json] = [fault_json(fault) for fault in found.warnings]
        return web.json_response({"record": found.record, "warnings": warnings, "attachment": attachment})

    def _template(self, sheet: Sheet, names_record: bool) -> dict[str, Any]:
        """What the caller's template leaves out and this node knows."""
        if not isinstance(sheet.template, dict):
            raise Invalid("bad-template", "the template is no JSON object: write members of the record in one")
        parts = self._parts
        now = parts.clock.now()
        known: dict[str, Any] = {
            "catalogue_id": default_edition(parts.directory.current.charter),
            "originators": [parts.member],
            "issued_at": datetime.fromtimestamp(now, UTC).isoformat(),
        }
        if not names_record:
            known["record_id"] = record_uuid(now * 1000, random_bytes(10))
        return known | sheet.template
