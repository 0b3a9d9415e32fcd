"""What the parts of the consent desk share: lines of the log, sealed texts, who did it."""

import json
from typing import Final

from exchange.errors import Invalid, Json, Unavailable
from exchange.node.access import Caller
from exchange.node.parts import Parts
from exchange.storage.consent_port import ConsentEvent
from exchange.storage.request_port import StoredGrant, StoredRequest
from keys.errors import Undecryptable
from keys.vault import Vault
from schemas.canon import encode
from schemas.consent import REASON, ConsentRequest, decode_consent, encode_consent
from schemas.errors import DecodeError
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import MemberId
from schemas.limits import MAX_REASON

_REQUEST: Final = "consent-request"
_REASON: Final = "consent-reason"


def consent_event(
    now: int, kind: str, subject: bytes, member: str | None, official: str | None, **told: Json
) -> ConsentEvent:
    """A line of the log; `told` holds codes, ids and times, and nothing of any content."""
    return ConsentEvent(now, kind, subject.hex(), member, official, json.dumps(told, sort_keys=True))


def official_of(caller: Caller) -> str:
    """Whose token it is, as the log names it."""
    return f"{caller.ministry}/{caller.token}"


def seal_request(vault: Vault, request: ConsentRequest) -> bytes:
    """The exact bytes of a request, for the store: what states tell each other is not in clear there."""
    return vault.seal(_REQUEST, request.id, encode_consent(request))


def open_request(vault: Vault, stored: StoredRequest) -> ConsentRequest:
    """A stored request. Raises Undecryptable for a row that was altered."""
    request = decode_consent(vault.open(_REQUEST, stored.id, stored.sealed_request))
    if not isinstance(request, ConsentRequest):
        raise Undecryptable("a stored request is none")
    return request


def holder_of(request: StoredRequest) -> MemberId:
    """Who made a stored request."""
    return MemberId(request.member)


def seal_reason(vault: Vault, request: bytes, provider: str, reason: str) -> bytes:
    """The words of a refusal, for the store."""
    return vault.seal(_REASON, request + provider.encode("ascii"), reason.encode("utf-8"))


def open_reason(vault: Vault, request: bytes, provider: str, sealed: bytes) -> str:
    """The words of a refusal. Raises Undecryptable."""
    return vault.open(_REASON, request + provider.encode("ascii"), sealed).decode("utf-8")


def reason_of(text: str) -> str:
    """What an official wrote, if the wire can carry it. Raises Invalid."""
    try:
        return REASON.unpack(text.strip(), "reason")
    except DecodeError:
        told = f"/reason: write 1 to {MAX_REASON} characters, in one line"
        raise Invalid("bad-reason", told, {"path": "/reason"}) from None


def require_published(parts: Parts) -> None:
    """Raises Unavailable while others cannot verify what this node signs."""
    if not parts.directory.current.knows(parts.member, parts.keyring.signing.key_id):
        why = "this node's signing key is not in the directory yet: see `cbm node status`, is it certified?"
        raise Unavailable("key-not-published", why)


def stored_grant(
    box: str,
    signed: SignedGrant,
    request: bytes | None,
    about: tuple[bytes | None, str | None, str | None],
    now: int,
    official: str | None,
) -> StoredGrant:
    """A Grant as a row; `about`: the message, its measure and record type, as far as they are known."""
    grant = signed.grant
    return StoredGrant(
        box=box,
        provider=grant.provider,
        id=grant.id,
        holder=grant.holder,
        provision=grant.provision,
        class_tag=grant.class_tag,
        until=grant.until,
        uses=grant.uses,
        signed=encode(SIGNED_GRANT, signed),
        request=request,
        message=about[0],
        measure=about[1],
        record_type=about[2],
        created=now,
        official=official,
    )
