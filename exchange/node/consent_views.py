"""Requests, Grants and the log of consent as the API shows them."""

import json

from exchange.errors import Json
from exchange.node.compose import date_text
from exchange.node.consent_values import open_reason, open_request
from exchange.node.parts import Parts
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.request_port import StoredAnswer, StoredGrant, StoredRequest
from schemas.canon import decode
from schemas.grant import SIGNED_GRANT
from schemas.ids import GrantId, MemberId
from schemas.limits import MAX_GRANT


class ConsentViews:
    """Access was checked before."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts

    def request(self, stored: StoredRequest) -> dict[str, Json]:
        """One request, as it was made, and how far it is at each provider. Raises Undecryptable."""
        said = open_request(self._parts.keyring.vault, stored)
        provision = said.provision.provision
        return {
            "id": stored.id.hex(),
            "box": stored.box,
            "state": stored.state,
            "holder": stored.member,
            "providers": list(provision.providers),
            "provision": provision.id.hex(),
            "message": None if stored.message is None else stored.message.hex(),
            "measure": stored.measure,
            "record_type": stored.record_type,
            "recipients": list(said.recipients),
            "purpose": said.purpose.label,
            "until": date_text(said.until),
            "uses": said.uses,
            "reason": said.reason,
            "created": date_text(stored.created),
            "answer_by": date_text(stored.answer_by),
            "answers": [self._answer(stored, answer) for answer in stored.answers],
        }

    def grant(self, stored: StoredGrant) -> dict[str, Json]:
        """One Grant, with its signed bytes; `used` counts this node's own transfers, and is None for a given one."""
        grant = decode(SIGNED_GRANT, stored.signed, 2 * MAX_GRANT).grant
        withdrawn = (MemberId(stored.provider), GrantId(stored.id)) in self._parts.directory.current.withdrawn
        return {
            "id": stored.id.hex(),
            "box": stored.box,
            "provider": stored.provider,
            "holder": stored.holder,
            "recipients": list(grant.recipients),
            "provision": None if stored.provision is None else stored.provision.hex(),
            "class_tag": None if stored.class_tag is None else stored.class_tag.hex(),
            "message": None if stored.message is None else stored.message.hex(),
            "measure": stored.measure,
            "record_type": stored.record_type,
            "request": None if stored.request is None else stored.request.hex(),
            "purpose": grant.purpose.label,
            "created": date_text(grant.created),
            "until": date_text(grant.until),
            "uses": stored.uses,
            "used": stored.used if stored.box == "held" else None,
            "withdrawn": withdrawn,
            "official": stored.official,
            "signed": stored.signed.hex(),
        }

    def line(self, event: ConsentEvent) -> dict[str, Json]:
        """One line of the log."""
        told: dict[str, Json] = json.loads(event.detail)
        return {
            "time": date_text(event.time),
            "kind": event.kind,
            "subject": event.subject,
            "member": event.member,
            "official": event.official,
            "detail": told,
        }

    def _answer(self, stored: StoredRequest, answer: StoredAnswer) -> dict[str, Json]:
        reason = None
        if answer.sealed_reason is not None:
            reason = open_reason(self._parts.keyring.vault, stored.id, answer.provider, answer.sealed_reason)
        return {
            "provider": answer.provider,
            "state": answer.state,
            "grant": None if answer.grant is None else answer.grant.hex(),
            "reason": reason,
            "at": None if answer.time is None else date_text(answer.time),
            "official": answer.official,
        }
