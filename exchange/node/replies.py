"""What a provider's node says in answer to a request, and the Grants that it signs.

Call it in a thread: it signs and seals.
"""

from dataclasses import dataclass

from exchange.errors import Json
from exchange.node.consent_values import consent_event, holder_of, seal_reason, stored_grant
from exchange.node.courier import consent_message
from exchange.node.parts import Parts
from exchange.storage.request_port import GIVEN, GRANTED, REFUSED, Reply, StoredAnswer, StoredRequest
from keys.primitives import random_bytes
from schemas.canon import encode
from schemas.consent import ConsentGiven, ConsentRefused
from schemas.contexts import Context
from schemas.grant import GRANT, Grant, SignedGrant
from schemas.ids import ClassTag, GrantId, MemberId, ProvisionId
from schemas.terms import Purpose


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What a Grant is to allow: one Provision, or a class; times are Unix seconds, `uses` None is no limit."""

    holder: MemberId
    provision: ProvisionId | None
    class_tag: ClassTag | None
    recipients: tuple[MemberId, ...]
    purpose: Purpose
    until: int
    uses: int | None


class Replies:
    """Answers of one state."""

    def __init__(self, parts: Parts) -> None:
        """Over the node's parts."""
        self._parts = parts

    def granted(
        self, request: StoredRequest, terms: GrantTerms, official: str, now: int, rule: str | None = None
    ) -> Reply:
        """A Grant that answers a request; `rule`: the text of the rule that gives it."""
        signed = self.sign(terms, now)
        about = (request.message, request.measure, request.record_type)
        given = stored_grant(GIVEN, signed, request.id, about, now, official)
        answer = StoredAnswer(self._parts.member, GRANTED, grant=given.id, time=now, official=official)
        outgoing = consent_message(self._parts, (terms.holder,), ConsentGiven(signed, request.id), now)
        told: dict[str, Json] = {"grant": given.id.hex(), "until": terms.until, "uses": terms.uses, "rule": rule}
        event = consent_event(now, "request.granted", request.id, request.member, official, **told)
        return Reply(answer, outgoing, event, given)

    def refused(self, request: StoredRequest, reason: str, official: str, now: int, rule: str | None = None) -> Reply:
        """A refusal; `rule`: the text of the rule that refuses."""
        member = self._parts.member
        sealed = seal_reason(self._parts.keyring.vault, request.id, member, reason)
        answer = StoredAnswer(member, REFUSED, sealed_reason=sealed, time=now, official=official)
        said = ConsentRefused(request.id, reason)
        outgoing = consent_message(self._parts, (holder_of(request),), said, now)
        event = consent_event(now, "request.refused", request.id, request.member, official, rule=rule)
        return Reply(answer, outgoing, event)

    def sign(self, terms: GrantTerms, now: int) -> SignedGrant:
        """A new Grant of this state's."""
        identity = self._parts.keyring.signing
        grant = Grant(
            id=GrantId(random_bytes(16)),
            provider=identity.owner,
            holder=terms.holder,
            provision=terms.provision,
            class_tag=terms.class_tag,
            recipients=terms.recipients,
            purpose=terms.purpose,
            created=now,
            until=terms.until,
            uses=terms.uses,
        )
        body = encode(GRANT, grant)
        return SignedGrant(body, identity.sign(Context.GRANT, body))
