"""Whether the relay's receipt is about an envelope: asked by the sender's node and again by the receiver's."""

from keys.digests import header_digest
from keys.origin import LeastSize
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


def receipt_size_fault(receipt: Receipt, least_size: LeastSize) -> str | None:
    """Why the relay cannot have decided under the directory size that the receipt states; None when it can.

    A withdrawal or revocation that a quorum had cosigned long before binds the relay: it may not decide without it.
    """
    least = least_size(receipt.time)
    if receipt.directory_size < least:
        return f"the relay decided under {receipt.directory_size} directory entries when there were {least}"
    return None
