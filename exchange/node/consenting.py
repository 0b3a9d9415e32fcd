"""What officials decide about consent: granted at once, or held until others have approved it (four eyes)."""

from typing import Any, Final

from exchange.errors import Conflict, Forbidden, Json, NotFound
from exchange.node.access import Caller, Scope
from exchange.node.act_values import Opened, Performer, Submission
from exchange.node.acts import Acts
from exchange.node.arrival import CONSENT_MEASURE
from exchange.node.consent_forms import Forms, GiveForm, GrantForm
from exchange.node.consent_values import official_of, reason_of, require_published
from exchange.node.consent_views import ConsentViews
from exchange.node.granting import Granter
from exchange.node.intake import Intake
from exchange.node.openings import Readings
from exchange.node.parts import Parts
from exchange.node.request import may_use_measure
from exchange.node.stored import open_manifest
from exchange.node.taken import Taken
from exchange.storage.node_values import Message
from exchange.storage.request_port import IN, OPEN, StoredRequest
from schemas.content import ContentKind

GRANT: Final = "grant"
_ALL: Final = "*"
_ANSWERED: Final = "this request is answered, or its time is over: see cbm consent show"


class Consenting:
    """Grants and refusals of officials."""

    def __init__(self, parts: Parts, acts: Acts) -> None:
        """Over the node's parts; what others have to approve waits among `acts`."""
        self._parts = parts
        self._acts = acts
        self._forms = Forms(parts)
        self._granter = Granter(parts)
        self._intake = Intake(parts)
        self._views = ConsentViews(parts)
        self._readings = Readings(parts)
        acts.register(GRANT, Performer(Scope.CONSENT, self._perform, self._show))

    async def request(self, ident: str, caller: Caller) -> StoredRequest:
        """A received request that the caller may see. Raises NotFound."""
        return await visible_request(self._parts, IN, ident, caller)

    async def grant(self, request: StoredRequest, form: GrantForm, caller: Caller, key: str | None) -> Taken:
        """Grant a request; gives the Grant, or the act that waits.

        Raises Invalid, NotFound, Forbidden, Conflict, Unavailable.
        """
        require_published(self._parts)
        _require_all(form, caller)
        value = form.model_dump(mode="json")
        idempotency = await self._intake.idempotency(caller, key, value, [b"consent-grant", request.id])
        earlier = await self._intake.earlier(idempotency, ())
        if earlier is not None:
            return earlier
        if request.state != OPEN:
            raise Conflict("request-answered", _ANSWERED)
        terms = await self._forms.answering(request, form)
        about = _about(form, request.measure or "", request.record_type or "")
        what = Submission(GRANT, *about, {"request": request.id.hex(), "form": value})
        if self._acts.needed(GRANT, what.measure, what.record_type):
            return await self._acts.hold(what, caller, idempotency)
        return Taken(await self._granter.grant(request, terms, official_of(caller), idempotency), True)

    async def give(self, form: GiveForm, caller: Caller, key: str | None) -> Taken:
        """Give a Grant that nobody asked for. Raises Invalid, NotFound, Forbidden, Conflict, Unavailable."""
        require_published(self._parts)
        _require_all(form, caller)
        value = form.model_dump(mode="json")
        idempotency = await self._intake.idempotency(caller, key, value, [b"consent-give"])
        earlier = await self._intake.earlier(idempotency, ())
        if earlier is not None:
            return earlier
        message = await self._message(form, caller)
        terms = await self._forms.giving(message, form)
        about = _about(form, message.measure, message.record_type)
        if self._acts.needed(GRANT, *about):
            what = Submission(GRANT, *about, {"request": None, "form": value})
            return await self._acts.hold(what, caller, idempotency)
        return Taken(await self._granter.give(message, terms, official_of(caller), idempotency), True)

    async def refuse(self, request: StoredRequest, reason: str, caller: Caller, key: str | None) -> None:
        """Refuse a request, finally. Raises Invalid, Conflict, Unavailable."""
        require_published(self._parts)
        idempotency = await self._intake.idempotency(caller, key, reason, [b"consent-refuse", request.id])
        if await self._intake.stored(idempotency) is None:
            await self._granter.refuse(request, reason_of(reason), official_of(caller), idempotency)

    async def _message(self, form: GiveForm, caller: Caller) -> Message:
        """What the state provided, whichever of its ministries sent it: consent is the state's."""
        message = await self._parts.stores.views.message(bytes.fromhex(form.message))
        if (
            message is None
            or message.kind != ContentKind.RECORD
            or not may_use_measure(caller.measures, message.measure, message.record_type)
        ):
            raise NotFound("no-such-message", "there is no message with this id")
        return message

    async def _perform(self, opened: Opened) -> bytes:
        known = await self._intake.stored(opened.idempotency)
        if known is not None:
            return known
        require_published(self._parts)
        caller, payload = opened.caller, opened.payload
        official = official_of(caller)
        if payload["request"] is None:
            form = GiveForm.model_validate(payload["form"])
            message = await self._message(form, caller)
            terms = await self._forms.giving(message, form)
            return await self._granter.give(message, terms, official, opened.idempotency)
        request = await self.request(payload["request"], caller)
        terms = await self._forms.answering(request, GrantForm.model_validate(payload["form"]))
        return await self._granter.grant(request, terms, official, opened.idempotency)

    async def _show(self, opened: Opened, viewer: Caller) -> dict[str, Json]:
        """The Grant that is meant, the request that it answers, and the record that is to be passed on."""
        payload: dict[str, Any] = opened.payload
        shown: dict[str, Json] = {"grant": payload["form"], "request": None}
        name = payload["form"].get("message")
        if payload["request"] is not None:
            request = await self.request(payload["request"], opened.caller)
            shown["request"] = self._views.request(request)
            name = None if request.message is None else request.message.hex()
        message = None if name is None else await self._parts.stores.views.message(bytes.fromhex(name))
        if message is not None:
            await self._readings.read(viewer, message)
            shown["record"] = open_manifest(self._parts.keyring.vault, message).body.decode("utf-8")
        return shown


def _require_all(form: GrantForm | GiveForm, caller: Caller) -> None:
    """A class is the state's, and whoever may send puts records into it: of all of them nobody decides for a part."""
    if form.class_name is not None and _ALL not in caller.measures:
        raise Forbidden(
            "measure-not-allowed", "a Grant for a class is for records of any measure: it takes a token for all of them"
        )


def _about(form: GrantForm | GiveForm, measure: str, record_type: str) -> tuple[str, str]:
    """Measure and record type that a Grant is about, for who may approve it; one for a class is about no single one."""
    return (measure, record_type) if form.class_name is None else (CONSENT_MEASURE, GRANT)


async def visible_request(parts: Parts, box: str, ident: str, caller: Caller) -> StoredRequest:
    """A request that the caller may see: one of a measure of its token. Raises NotFound.

    Of a message that is not here any more no measure is known: it takes a token for all.
    """
    missing = NotFound("no-such-request", "there is no request with this id: see cbm consent list")
    try:
        request = await parts.stores.requests.request(box, bytes.fromhex(ident))
    except ValueError:
        raise missing from None
    if request is None or not may_use_measure(caller.measures, request.measure or "", request.record_type):
        raise missing
    return request


def require_any(caller: Caller, *scopes: Scope) -> None:
    """Raises Forbidden unless the token has one of the scopes."""
    if not any(scope.value in caller.scopes for scope in scopes):
        names = " or ".join(scope.value for scope in scopes)
        raise Forbidden("scope-missing", f"this token has no scope {names}: ask your node's operator")
