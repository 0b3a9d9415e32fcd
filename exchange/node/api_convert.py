"""`POST /v1/convert/{from}` and `GET /v1/messages/{id}/export`: standards in and out, over HTTP.

A conversion stores nothing. An import gives the record to send, and says which file to attach to it; an export gives
only what the caller may read anyway.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from aiohttp import web

from exchange.convert.cap import CAP_MEDIA_TYPE, kept_original, record_to_cap
from exchange.convert.errors import ConversionError
from exchange.convert.formats import EXPORTERS, IMPORTERS, Exporter, Source
from exchange.convert.limits import MAX_CALENDAR_RECORDS
from exchange.errors import Conflict, Invalid, Json, NotFound
from exchange.node.access import Caller, Scope
from exchange.node.editions import default_edition
from exchange.node.entry import Entry
from exchange.node.outbound import record_uuid
from exchange.node.parts import Parts
from exchange.node.queries import flag
from exchange.node.request import require_measure
from exchange.node.shelf import Shelf
from exchange.node.stored import open_manifest
from exchange.node.uploads import Sheet, read_sheet
from exchange.storage.node_values import Message
from keys.primitives import random_bytes
from schemas.content import Attachment, Manifest
from schemas.ids import Digest
from schemas.record_errors import Fault, RecordError
from schemas.record_limits import MAX_CAP_BYTES

# The worst sheet takes 1.6 s of a core, and no conversion can be stopped half way; more at once only take longer.
_AT_ONCE: Final = 2
_RECORD: Final = "json"
_ISSUERS_FILE: Final = "the issuer's own file, not valid CAP 1.2; the record's alert was rebuilt from it"
T = TypeVar("T")


class ConvertApi:
    """The routes of conversions."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._shelf = Shelf(parts)
        self._places = asyncio.Semaphore(_AT_ONCE)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.post("/v1/convert/{from}", self._import),
            web.get("/v1/messages/{id}/export", self._export),
        ]

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
        found = await self._bounded(lambda: importer.convert(source))
        require_measure(caller.measures, found.record["measure"], found.record["record_type"])
        attachment: Json = None
        if found.original is not None:
            attachment = found.record["attachments"][0]
        warnings: list[Json] = [_fault_json(fault) for fault in found.warnings]
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

    async def _export(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        form = request.query.get("as", _RECORD)
        if form != _RECORD and form not in EXPORTERS:
            raise Invalid("bad-request", f"?as= is one of {_RECORD}, {', '.join(EXPORTERS)}")
        message = await self._entry.message(request.match_info["id"], caller)
        manifest = open_manifest(self._parts.keyring.vault, message)
        record = json.loads(manifest.body)
        if form == _RECORD:
            return _file(message, "application/json", _RECORD, manifest.body)
        exporter = EXPORTERS[form]
        original = kept_original(record) if form == "cap" and record["record_type"] == "disaster-alert" else None
        if original is not None:
            content = await self._bounded(lambda: self._issuers_file(message, manifest, record, original))
            return _file(message, CAP_MEDIA_TYPE, exporter.suffix, content, _ISSUERS_FILE)
        records = await self._thread(message, record, caller, exporter)
        content = await self._bounded(lambda: exporter.convert(records))
        return _file(message, exporter.media_type, exporter.suffix, content)

    def _issuers_file(self, message: Message, manifest: Manifest, record: dict[str, Any], digest: str) -> bytes:
        """The attachment that carries an alert as its issuer wrote it."""
        index = _place(manifest.attachments, Digest(bytes.fromhex(digest)))
        if index is None:
            raise Conflict("no-original", "the issuer's file did not travel with this record: ask its sender for it")
        if manifest.attachments[index].size > MAX_CAP_BYTES:
            raise Conflict("no-original", f"the attachment is larger than an alert may be, {MAX_CAP_BYTES} bytes")
        content = b"".join(self._parts.files.read_content(message.attachments[index].file))
        return record_to_cap(record, content)

    async def _thread(
        self, message: Message, record: dict[str, Any], caller: Caller, exporter: Exporter
    ) -> list[dict[str, Any]]:
        """The record, and for an event what changes or cancels it, as far as the caller may see that."""
        if exporter is not EXPORTERS["ical"]:
            return [record]
        facts = await self._shelf.around((record["record_id"],), caller)
        # What others send cannot change it, and must not crowd out what does.
        by = frozenset(record["originators"])
        own = [
            fact
            for fact in facts
            if fact.record_type == record["record_type"]
            and fact.message != message.id.hex()
            and not by.isdisjoint(fact.originators)
        ]
        # One more than may be is enough to be refused for it.
        idents = [bytes.fromhex(fact.message) for fact in own[:MAX_CALENDAR_RECORDS]]
        found = [await self._parts.stores.views.message(ident) for ident in idents]
        others = await asyncio.to_thread(self._records, [one for one in found if one is not None])
        return [record, *others]

    def _records(self, messages: list[Message]) -> list[dict[str, Any]]:
        vault = self._parts.keyring.vault
        return [json.loads(open_manifest(vault, message).body) for message in messages]

    async def _bounded(self, work: Callable[[], T]) -> T:
        """Do one conversion in a thread, after those that are under way; its faults become a problem document."""
        async with self._places:
            try:
                return await asyncio.to_thread(work)
            except ConversionError as error:
                raise Invalid(error.code, str(error), _extra(error.faults)) from None
            except RecordError as error:
                raise Invalid("invalid-record", str(error), _extra(error.faults)) from None


def _place(attachments: tuple[Attachment, ...], digest: Digest) -> int | None:
    return next((index for index, one in enumerate(attachments) if one.sha256 == digest), None)


def _extra(faults: tuple[Fault, ...]) -> dict[str, Json]:
    """Row, column or path of the first fault, and all of them."""
    return {"path": faults[0].path, "faults": [_fault_json(fault) for fault in faults]}


def _fault_json(fault: Fault) -> dict[str, Json]:
    return {"path": fault.path, "found": fault.found, "expected": fault.expected}


def _file(message: Message, media_type: str, suffix: str, content: bytes, note: str | None = None) -> web.Response:
    """A file to save: a browser never runs it, whatever is in it."""
    name = f"{message.record_type}-{message.id.hex()[:8]}.{suffix}"
    headers = {
        "Content-Type": media_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(body=content, headers=headers | ({} if note is None else {"CBM-Note": note}))
