"""`/v1/releases`: what waits for other officials, shown whole to who may decide it, approved, refused, changed."""

from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from exchange.consent.four_eyes import ActState, counted
from exchange.errors import Invalid, Json, NotFound
from exchange.node.access import Caller
from exchange.node.acts import OPEN, Acts
from exchange.node.compose import date_text
from exchange.node.downloads import send_file
from exchange.node.draft import Upload
from exchange.node.entry import Entry
from exchange.node.parts import Parts
from exchange.node.queries import number
from exchange.node.request import parse_model
from exchange.node.uploads import read_json, read_request
from exchange.storage.act_port import Act
from schemas import limits

_STATES: Final = {"open": OPEN, "all": tuple(ActState)}


class ApproveRequest(BaseModel):
    """Body of an approval: the digest of what was looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: str = Field(pattern="^[0-9a-f]{64}$")


class RefuseRequest(BaseModel):
    """Body of a refusal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(min_length=1, max_length=limits.MAX_REASON)


class ActsApi:
    """The routes of acts. What a token may do there is for `Acts` to say."""

    def __init__(self, parts: Parts, entry: Entry, acts: Acts) -> None:
        """Over the node's parts, behind their door."""
        self._parts = parts
        self._entry = entry
        self._acts = acts

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/v1/releases", self._list),
            web.get("/v1/releases/{id}", self._show),
            web.put("/v1/releases/{id}", self._change),
            web.get("/v1/releases/{id}/attachments/{index}", self._attachment),
            web.post("/v1/releases/{id}/approve", self._approve),
            web.post("/v1/releases/{id}/refuse", self._refuse),
            web.post("/v1/messages/{id}/release", self._approve),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        caller = await self._entry.anyone(request)
        states = _STATES.get(request.query.get("state", "open"))
        if states is None:
            raise Invalid("bad-request", f"?state= is one of {', '.join(_STATES)}")
        found = await self._acts.listed(caller, states)
        return web.json_response({"releases": [await self._summary(act) for act in found]})

    async def _show(self, request: web.Request) -> web.Response:
        caller = await self._entry.anyone(request)
        act = await self._acts.visible(request.match_info["id"], caller)
        return web.json_response(await self._detail(act, caller))

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        caller = await self._entry.anyone(request)
        opened = self._acts.open(await self._acts.visible(request.match_info["id"], caller))
        index = number(request.match_info["index"], "index", limits.MAX_ATTACHMENTS)
        if index >= len(opened.uploads):
            raise NotFound("no-such-attachment", "there is no attachment with this index")
        upload = opened.uploads[index]
        return await send_file(request, self._parts.files, upload.file, upload.attachment.size)

    async def _approve(self, request: web.Request) -> web.Response:
        caller = await self._entry.anyone(request)
        asked = parse_model(ApproveRequest, await read_json(request))
        act = await self._acts.approve(request.match_info["id"], caller, bytes.fromhex(asked.digest))
        return web.json_response(await self._summary(act))

    async def _refuse(self, request: web.Request) -> web.Response:
        caller = await self._entry.anyone(request)
        asked = parse_model(RefuseRequest, await read_json(request))
        return web.json_response(
            await self._summary(await self._acts.refuse(request.match_info["id"], caller, asked.reason))
        )

    async def _change(self, request: web.Request) -> web.Response:
        caller = await self._entry.anyone(request)
        # Before anything is read that its author alone may send.
        await self._acts.visible(request.match_info["id"], caller)
        value, uploads = await read_request(request, self._parts.files)
        try:
            act = await self._acts.change(request.match_info["id"], caller, value, uploads)
        except Exception:
            # Not when it is cancelled: the commit may stand, and orphans are removed at the next start.
            self._parts.files.remove_content(upload.file for upload in uploads)
            raise
        return web.json_response(await self._detail(act, caller))

    async def _summary(self, act: Act) -> dict[str, Json]:
        approvals = await self._parts.stores.acts.approvals(act.id)
        count = counted(act.held, approvals)
        return {
            "id": act.id.hex(),
            "kind": act.kind,
            "state": act.state.value,
            "measure": act.measure,
            "record_type": act.record_type,
            "author": {"token": act.token, "ministry": act.ministry},
            "created": date_text(act.created),
            "expires": date_text(act.expires),
            "needed": act.needed,
            "approved": len(count),
            "approvals": [
                {"token": one.token, "ministry": one.ministry, "at": date_text(one.time)}
                for one in approvals
                if one.token in count
            ],
            "digest": act.digest.hex(),
            "result": None if act.result is None else act.result.hex(),
            "reason": self._acts.fault(act),
        }

    async def _detail(self, act: Act, caller: Caller) -> dict[str, Json]:
        """With all that is asked for, while it is kept."""
        told = await self._summary(act)
        if not act.sealed_request:
            return told
        opened = self._acts.open(act)
        shown: dict[str, Any] = await self._acts.performer(act).show(opened, caller)
        return {**told, **shown, "attachments": [_attachment(n, one) for n, one in enumerate(opened.uploads)]}


def _attachment(index: int, upload: Upload) -> dict[str, Json]:
    attachment = upload.attachment
    return {
        "index": index,
        "filename": attachment.filename,
        "media_type": attachment.media_type,
        "size": attachment.size,
        "sha256": attachment.sha256.hex(),
    }
