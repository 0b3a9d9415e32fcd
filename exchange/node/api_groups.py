"""`/v1/groups` and `/v1/classes`: lists of states to send to, and the classes that this state's Provisions name."""

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from exchange.errors import Forbidden, Json
from exchange.node.access import Caller, Scope
from exchange.node.classes import Classes
from exchange.node.compose import date_text
from exchange.node.entry import Entry
from exchange.node.groups import Groups
from exchange.node.parts import Parts
from exchange.node.request import parse_model
from exchange.node.uploads import read_json
from schemas import limits
from schemas.group import Group


class GroupRequest(BaseModel):
    """Body of `PUT /v1/groups/{name}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: list[str] = Field(min_length=1, max_length=limits.MAX_RECIPIENTS)


class GroupsApi:
    """The routes of groups and classes."""

    def __init__(self, parts: Parts, entry: Entry) -> None:
        """Over the node's parts, behind their door."""
        self._entry = entry
        self._groups = Groups(parts)
        self._classes = Classes(parts)

    def routes(self) -> list[web.RouteDef]:
        """For the application."""
        return [
            web.get("/v1/groups", self._list),
            web.get("/v1/groups/{name}", self._show),
            web.put("/v1/groups/{name}", self._put),
            web.delete("/v1/groups/{name}", self._remove),
            web.get("/v1/classes", self._list_classes),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        await self._entry.anyone(request)
        return web.json_response({"groups": [_json(group) for group in await self._groups.all()]})

    async def _show(self, request: web.Request) -> web.Response:
        await self._entry.anyone(request)
        return web.json_response(_json(await self._groups.named(request.match_info["name"])))

    async def _put(self, request: web.Request) -> web.Response:
        _require_keeper(await self._entry.anyone(request))
        asked = parse_model(GroupRequest, await read_json(request))
        return web.json_response(_json(await self._groups.put(request.match_info["name"], asked.members)))

    async def _remove(self, request: web.Request) -> web.Response:
        _require_keeper(await self._entry.anyone(request))
        await self._groups.remove(request.match_info["name"])
        return web.json_response({"removed": request.match_info["name"]})

    async def _list_classes(self, request: web.Request) -> web.Response:
        caller = await self._entry.anyone(request)
        if not {Scope.SEND.value, Scope.CONSENT.value} & caller.scopes:
            raise Forbidden("scope-missing", "this token has neither the scope send nor consent: ask your operator")
        found = await self._classes.all()
        return web.json_response({"classes": [{"name": one.name, "tag": one.tag.hex()} for one in found]})


def _require_keeper(caller: Caller) -> None:
    """Who changes a group decides where the messages of others go. Raises Forbidden."""
    if not {Scope.RELEASE.value, Scope.ADMIN.value} & caller.scopes:
        raise Forbidden("scope-missing", "groups are set with the scope release or admin: ask your node's operator")


def _json(group: Group) -> dict[str, Json]:
    return {
        "name": group.name,
        "members": list(group.members),
        "version": group.version,
        "created": date_text(group.created),
    }
