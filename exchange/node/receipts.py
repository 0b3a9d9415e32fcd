"""A receipt under a directory that was out of date when the relay decided: told with the proof of it."""

from exchange.node.following import Report
from exchange.node.parts import Parts
from schemas.canon import encode
from schemas.observation import ObservationKind
from schemas.receipt import SIGNED_RECEIPT, SignedReceipt


async def tell_out_of_date(parts: Parts, signed: SignedReceipt, why: str) -> None:
    """The relay's signed receipt, and the cosigned checkpoint that it should have decided under."""
    receipt = signed.receipt
    held = parts.directory.out_of_date(receipt.directory_size, receipt.time)
    detail = f"envelope {receipt.envelope.hex()} of {receipt.sender}: {why}"
    report = Report(ObservationKind.RECEIPT_SIZE, detail, held=held, receipt=encode(SIGNED_RECEIPT, signed))
    await parts.guard.report(report)
