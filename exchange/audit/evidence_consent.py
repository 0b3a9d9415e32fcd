"""What states have said of consent and of openings, in an evidence file."""

from collections.abc import Sequence
from typing import Final

from exchange.audit.claims import Broken, Claim, Finding, date, listed, read, short
from exchange.audit.evidence_dated import undated_signer
from exchange.audit.evidence_envelope import EnvelopeFacts
from exchange.audit.evidence_logged import Logged, Signed
from exchange.audit.evidence_view import FileView
from exchange.consent.refused import JudgedRefusal, judge_refused
from exchange.errors import ExchangeError
from keys.errors import KeyFault
from keys.origin import origins_of
from keys.verify import Moment
from schemas.consent import SIGNED_STATEMENT
from schemas.contexts import Context
from schemas.endings import Withdrawal, WithdrawalTarget
from schemas.envelope import decode_header
from schemas.errors import DecodeError
from schemas.evidence import Evidence
from schemas.grant import SIGNED_GRANT, SignedGrant
from schemas.ids import MemberId
from schemas.limits import KIB, MAX_GRANT, MAX_SERVICE, MAX_SMALL_OBJECT
from schemas.opening import SIGNED_OPENING
from schemas.refused import decode_refused
from schemas.signed import Signature

# Whose word it is when it was decided: the relay's with a receipt, and without one that of who tells of it.
_BY_WHOM: Final = {
    True: "on the word of who refused it, who also chose the time",
    False: "on the word of the relay, which also chose the time",
}


def judge_consent(
    evidence: Evidence, envelopes: Sequence[EnvelopeFacts], view: FileView, logged: Logged, found: list[Finding]
) -> None:
    """Judge them in this order; raises Broken."""
    grants = [_grant(raw, logged, found) for raw in evidence.grants]
    found.extend(_refused(raw, view, evidence.time) for raw in evidence.refused)
    found += _withdrawn(envelopes, grants, view)
    for raw in evidence.statements:
        _stated(raw, logged, found)
    for raw in evidence.openings:
        _opened(raw, envelopes, logged, found)


def _grant(raw: bytes, logged: Logged, found: list[Finding]) -> SignedGrant:
    signed = read(Claim.CONSENTED, "Grant", SIGNED_GRANT, raw, 2 * MAX_GRANT)
    grant = signed.grant
    own = _signed(signed.signature, grant.created, Context.GRANT, signed.body, raw)
    if logged.holds(Claim.CONSENTED, f"Grant {short(grant.id)} of {grant.provider}", own):
        what = "a class of information"
        if grant.provision is not None:
            what = f"the Provision with id {short(grant.provision)}"
        uses = "" if grant.uses is None else f", for {grant.uses} uses"
        said = (
            f"{grant.provider} consented by Grant {short(grant.id)} at {date(grant.created)} that {grant.holder} passes"
            f" {what} to {listed(grant.recipients)} until {date(grant.until)}{uses}"
        )
        found.append(Finding(Claim.CONSENTED, said, grant.provider))
    return signed


def _refused(raw: bytes, view: FileView, time: int) -> Finding:
    """What the sender signed, and that the rule refuses it. Raises Broken for what proves nothing."""
    try:
        notice = decode_refused(raw)
        core = decode_header(notice.header).core
        # Without a receipt nobody has said by which directory: what ended the key may have come later.
        directory = view.before_ending(core.sender, core.key_id) if notice.receipt is None else view.current
        judged = judge_refused(notice, directory, time, view.least_size)
    except (KeyFault, DecodeError, ExchangeError) as fault:
        raise Broken(Claim.TRANSFER_REFUSED, f"the notice of a refused transfer does not hold: {fault}") from None
    if judged.lawful and _undated(judged, view) is None:
        why = f"the notice says that {core.sender} broke the rules of consent, and the transfer was lawful"
        raise Broken(Claim.TRANSFER_REFUSED, why, core.sender)
    # The receipt of what is refused is the relay's word: no log has it.
    over = core.sender if view.over(core.sender, core.key_id) else _undated(judged, view) if judged.lawful else None
    if over is not None:
        said = (
            f"the refused envelope {core.id.hex()} rests on a key of {over} that is over: no log shows what was first"
        )
        return Finding(Claim.UNDATED, said, over, core.id.hex())
    said = (
        f"{core.sender} signed envelope {core.id.hex()} for {listed(judged.header.recipients)}; it was refused at"
        f" {date(judged.decided)} ({judged.rule.value})"
    )
    first = next((refusal for refusal in judged.decision.refusals if refusal.rule is judged.rule), None)
    if first is None or not judged.agrees:
        said += f", {_BY_WHOM[judged.receipt is None]}: it may have been lawful when it was made"
    else:
        said += f": {first.detail}"
    return Finding(Claim.TRANSFER_REFUSED, said, core.sender, core.id.hex())


def _undated(judged: JudgedRefusal, view: FileView) -> MemberId | None:
    """Whose key is over without which the transfer was not lawful, if what it signed may have been made since."""
    core, receipt = judged.header.core, judged.receipt
    directory = view.current if receipt is None else view.as_of(receipt.directory_size)
    origins = origins_of(core.origins, directory, view.least_size)
    moment = Moment(directory, judged.decided, origins)
    return undated_signer(core, judged.header.digest, None, moment, view, judged.decision)


def _withdrawn(envelopes: Sequence[EnvelopeFacts], grants: Sequence[SignedGrant], view: FileView) -> list[Finding]:
    """Entries of the directory that withdraw something that the file names."""
    named: set[tuple[MemberId, bytes]] = {
        (provider, signed.provision.id)
        for facts in envelopes
        for signed in facts.header.core.provisions
        for provider in signed.provision.providers
    }
    carried = [signed for facts in envelopes for signed in facts.header.core.grants]
    named |= {(signed.grant.provider, signed.grant.id) for signed in (*grants, *carried)}
    found = []
    for index, entry in enumerate(view.entries):
        statement = entry.statement
        if isinstance(statement, Withdrawal) and (statement.member, statement.id) in named:
            what = "the Provision" if statement.target is WithdrawalTarget.PROVISION else "the Grant"
            said = (
                f"{statement.member} withdrew {what} with id {short(statement.id)}, by entry {index} of the directory:"
                f" it binds what was accepted by a directory of more than {index} entries"
            )
            found.append(Finding(Claim.WITHDRAWN, said, statement.member))
    return found


def _stated(raw: bytes, logged: Logged, found: list[Finding]) -> None:
    signed = read(Claim.STATED, "statement", SIGNED_STATEMENT, raw, MAX_SERVICE + KIB)
    statement = signed.statement
    own = _signed(signed.signature, statement.created, Context.HOLDER_STATEMENT, signed.body, raw)
    if not logged.holds(Claim.STATED, f"the statement of {statement.holder}", own):
        return
    conduct = statement.conduct.name.lower().replace("_", " ")
    said = (
        f"{statement.holder} stated at {date(statement.created)} on the withdrawal by {statement.provider} of"
        f" {short(statement.id)}: {conduct}; it had passed it on in {len(statement.passed_on)} transfers"
    )
    found.append(Finding(Claim.STATED, said, statement.holder))


def _opened(raw: bytes, envelopes: Sequence[EnvelopeFacts], logged: Logged, found: list[Finding]) -> None:
    signed = read(Claim.OPENED, "receipt of an opening", SIGNED_OPENING, raw, MAX_SMALL_OBJECT)
    opening = signed.opening
    about = (opening.sender, opening.envelope, opening.header_digest)
    facts = next((f for f in envelopes if (f.header.core.sender, f.header.core.id, f.digest) == about), None)
    if facts is None or opening.reader not in facts.header.recipients:
        why = f"the opening by {opening.reader} does not hold: it is about no envelope for it in this file"
        raise Broken(Claim.OPENED, why, opening.reader)
    own = _signed(signed.signature, opening.time, Context.OPENING, signed.body, raw)
    if logged.holds(Claim.OPENED, f"the opening by {opening.reader}", own):
        said = f"{opening.reader} signed that an official of its opened the content at {date(opening.time)}"
        found.append(Finding(Claim.OPENED, said, opening.reader, opening.envelope.hex()))


def _signed(signature: Signature, time: int, context: Context, body: bytes, exact: bytes) -> Signed:
    return Signed(signature.signer, signature.key_id, time, context, body, signature.value, exact)
