"""Whether the relay's receipt is about an envelope: asked by the sender's node and again by the receiver's."""

from keys.digests import header_digest
from schemas.envelope import Header
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
