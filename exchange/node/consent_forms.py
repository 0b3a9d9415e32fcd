"""What officials write about requests and Grants, checked against what was asked and what this state provided."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from exchange.errors import Conflict, Forbidden, Invalid, NotFound
from exchange.node import request as requests
from exchange.node.asking import deadline
from exchange.node.classes import Classes
from exchange.node.consent_values import holder_of, open_request
from exchange.node.groups import Groups
from exchange.node.parts import Parts
from exchange.node.replies import GrantTerms
from exchange.node.stored import provision_of
from exchange.storage.node_values import Message
from exchange.storage.request_port import StoredRequest
from schemas.ids import ClassTag, MemberId
from schemas.limits import MAX_RECIPIENTS
from schemas.provision import Provision
from schemas.terms import Purpose

_HEX: Final = "^[0-9a-f]{32}$"


class GrantForm(BaseModel):
    """Body of `POST /v1/consent/requests/{id}/grant`. What is left out is as asked.

    By default the Grant is for one transfer: a use for each recipient. `uses`: for so many; `unlimited`: without a
    limit. `class_name`: for the whole class, which the Provision has to belong to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: list[str] | None = Field(None, min_length=1, max_length=MAX_RECIPIENTS)
    until: str | int | None = None
    uses: int | None = Field(None, ge=1, le=2**32)
    unlimited: bool = False
    class_name: str | None = None


class GiveForm(BaseModel):
    """Body of `POST /v1/consent/grants`: a Grant that nobody asked for. The members are as in `GrantForm`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: str = Field(pattern=_HEX)
    holder: str
    to: list[str] = Field(min_length=1, max_length=MAX_RECIPIENTS)
    until: str | int
    purpose: str | None = None
    uses: int | None = Field(None, ge=1, le=2**32)
    unlimited: bool = False
    class_name: str | None = None


class RefuseForm(BaseModel):
    """Body of `POST /v1/consent/requests/{id}/refuse`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str


class Forms:
    """From a form to the terms of a Grant."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._groups = Groups(parts)
        self._classes = Classes(parts)

    async def answering(self, request: StoredRequest, form: GrantForm) -> GrantTerms:
        """The Grant that answers a request: never more than was asked, but for the class that an official names.

        Raises Invalid, NotFound, Conflict.
        """
        parts, now = self._parts, self._parts.clock.now()
        asked = open_request(parts.keyring.vault, request)
        provision = asked.provision.provision
        to = asked.recipients if form.to is None else await self._recipients(form.to)
        beyond = set(to) - set(asked.recipients)
        until = asked.until if form.until is None else deadline(form.until, "until", now)
        uses = _uses(form.uses, form.unlimited, to)
        if form.uses is None and not form.unlimited and asked.uses is not None:
            uses = min(len(to), asked.uses)
        if beyond or until > asked.until or (asked.uses is not None and (uses is None or uses > asked.uses)):
            what = f"{min(beyond)} was" if beyond else "so much was"
            raise Invalid("more-than-asked", f"{what} not asked for: give it with cbm consent give")
        tag = await self._tag(form.class_name, provision)
        await self._check(provision, holder_of(request), until, now)
        named = provision.id if tag is None else None
        return GrantTerms(holder_of(request), named, tag, to, asked.purpose, until, uses)

    async def giving(self, message: Message, form: GiveForm) -> GrantTerms:
        """A Grant for a message of this state's. Raises Invalid, NotFound, Forbidden, Conflict."""
        parts, now = self._parts, self._parts.clock.now()
        provision = provision_of(message)
        if parts.member not in provision.providers:
            raise Forbidden("not-a-provider", "others provided this: ask them with cbm consent request")
        (holder,) = requests.recipients([form.holder], False, parts.member, parts.directory.current)
        to = await self._recipients(form.to)
        if holder in to:
            raise Invalid("own-member", f"{holder} is to pass it on to others than itself")
        purpose = provision.purpose if form.purpose is None else requests.code(Purpose, form.purpose, "purpose")
        until = deadline(form.until, "until", now)
        tag = await self._tag(form.class_name, provision)
        await self._check(provision, holder, until, now)
        uses = _uses(form.uses, form.unlimited, to)
        return GrantTerms(holder, provision.id if tag is None else None, tag, to, purpose, until, uses)

    async def _recipients(self, codes: list[str]) -> tuple[MemberId, ...]:
        to = await self._groups.expand(codes)
        return requests.recipients(to, False, self._parts.member, self._parts.directory.current)

    async def _tag(self, name: str | None, provision: Provision) -> ClassTag | None:
        if name is None:
            return None
        tag = await self._classes.find(name)
        if tag is None or tag not in provision.class_tags:
            raise NotFound("not-of-this-class", "the message was not provided as one of this class")
        return tag

    async def _check(self, provision: Provision, holder: MemberId, until: int, now: int) -> None:
        parts, directory = self._parts, self._parts.directory.current
        if until <= now:
            raise Invalid("bad-request", "/until is a time to come", {"path": "/until"})
        if not directory.may_send(holder):
            raise Invalid("cannot-send", f"{holder} sends nothing, and has no use for a Grant")
        name = (parts.member, provision.id)
        if name in directory.withdrawn or await parts.stores.held.beside(parts.member, [name]):
            raise Conflict("consent-withdrawn", "this state has withdrawn its consent: a Grant would be of no effect")


def _uses(uses: int | None, unlimited: bool, to: tuple[MemberId, ...]) -> int | None:
    if unlimited and uses is not None:
        raise Invalid("bad-request", "/uses and /unlimited exclude each other", {"path": "/uses"})
    return None if unlimited else uses or len(to)
