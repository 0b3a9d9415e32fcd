"""A provider's side of consent: requests are checked, judged by the rules, answered; Grants are signed.

Four eyes, where they are set, are for what an official grants; a rule is what officials have decided before.
"""

import asyncio
from typing import ClassVar, Final

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import Ledger, Rule, Transfer
from exchange.consent.rules import Action, Asked, Verdict, judge_request
from exchange.errors import Conflict, Forbidden, TooMany
from exchange.node.alarms import Alarms
from exchange.node.consent_values import (
    consent_event,
    holder_of,
    open_request,
    seal_request,
    stored_grant,
)
from exchange.node.courier import consent_message
from exchange.node.desk import Letter
from exchange.node.obeying import obeying
from exchange.node.origins import OriginKeeper
from exchange.node.parts import Parts
from exchange.node.replies import GrantTerms, Replies
from exchange.storage.node_values import Idempotency, Message
from exchange.storage.request_port import (
    EXPIRED,
    GIVEN,
    IN,
    OPEN,
    Reply,
    StoredAnswer,
    StoredRequest,
)
from keys.digests import message_id, provision_digest
from keys.verify import Moment, provision_fault
from schemas.canon import decode
from schemas.consent import ConsentGiven, ConsentRequest, encode_consent
from schemas.content import ContentKind
from schemas.grant import SIGNED_GRANT
from schemas.ids import MemberId
from schemas.limits import DAY, MAX_CLOCK_AHEAD, MAX_GRANT
from schemas.provision import Provision
from schemas.terms import Precedence

_BATCH: Final = 64
# What one member may have waiting here, and ask in a day: officials look through them by hand.
MOST_OPEN: Final = 100
MOST_DAILY: Final = 200
_REMIND_BEFORE: Final = DAY
_LOOKED_AT: Final = 256


class Granter:
    """Requests that this node receives, and the Grants that it gives."""

    takes: ClassVar[tuple[type, ...]] = (ConsentRequest,)

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts
        self._alarms = Alarms(parts.stores.inbox, parts.clock)
        self._origins = OriginKeeper(parts)
        self._replies = Replies(parts)

    async def take(self, letter: Letter, now: int) -> None:
        """A request: kept, and answered if a rule says so.

        Raises Forbidden, Conflict, TooMany or KeyFault for what its sender may not ask.
        """
        said = letter.said
        if not isinstance(said, ConsentRequest):
            return
        parts, sender, store = self._parts, letter.sender, self._parts.stores.requests
        before = await store.request(IN, said.id)
        if before is not None:
            same = encode_consent(open_request(parts.keyring.vault, before)) == encode_consent(said)
            if before.member != sender or not same:
                raise Conflict("request-changed", "another request of this id was received, and stands as it was")
            await parts.stores.consent.done(letter.message.id, None)
            return
        message = await self._own_message(said, sender, now)
        waiting, recent = await store.waiting_from(sender, now - DAY)
        if waiting >= MOST_OPEN or recent >= MOST_DAILY:
            raise TooMany("too-many-requests", f"{sender} has {waiting} requests open and made {recent} in a day")
        lawful = await self._holds(said, sender, now)
        verdict = judge_request(parts.rules, _asked(said, sender, lawful, message), now)
        stored = self._stored(said, sender, message, now)
        told = {"lawful": lawful, "rule": None if verdict.rule is None else verdict.rule.text}
        event = consent_event(now, "request.received", said.id, sender, None, **told)
        overdue = said.answer_by < now
        reply = None if overdue else await asyncio.to_thread(self._by_rule, stored, said, verdict, now)
        await store.save_request(letter.message.id, stored, event, reply)

    async def turn(self, now: int) -> None:
        """Remind people of what waits for them, a day before its end and at its end."""
        store = self._parts.stores.requests
        for request in await store.due_requests(IN, now + _REMIND_BEFORE, now, _BATCH):
            over = request.answer_by < now
            ident = request.id.hex()
            why = "was not answered in time" if over else "has to be answered within a day"
            detail = f"request {ident} of {request.member} for consent {why}: see cbm consent show {ident}"
            fact = f"consent-reminder:{ident}:{'over' if over else 'soon'}"
            await self._alarms.tell(fact, "consent-reminder", request.member, detail)
            kind = "request.expired" if over else "request.reminded"
            event = consent_event(now, kind, request.id, request.member, None)
            await store.timed(request, EXPIRED if over else OPEN, event)

    async def grant(
        self, request: StoredRequest, terms: GrantTerms, official: str, idempotency: Idempotency | None
    ) -> bytes:
        """Sign a Grant that answers a request; gives its id. Raises Conflict when it is answered or over."""
        now = self._parts.clock.now()
        reply = await asyncio.to_thread(self._replies.granted, request, terms, official, now)
        return await self._answer(request, reply, idempotency)

    async def refuse(
        self, request: StoredRequest, reason: str, official: str, idempotency: Idempotency | None
    ) -> bytes:
        """Refuse a request, finally; gives its id. Raises Conflict when it is answered or over."""
        now = self._parts.clock.now()
        reply = await asyncio.to_thread(self._replies.refused, request, reason, official, now)
        return await self._answer(request, reply, idempotency)

    async def give(self, message: Message, terms: GrantTerms, official: str, idempotency: Idempotency | None) -> bytes:
        """Sign a Grant that nobody asked for; gives its id."""
        parts, now = self._parts, self._parts.clock.now()
        signed = await asyncio.to_thread(self._replies.sign, terms, now)
        told = ConsentGiven(signed, None)
        outgoing = await asyncio.to_thread(consent_message, parts, (terms.holder,), told, now)
        about = (message.id, message.measure, message.record_type)
        grant = stored_grant(GIVEN, signed, None, about, now, official)
        event = consent_event(now, "grant.given", grant.id, terms.holder, official, message=message.id.hex())
        made = await parts.stores.grants.give(grant, outgoing, event, idempotency)
        self._sent()
        return made

    async def _answer(self, request: StoredRequest, reply: Reply, idempotency: Idempotency | None) -> bytes:
        made = await self._parts.stores.requests.answer(request.id, reply, idempotency)
        if made is None:
            raise Conflict("request-answered", "this request is answered, or its time is over: see cbm consent show")
        self._sent()
        return made

    def _sent(self) -> None:
        self._parts.wakes.to_seal.set()
        self._parts.wakes.tell_news()

    async def _own_message(self, said: ConsentRequest, sender: MemberId, now: int) -> Message | None:
        """The message here that stands under the Provision. Raises Forbidden or KeyFault for what is not to be asked.

        A Provision that this node does not have any more is its own when its signature says so.
        """
        parts, signed = self._parts, said.provision
        if parts.member not in signed.provision.providers:
            raise Forbidden("not-our-provision", f"{parts.member} is no provider of what is asked for")
        if sender in said.recipients or parts.member in said.recipients:
            raise Forbidden("bad-recipients", "it asks to pass something to who asks, or back to its provider")
        if said.created > now + MAX_CLOCK_AHEAD:
            raise Forbidden("request-ahead", "the request is dated in the future")
        message = await parts.stores.views.message(message_id(signed.body))
        if message is not None and message.provision == provision_digest(signed.body):
            if message.kind != ContentKind.RECORD:
                raise Forbidden("not-a-record", "what states say about consent is not passed on")
            return message
        proved = await self._origins.proved((signed,), (), now)
        fault = provision_fault(signed, Moment(parts.directory.current, now, proved))
        if fault is not None:
            raise fault[1]
        return None

    async def _holds(self, said: ConsentRequest, sender: MemberId, now: int) -> bool:
        """Whether this node knows why the sender may hold it: by the terms, or as a recipient under its own Grants.

        Of what is withdrawn it does not: whether it was passed on before is for people to find out.
        """
        parts, signed = self._parts, said.provision
        transfer = Transfer(sender, said.recipients, (signed,), (), said.purpose, Precedence.ROUTINE)
        directory = await obeying(parts, (signed,), ())
        decision = await asyncio.to_thread(authorise_transfer, transfer, directory, Ledger(), now)
        if any(refusal.rule is Rule.WITHDRAWN for refusal in decision.refusals):
            return False
        if decision.holders:
            return True
        names = (signed.provision.id, *signed.provision.class_tags)
        given = await parts.stores.grants.about(GIVEN, parts.member, names, 0, _LOOKED_AT)
        grants = [decode(SIGNED_GRANT, row.signed, 2 * MAX_GRANT) for row in given]
        withdrawn = (await obeying(parts, (), grants)).withdrawn
        return any(
            sender in grant.recipients and grant.is_about(signed.provision)
            for grant in (one.grant for one in grants)
            if (grant.provider, grant.id) not in withdrawn
        )

    def _stored(self, said: ConsentRequest, sender: MemberId, message: Message | None, now: int) -> StoredRequest:
        return StoredRequest(
            box=IN,
            id=said.id,
            member=sender,
            provision=provision_digest(said.provision.body),
            message=None if message is None else message.id,
            measure=None if message is None else message.measure,
            record_type=None if message is None else message.record_type,
            sealed_request=seal_request(self._parts.keyring.vault, said),
            state=OPEN,
            created=now,
            answer_by=said.answer_by,
            answers=(StoredAnswer(self._parts.member),),
        )

    def _by_rule(self, stored: StoredRequest, said: ConsentRequest, verdict: Verdict, now: int) -> Reply | None:
        rule = verdict.rule
        if rule is None or verdict.action is Action.ASK:
            return None
        official = f"rule {rule.name}"
        if verdict.action is Action.REFUSE:
            return self._replies.refused(stored, rule.reason or "", official, now, rule.text)
        terms = GrantTerms(
            holder_of(stored),
            said.provision.provision.id,
            None,
            said.recipients,
            said.purpose,
            verdict.until,
            verdict.uses,
        )
        return self._replies.granted(stored, terms, official, now, rule.text)


def _asked(said: ConsentRequest, holder: MemberId, lawful: bool, message: Message | None) -> Asked:
    provision: Provision = said.provision.provision
    return Asked(
        measure=None if message is None else message.measure,
        record_type=None if message is None else message.record_type,
        holder=holder,
        lawful=lawful,
        recipients=said.recipients,
        purpose=said.purpose,
        class_tags=provision.class_tags,
        created=provision.created,
        until=said.until,
        uses=said.uses,
    )
