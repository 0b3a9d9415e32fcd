"""`/v1/joint`: joint Provisions that wait for their providers, shown whole, signed or refused by officials.

A row names the Provision by its `digest`, which is what is signed, and what each provider has said. The message that it
becomes has the id `message`.
"""

import json
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from exchange.errors import Invalid, Json, NotFound
from exchange.node.access import Caller, Scope, may_see
from exchange.node.act_values import Opened, Performer, Submission
from exchange.node.acts import Acts
from exchange.node.compose import date_text
from exchange.node.cursors import cursor, place
from exchange.node.downloads import send_file
from exchange.node.entry import Entry
from exchange.node.joint import Joint, require_open
from exchange.node.parts import Parts
from exchange.node.queries import idempotency_key, number
from exchange.node.request import parse_model
from exchange.node.taken import taken_json
from exchange.node.uploads import read_json
from exchange.node.views import attachments_json, provision_json
from exchange.storage.joint_port import COLLECTING, Answer, DraftRow
from exchange.storage.node_values import Idempotency
from schemas import limits
from schemas.canon import decode
from schemas.provision import PROVISION

SIGN: Final = "sign"
_KIND: Final = "joint"
_MAX_PAGE: Final = 200
_NEWEST: Final = 2**62


class RefuseRequest(BaseModel):
    """Body of a refusal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(min_length=1, max_length=limits.MAX_REASON)


class JointApi:
    """The routes of joint Provisions."""

    def __init__(self, parts: Parts, entry: Entry, acts: Acts) -> None:
        """Over the node's parts, behind their door; a signature may have to wait for other officials among `acts`."""
        self._parts = parts
        self._entry = entry
        self._acts = acts
        self._joint = Joint(parts)
        acts.register(SIGN, Performer(Scope.CONSENT, self._perform, self._show_act))

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/v1/joint", self._list),
            web.get("/v1/joint/{digest}", self._show),
            web.get("/v1/joint/{digest}/attachments/{index}", self._attachment),
            web.post("/v1/joint/{digest}/sign", self._sign),
            web.post("/v1/joint/{digest}/refuse", self._refuse),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        caller = await self._viewer(request)
        state = request.query.get("state", "open")
        if state not in ("open", "all"):
            raise Invalid("bad-request", "?state= is open or all")
        vault, store = self._parts.keyring.vault, self._parts.stores.joint
        before = place(vault, _KIND, caller, request.query.get("after", "0")) or _NEWEST
        limit = number(request.query.get("limit", "50"), "limit", _MAX_PAGE)
        found = await store.drafts(state == "open", before, limit, caller.measures, caller.ministry)
        following = cursor(vault, _KIND, caller, found[-1].seq) if found and len(found) == limit else None
        return web.json_response({"joint": [self._summary(draft) for draft in found], "next": following})

    async def _show(self, request: web.Request) -> web.Response:
        viewer = await self._viewer(request)
        return web.json_response(await self._shown(await self._draft(request, viewer), viewer))

    async def _attachment(self, request: web.Request) -> web.StreamResponse:
        viewer = await self._viewer(request)
        draft = await self._draft(request, viewer)
        index = number(request.match_info["index"], "index", limits.MAX_ATTACHMENTS)
        _, manifest = self._joint.content(draft)
        if index >= len(draft.files) or draft.state != COLLECTING:
            raise NotFound("no-such-attachment", "there is no attachment with this index to be signed")
        await self._opened(draft, viewer)
        return await send_file(request, self._parts.files, draft.files[index].file, manifest.attachments[index].size)

    async def _sign(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        draft = await self._draft(request, caller)
        require_open(draft, self._parts.clock.now())
        if self._parts.member not in draft.signed_by and self._acts.needed(SIGN, draft.measure, draft.record_type):
            what = Submission(SIGN, draft.measure, draft.record_type, {"draft": draft.provision.hex()})
            taken = await self._acts.hold(what, caller, self._idempotency(request, caller, draft))
            return web.json_response(await taken_json(self._parts, taken), status=202)
        await self._joint.sign(draft, caller)
        return web.json_response(self._summary(await self._draft(request, caller)))

    async def _refuse(self, request: web.Request) -> web.Response:
        caller = await self._entry.caller(request, Scope.CONSENT)
        draft = await self._draft(request, caller)
        asked = parse_model(RefuseRequest, await read_json(request))
        await self._joint.refuse(draft, asked.reason, caller)
        return web.json_response(self._summary(await self._draft(request, caller)))

    def _idempotency(self, request: web.Request, caller: Caller, draft: DraftRow) -> Idempotency | None:
        key = idempotency_key(request)
        if key is None:
            return None
        return Idempotency(caller.token, key, self._parts.keyring.vault.request_digest(b"sign", draft.provision))

    async def _viewer(self, request: web.Request) -> Caller:
        """Whoever may consent sees what there is to consent to, and so does whoever reads records of its measure."""
        caller = await self._entry.anyone(request)
        if Scope.CONSENT.value not in caller.scopes:
            caller.require(Scope.READ)
        return caller

    async def _draft(self, request: web.Request, caller: Caller) -> DraftRow:
        """What the caller may not see does not exist for it. Raises NotFound."""
        draft = await self._stored(request.match_info["digest"])
        if draft is None or not may_see(caller, draft):
            raise NotFound("no-such-draft", "there is no joint Provision with this digest: see GET /v1/joint")
        return draft

    async def _stored(self, digest: str) -> DraftRow | None:
        try:
            name = bytes.fromhex(digest)
        except ValueError:
            return None
        return await self._parts.stores.joint.draft(name)

    async def _perform(self, opened: Opened) -> bytes:
        draft = await self._stored(opened.payload["draft"])
        if draft is None:
            raise NotFound("no-such-draft", "this joint Provision is not here any more")
        await self._joint.sign(draft, opened.caller)
        return draft.id

    async def _show_act(self, opened: Opened, viewer: Caller) -> dict[str, Json]:
        draft = await self._stored(opened.payload["draft"])
        return {"joint": None if draft is None else await self._shown(draft, viewer)}

    async def _shown(self, draft: DraftRow, viewer: Caller) -> dict[str, Json]:
        detail = self._detail(draft)
        await self._opened(draft, viewer)
        return detail

    async def _opened(self, draft: DraftRow, viewer: Caller) -> None:
        """Another state's draft is read before it is a message; its lead learns nothing of that."""
        if draft.lead != self._parts.member:
            await self._parts.doors.opened(viewer, draft.provision, draft.id)

    def _summary(self, draft: DraftRow) -> dict[str, Json]:
        """One line of a listing; of what was destroyed only the facts are left."""
        title: Json = {}
        if draft.sealed_manifest:
            title = json.loads(self._joint.content(draft)[1].body)["title"]
        provision = decode(PROVISION, draft.body, limits.MAX_PROVISION)
        answers = {answer.member: answer for answer in draft.answers}
        return {
            "digest": draft.provision.hex(),
            "message": draft.id.hex(),
            "state": draft.state,
            "lead": draft.lead,
            "measure": draft.measure,
            "record_type": draft.record_type,
            "title": title,
            "audience": list(provision.audience),
            "providers": [self._answer(draft, code, answers.get(code)) for code in provision.providers],
            "created": date_text(draft.created),
            "sign_by": date_text(draft.sign_by),
        }

    def _detail(self, draft: DraftRow) -> dict[str, Json]:
        """All that is signed: the record, the attachments, and the terms."""
        provision, manifest = self._joint.content(draft)
        record: dict[str, Any] = json.loads(manifest.body)
        return {
            **self._summary(draft),
            "record": record,
            "attachments": attachments_json(manifest),
            "provision": provision_json(provision),
            "send_by": date_text(provision.send_by),
            "classes": [meaning.name for meaning in manifest.classes or ()],
        }

    def _answer(self, draft: DraftRow, member: str, answer: Answer | None) -> dict[str, Json]:
        if answer is None:
            return {"member": member, "answer": "waiting", "at": None, "reason": None}
        said = "signed" if answer.signature is not None else "refused"
        return {
            "member": member,
            "answer": said,
            "at": date_text(answer.time),
            "reason": self._joint.reason(draft, answer),
        }
