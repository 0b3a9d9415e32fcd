"""What is kept of a request to send until it is released: complete, so that what officials see is what goes out."""

from typing import Any

from exchange.node import request as requests
from exchange.node.act_values import Submission
from exchange.node.draft import Carried, Draft, Upload
from exchange.node.request import SendRequest
from schemas.canon import decode, encode
from schemas.grant import SIGNED_GRANT
from schemas.limits import MAX_GRANT, MAX_PROVISION
from schemas.provision import SIGNED_PROVISION


def send_submission(
    kind: str, request: SendRequest, draft: Draft, uploads: tuple[Upload, ...], carried: Carried
) -> Submission:
    """The request with the record as it was completed, every term stated, and groups and thread resolved."""
    settled = {"record": draft.record, "tlp": requests.marking(request), "thread": None}
    payload: dict[str, Any] = {
        "request": request.model_dump(mode="json") | settled,
        "provisions": [encode(SIGNED_PROVISION, signed).hex() for signed in carried.provisions],
        "grants": [encode(SIGNED_GRANT, signed).hex() for signed in carried.grants],
    }
    return Submission(kind, draft.message.measure, draft.message.record_type, payload, uploads)


def carried_of(payload: dict[str, Any]) -> Carried:
    """What its envelope has to carry of the sources of a compilation."""
    return Carried(
        tuple(decode(SIGNED_PROVISION, bytes.fromhex(text), 2 * MAX_PROVISION) for text in payload["provisions"]),
        tuple(decode(SIGNED_GRANT, bytes.fromhex(text), 2 * MAX_GRANT) for text in payload["grants"]),
    )
