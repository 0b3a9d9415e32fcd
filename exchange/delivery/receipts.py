"""Whether the relay's receipt is about an envelope: asked by the sender's node and again by the receiver's."""

from keys.digests import header_digest
from schemas.envelope import Header
from schemas.limits import MAX_CLOCK_AHEAD
from schemas.receipt import Receipt


def receipt_covers(receipt: Receipt, header: Header) -> bool:
    """True when the receipt names exactly this header and the body that it names."""
    core = header.core
    return (
        receipt.sender == core.sender
        and receipt.envelope == core.id
        and receipt.header_digest == header_digest(header)
        and receipt.body_digest == core.body_digest
        and receipt.body_size == core.body_size
    )


def receipt_date_fault(receipt: Receipt, header: Header, now: int) -> str | None:
    """Why the receipt cannot have been made at the time that it states, in a sentence; None when it can.

    A relay accepts nothing before it was created or after it expired, and does not know the future.
    """
    if receipt.time > now + MAX_CLOCK_AHEAD:
        return "the relay's receipt is dated in the future: check both clocks"
    if receipt.time < header.core.created - MAX_CLOCK_AHEAD:
        return "the relay's receipt is dated before the envelope was made: check both clocks"
    if receipt.time >= header.core.expires:
        return "the relay's receipt is dated after the envelope's expiry"
    return None
