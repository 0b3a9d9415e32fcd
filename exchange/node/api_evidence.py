"""`GET /v1/evidence/{id}`: what this node has on file of a message, as a file that anyone can judge with the charter.

`{id}` is a message's id, or a member's code for the heads of the streams from and to its node. The content stays
sealed: only its commitment is in the file. `?content=true` puts it in, which is an export and needs the same consent.
"""

import hashlib
import json
from typing import Final

from aiohttp import web

from exchange.errors import Forbidden, NotFound
from exchange.node.access import Caller, Scope
from exchange.node.entry import Entry
from exchange.node.evidence import EvidenceFiles
from exchange.node.exporting import Exporting
from exchange.node.openings import Readings
from exchange.node.parts import Parts
from exchange.node.queries import flag
from exchange.node.request import may_use_measure
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.node_values import Message
from exchange.storage.withdrawal_port import DestroyedMessage
from keys.digests import provision_digest
from schemas.canon import decode
from schemas.errors import DecodeError
from schemas.ids import Digest, member_id
from schemas.limits import MAX_PROVISION
from schemas.provision import SIGNED_PROVISION, Provision

_ID: Final = 32
_ALL: Final = "*"


class EvidenceApi:
    """The route of evidence."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._files = EvidenceFiles(parts)
        self._exporting = Exporting(parts)
        self._readings = Readings(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [web.get("/v1/evidence/{id}", self._export)]

    async def _export(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.AUDIT)
        ident, content = request.match_info["id"], flag(request, "content")
        if len(ident) == _ID:
            made = await self._of_message(ident, content, caller)
        else:
            made = await self._of_partner(ident, caller)
        await self._log(ident, content, made, caller)
        headers = {
            "Content-Disposition": f'attachment; filename="{ident}.cbm"',
            "X-Content-Type-Options": "nosniff",
        }
        return web.Response(body=made, content_type="application/octet-stream", headers=headers)

    async def _of_message(self, ident: str, content: bool, caller: Caller) -> bytes:
        """What is left of a message whose content was destroyed is evidence as well. Raises NotFound, Forbidden."""
        missing = NotFound("no-such-message", "there is no message with this id")
        try:
            name = bytes.fromhex(ident)
        except ValueError:
            raise missing from None
        message = await self._parts.stores.views.message(name)
        row: Message | DestroyedMessage | None = message or await self._parts.stores.destroyed.destroyed(name)
        # Who audits sees what every ministry has sent, of the measures that the token is for.
        if row is None or not may_use_measure(caller.measures, row.measure, row.record_type):
            raise missing
        if content:
            caller.require(Scope.READ)
            # The content is for whoever may read the message, which not all may that audit its measure.
            message = await self._entry.message(ident, caller)
            await self._exporting.require([message])
        made = await self._files.of_message(*_own_provision(row), message if content else None)
        if content and message is not None:
            await self._readings.read(caller, message)
        return made

    async def _of_partner(self, code: str, caller: Caller) -> bytes:
        """The streams are of whatever is sent, of any measure. Raises Forbidden, NotFound."""
        try:
            partner = member_id(code)
        except DecodeError:
            raise NotFound("no-such-message", "this is neither a message's id nor a member's code") from None
        if _ALL not in caller.measures:
            raise Forbidden("measure-not-allowed", "the streams are of all measures, and this token is not")
        return await self._files.of_partner(partner)

    async def _log(self, ident: str, content: bool, made: bytes, caller: Caller) -> None:
        """An export that cannot be written down is not made."""
        detail = json.dumps({"content": content, "sha256": hashlib.sha256(made).hexdigest()})
        official = f"{caller.ministry}/{caller.token}"
        subject, member = (ident, None) if len(ident) == _ID else (ident.encode().hex(), ident)
        event = ConsentEvent(self._parts.clock.now(), "evidence.exported", subject, member, official, detail)
        await self._parts.stores.consent.add_event(event)


def _own_provision(row: Message | DestroyedMessage) -> tuple[Provision, Digest]:
    """The Provision that a message's own content stands under, and its digest."""
    all_signed = (decode(SIGNED_PROVISION, raw, 2 * MAX_PROVISION) for raw in row.signed_provisions)
    signed = next(signed for signed in all_signed if provision_digest(signed.body) == row.provision)
    return signed.provision, Digest(row.provision)
