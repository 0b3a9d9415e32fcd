"""Each recipient's answer to an envelope in an evidence file."""

from typing import Final

from exchange.audit.claims import Broken, Claim, Finding, date, read
from exchange.audit.evidence_logged import Logged, Signed
from keys.digests import header_digest
from schemas.contexts import Context
from schemas.envelope import Header
from schemas.evidence import EnvelopeEvidence
from schemas.ids import MemberId
from schemas.limits import MAX_CLOCK_AHEAD, MAX_SMALL_OBJECT
from schemas.receipt import SIGNED_ACKNOWLEDGEMENT, Acknowledgement, Outcome

# The sender's clock may be ahead of the relay's, and the relay's of the recipient's.
_CLOCKS: Final = 2 * MAX_CLOCK_AHEAD


def judge_answers(
    item: EnvelopeEvidence, header: Header, logged: Logged, found: list[Finding]
) -> tuple[dict[MemberId, int], frozenset[MemberId]]:
    """When each recipient says that it had it (Unix seconds), and who has answered at all. Raises Broken."""
    delivered: dict[MemberId, int] = {}
    answered: set[MemberId] = set()
    name = header.core.id.hex()
    for raw in item.acknowledgements:
        signed = read(Claim.DELIVERED, "acknowledgement", SIGNED_ACKNOWLEDGEMENT, raw, MAX_SMALL_OBJECT)
        ack = signed.acknowledgement
        taken = ack.outcome is Outcome.DELIVERED
        claim = Claim.DELIVERED if taken else Claim.NOT_TAKEN
        _must_answer(claim, ack, header)
        answered.add(ack.recipient)
        own = (ack.recipient, ack.key_id, ack.time, Context.ACKNOWLEDGEMENT, signed.body, signed.signature, raw)
        if not logged.holds(claim, f"the acknowledgement of {ack.recipient}", Signed(*own)):
            continue
        if ack.time < header.core.created - _CLOCKS:
            # Who signed it chose its date; the file of who kept it must not break for that.
            said = f"{ack.recipient} dated its acknowledgement {date(ack.time)}, before envelope {name} was made"
            found.append(Finding(Claim.UNDATED, said, ack.recipient, name))
            continue
        if taken:
            delivered[ack.recipient] = ack.time
        what = "has it" if taken else "refuses it, without saying why"
        said = f"{ack.recipient} signed at {date(ack.time)}, by its own clock, that its node {what}"
        found.append(Finding(claim, said, ack.recipient, name))
    return delivered, frozenset(answered)


def _must_answer(claim: Claim, ack: Acknowledgement, header: Header) -> None:
    why = None
    if (ack.sender, ack.envelope, ack.header_digest) != (header.core.sender, header.core.id, header_digest(header)):
        why = "it is about another envelope"
    elif ack.recipient not in header.recipients:
        why = "the envelope is not for this member"
    if why is not None:
        raise Broken(claim, f"the acknowledgement of {ack.recipient} does not hold: {why}", ack.recipient)
