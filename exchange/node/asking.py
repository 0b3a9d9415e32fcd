"""A holder's side of consent: it asks providers, and takes what they answer. Deadlines are its own."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from exchange.errors import Conflict, Forbidden, Invalid, Json, NotFound, TooMany
from exchange.node import request as requests
from exchange.node.access import Caller
from exchange.node.consent_values import (
    consent_event,
    official_of,
    open_request,
    reason_of,
    require_published,
    seal_reason,
    seal_request,
    stored_grant,
)
from exchange.node.courier import consent_message
from exchange.node.desk import Letter
from exchange.node.grounds import holding_of
from exchange.node.groups import Groups
from exchange.node.intake import Intake
from exchange.node.obeying import obeying
from exchange.node.parts import Parts
from exchange.storage.node_values import Message
from exchange.storage.request_port import EXPIRED, HELD, OPEN, OUT, REFUSED, StoredAnswer, StoredRequest
from keys.digests import provision_digest
from keys.primitives import random_bytes
from keys.verify import Moment, grant_fault
from schemas.canon import encode
from schemas.consent import ConsentGiven, ConsentRefused, ConsentRequest
from schemas.grant import SIGNED_GRANT, Grant
from schemas.ids import MemberId
from schemas.limits import MAX_RECIPIENTS
from schemas.provision import SignedProvision
from schemas.terms import Purpose

_BATCH: Final = 64
# Grants in force that one provider gave without being asked; one for each of a year's records is some hundreds.
MOST_UNASKED: Final = 1024
# Of one class there may be many records here; the newest tells as well as all.
_LOOKED_AT: Final = 8
_ANSWER_BY: Final = "7d"


class AskForm(BaseModel):
    """Body of `POST /v1/consent/requests`.

    `provision`: id of the one meant, in a message that was compiled of several; `uses`: None asks for no limit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: str = Field(pattern="^[0-9a-f]{32}$")
    to: list[str] = Field(min_length=1, max_length=MAX_RECIPIENTS)
    until: str | int
    reason: str
    purpose: str | None = None
    uses: int | None = Field(None, ge=1, le=2**32)
    answer_by: str | int = _ANSWER_BY
    provision: str | None = Field(None, pattern="^[0-9a-f]{32}$")


class Asker:
    """Requests of this node's own, and the Grants that it holds."""

    takes: ClassVar[tuple[type, ...]] = (ConsentGiven, ConsentRefused)

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._groups = Groups(parts)
        self._intake = Intake(parts)

    async def request(self, source: Message, form: AskForm, caller: Caller, key: str | None) -> tuple[bytes, bool]:
        """Ask every provider of a received message; gives the request's id, and whether it is new.

        Raises Invalid, NotFound, Forbidden, Conflict or Unavailable; then nobody is asked.
        """
        parts = self._parts
        requests.require_measure(caller.measures, source.measure, source.record_type)
        require_published(parts)
        vault = parts.keyring.vault
        idempotency = await self._intake.idempotency(caller, key, form.model_dump(), [b"consent-request"])
        earlier = await self._intake.stored(idempotency)
        if earlier is not None:
            return earlier, False
        now = parts.clock.now()
        asked = self._asked(source, form, await self._recipients(form), now)
        providers = self._providers(asked.provision)
        await self._require_standing(asked.provision)
        outgoing = await asyncio.to_thread(consent_message, parts, providers, asked, now)
        stored = StoredRequest(
            box=OUT,
            id=asked.id,
            member=parts.member,
            provision=provision_digest(asked.provision.body),
            message=source.id,
            measure=source.measure,
            record_type=source.record_type,
            sealed_request=seal_request(vault, asked),
            state=OPEN,
            created=now,
            answer_by=asked.answer_by,
            answers=tuple(StoredAnswer(provider) for provider in providers),
        )
        names, to = list[Json](providers), list[Json](asked.recipients)
        event = consent_event(
            now, "request.made", asked.id, None, official_of(caller), message=source.id.hex(), providers=names, to=to
        )
        ident = await parts.stores.requests.add_request(stored, outgoing, event, idempotency)
        parts.wakes.to_seal.set()
        parts.wakes.tell_news()
        return ident, ident == asked.id

    async def _recipients(self, form: AskForm) -> tuple[MemberId, ...]:
        parts = self._parts
        to = await self._groups.expand(form.to)
        return requests.recipients(to, False, parts.member, parts.directory.current)

    def _asked(self, source: Message, form: AskForm, to: tuple[MemberId, ...], now: int) -> ConsentRequest:
        signed = _meant(source, form.provision)
        purpose = signed.provision.purpose
        if form.purpose is not None:
            purpose = requests.code(Purpose, form.purpose, "purpose")
        until, answer_by = deadline(form.until, "until", now), deadline(form.answer_by, "answer_by", now)
        if until <= now or answer_by <= now:
            raise Invalid("bad-request", "/until and /answer_by are times to come")
        ours = set(to) & set(signed.provision.providers)
        if ours:
            raise Invalid("own-provider", f"{min(ours)} has provided this itself: leave it out")
        reason = reason_of(form.reason)
        return ConsentRequest(random_bytes(16), signed, to, purpose, until, form.uses, reason, now, answer_by)

    async def _require_standing(self, signed: SignedProvision) -> None:
        """Raises Forbidden for what a provider has withdrawn: whatever is granted, it may not go on."""
        withdrawn = (await obeying(self._parts, (signed,), ())).withdrawn
        for provider in signed.provision.providers:
            if (provider, signed.provision.id) in withdrawn:
                why = f"{provider} has withdrawn this: no Grant lets it go on; {provider} would have to provide it anew"
                raise Forbidden("consent-withdrawn", why, {"provider": provider})

    def _providers(self, signed: SignedProvision) -> tuple[MemberId, ...]:
        members = self._parts.directory.current.members
        providers = tuple(member for member in signed.provision.providers if member != self._parts.member)
        gone = [provider for provider in providers if provider not in members]
        if gone or not providers:
            who = gone[0] if gone else self._parts.member
            raise Conflict("nobody-to-ask", f"{who} provided this, and cannot be asked: nobody can give its consent")
        return providers

    async def take(self, letter: Letter, now: int) -> None:
        """A Grant or a refusal. Raises Forbidden, Conflict, TooMany or KeyFault for what its sender may not say."""
        said = letter.said
        if isinstance(said, ConsentGiven):
            await self._take_given(letter, said, now)
        elif isinstance(said, ConsentRefused):
            await self._take_refused(letter, said, now)

    async def turn(self, now: int) -> None:
        """Requests that nobody answered in time are over."""
        for request in await self._parts.stores.requests.due_requests(OUT, now - 1, now, _BATCH):
            silent: list[Json] = [answer.provider for answer in request.answers if answer.state == OPEN]
            event = consent_event(now, "request.expired", request.id, None, None, silent=silent)
            await self._parts.stores.requests.timed(request, EXPIRED, event)
            self._parts.wakes.tell_news()

    async def _take_given(self, letter: Letter, said: ConsentGiven, now: int) -> None:
        parts, signed, grant = self._parts, said.grant, said.grant.grant
        if grant.provider != letter.sender:
            raise Forbidden("not-its-grant", f"{letter.sender} sends a Grant of {grant.provider}")
        if grant.holder != parts.member:
            raise Forbidden("other-holder", f"the Grant is for {grant.holder}")
        fault = grant_fault(signed, Moment(parts.directory.current, now))
        if fault is not None:
            raise fault
        if grant.until < now:
            raise Forbidden("grant-ended", "the Grant has ended before it came")
        raw = encode(SIGNED_GRANT, signed)
        before = await parts.stores.grants.grant(HELD, grant.provider, grant.id)
        if before is not None and before.signed != raw:
            raise Conflict("grant-changed", "another Grant of this id is held")
        request = None if said.request is None else await self._answered(said.request, letter.sender)
        if request is not None:
            asked = open_request(parts.keyring.vault, request)
            if not grant.is_about(asked.provision.provision):
                raise Forbidden("other-provision", "the Grant is for something else than was asked")
        answers = request is not None and _is_open(request, letter.sender, grant)
        if not answers:
            await self._require_room(grant, now)
        about = (
            (request.message, request.measure, request.record_type)
            if request is not None
            else await self._held_under(grant)
        )
        stored = stored_grant(HELD, signed, said.request if answers else None, about, now, None)
        kind = "grant.received" if about[0] is not None else "grant.early"
        event = consent_event(now, kind, grant.id, letter.sender, None, request=_hex(said.request), until=grant.until)
        await parts.stores.grants.save_given(letter.message.id, stored, event)

    async def _take_refused(self, letter: Letter, said: ConsentRefused, now: int) -> None:
        parts = self._parts
        request = await self._answered(said.request, letter.sender)
        standing = next(answer for answer in request.answers if answer.provider == letter.sender)
        if standing.state not in (OPEN, REFUSED):
            raise Conflict("answered", "it has granted this: what takes consent back is a withdrawal")
        sealed = seal_reason(parts.keyring.vault, said.request, letter.sender, said.reason)
        answer = StoredAnswer(letter.sender, REFUSED, sealed_reason=sealed, time=now)
        event = consent_event(now, "request.refused", said.request, letter.sender, None)
        await parts.stores.requests.save_refused(letter.message.id, said.request, answer, event)

    async def _answered(self, ident: bytes, sender: MemberId) -> StoredRequest:
        """The request that is answered. Raises Forbidden for one that was not made, or not to this member."""
        request = await self._parts.stores.requests.request(OUT, ident)
        if request is None or sender not in [answer.provider for answer in request.answers]:
            raise Forbidden("not-asked", f"{sender} answers what it was not asked")
        return request

    async def _require_room(self, grant: Grant, now: int) -> None:
        """For one that answers nothing, or what was answered before. Raises TooMany."""
        if await self._parts.stores.grants.unasked(grant.provider, now) >= MOST_UNASKED:
            raise TooMany("too-many-grants", f"{grant.provider} has given {MOST_UNASKED} Grants that nobody asked for")

    async def _held_under(self, grant: Grant) -> tuple[bytes | None, str | None, str | None]:
        """The record that an unasked Grant is about; none when it comes before its record does.

        Raises Forbidden when the record that it names was provided by others.
        """
        parts = self._parts
        name = grant.provision or grant.class_tag or b""
        others = False
        for message in await parts.stores.grants.under(name, _LOOKED_AT):
            for signed in holding_of(message).provisions:
                if grant.is_about(signed.provision):
                    return message.id, message.measure, message.record_type
                others = others or signed.provision.id == grant.provision
        if others:
            raise Forbidden("not-a-provider", f"{grant.provider} did not provide what its Grant is for")
        return None, None, None


def _is_open(request: StoredRequest, provider: MemberId, grant: Grant) -> bool:
    """Whether this is the provider's answer: its first, or the same again."""
    standing = next(answer for answer in request.answers if answer.provider == provider)
    return standing.state == OPEN or standing.grant == grant.id


def deadline(value: str | int, field: str, now: int) -> int:
    """Unix seconds of a time, a day (its end), or a span from now such as 7d. Raises Invalid."""
    text = str(value)
    if "-" not in text:
        return now + requests.span(value, field)
    return requests.moment(text, field, end_of_day=True) or now


def _meant(source: Message, ident: str | None) -> SignedProvision:
    """The Provision that is meant, by default that of the message's own content. Raises NotFound."""
    holding = holding_of(source)
    if ident is None:
        return holding.own
    found: Iterable[SignedProvision] = (one for one in holding.provisions if one.provision.id.hex() == ident)
    signed = next(iter(found), None)
    if signed is None:
        raise NotFound("no-such-provision", "the message has no Provision with this id")
    return signed


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
