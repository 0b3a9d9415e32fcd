"""`GET /v1/messages/{id}/export`: a message's record as a file, marked, with its proof, and written down.

Without more it is for anybody, and judged by the rule of exports; `?internal=true` is for use inside this state, by
whoever may read the message, and marked so. `?proof=true` gives file and proof as one JSON object.
"""

import asyncio
import base64
import json
from typing import Any, Final

from aiohttp import web

from exchange.convert.cap import CAP_MEDIA_TYPE, kept_original, record_to_cap
from exchange.convert.formats import EXPORTERS, Exporter
from exchange.convert.limits import MAX_CALENDAR_RECORDS
from exchange.errors import Conflict, Invalid
from exchange.node.access import Caller, Scope
from exchange.node.conversions import Conversions
from exchange.node.entry import Entry
from exchange.node.exporting import INSIDE, OPEN, Export, Exporting, filename, marking
from exchange.node.openings import Readings
from exchange.node.parts import Parts
from exchange.node.queries import flag
from exchange.node.shelf import Shelf
from exchange.node.stored import open_manifest
from exchange.storage.node_values import Message
from schemas.content import Attachment, Manifest
from schemas.ids import Digest
from schemas.record_limits import MAX_CAP_BYTES

_RECORD: Final = "json"
_ISSUERS_FILE: Final = "the issuer's own file, not valid CAP 1.2; the record's alert was rebuilt from it"


class ExportApi:
    """The route of exports."""

    def __init__(self, parts: Parts, entry: Entry, conversions: Conversions) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._conversions = conversions
        self._shelf = Shelf(parts)
        self._exporting = Exporting(parts)
        self._readings = Readings(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/messages/{id}/export", self._export)]

    async def _export(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.READ)
        form = request.query.get("as", _RECORD)
        if form != _RECORD and form not in EXPORTERS:
            raise Invalid("bad-request", f"?as= is one of {_RECORD}, {', '.join(EXPORTERS)}")
        internal, proof = flag(request, "internal"), flag(request, "proof")
        message = await self._entry.message(request.match_info["id"], caller)
        export, read = await self._made(message, form, internal, caller)
        await self._readings.read(caller, *read)
        await self._exporting.log(message, export, caller)
        suffix = _RECORD if form == _RECORD else EXPORTERS[form].suffix
        name = filename(message, suffix, internal)
        if not proof:
            return _file(message, export, name)
        return web.json_response(
            {
                "filename": name,
                "media_type": export.media_type,
                "note": export.note,
                "content": base64.b64encode(export.content).decode("ascii"),
                "proof": await self._exporting.proof(message, export),
            }
        )

    async def _made(self, message: Message, form: str, internal: bool, caller: Caller) -> tuple[Export, list[Message]]:
        """The file, after it was judged, and what is in it; nothing is opened of what may not leave."""
        if not internal:
            await self._exporting.require([message])
        manifest = open_manifest(self._parts.keyring.vault, message)
        record = json.loads(manifest.body)
        if form == _RECORD:
            return Export(form, "application/json", manifest.body, internal), [message]
        exporter = EXPORTERS[form]
        original = kept_original(record) if form == "cap" and record["record_type"] == "disaster-alert" else None
        if original is not None:
            content = await self._conversions.do(lambda: self._issuers_file(message, manifest, record, original))
            return Export(form, CAP_MEDIA_TYPE, content, internal, _ISSUERS_FILE), [message]
        others = await self._thread(message, record, caller, exporter)
        if not internal:
            await self._exporting.require(others)
        records = [record, *await asyncio.to_thread(self._records, others)]
        content = await self._conversions.do(lambda: exporter.convert(records))
        return Export(form, exporter.media_type, content, internal), [message, *others]

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
    ) -> list[Message]:
        """For an event, the messages that change or cancel it, as far as the caller may see that."""
        if exporter is not EXPORTERS["ical"]:
            return []
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
        return [one for one in found if one is not None]

    def _records(self, messages: list[Message]) -> list[dict[str, Any]]:
        vault = self._parts.keyring.vault
        return [json.loads(open_manifest(vault, message).body) for message in messages]


def _place(attachments: tuple[Attachment, ...], digest: Digest) -> int | None:
    return next((index for index, one in enumerate(attachments) if one.sha256 == digest), None)


def _file(message: Message, export: Export, name: str) -> web.Response:
    """A file to save: a browser never runs it, whatever is in it."""
    headers = {
        "Content-Type": export.media_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "CBM-Marking": marking(message),
        "CBM-Handling": INSIDE if export.internal else OPEN,
    }
    return web.Response(
        body=export.content, headers=headers | ({} if export.note is None else {"CBM-Note": export.note})
    )
