"""Refused transfers: whom a refusal is told, and what a notice of one proves. Pure.

The proof is the header, which its sender signed: anyone with the directory can ask `authorise` again. With the relay's
receipt the moment and the directory of the decision are stated; without one, the time is the word of who refused, and
what was counted of Grants is known to the relay alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from exchange.consent.authorise import authorise
from exchange.consent.decision import Decision, Ledger, Refusal, Rule
from exchange.errors import Invalid
from keys.directory import Directory
from keys.origin import LeastSize, origins_of, unbounded
from keys.receipts import receipt_covers, receipt_date_fault, receipt_size_fault
from keys.verify import Moment, VerifiedHeader, provision_fault, verify_header, verify_receipt
from schemas.canon import decode
from schemas.envelope import Core, Header, decode_header
from schemas.ids import MemberId, ProvisionId
from schemas.limits import MAX_CLOCK_AHEAD, MAX_SMALL_OBJECT
from schemas.provision import Provision
from schemas.receipt import SIGNED_RECEIPT, Receipt, SignedReceipt
from schemas.refused import RefusedTransfer

# What these rules say depends on the keys and proofs that a judge has seen, and so may differ between honest judges.
_SIGNATURES: Final = frozenset({Rule.PROVISION_SIGNATURE, Rule.GRANT_SIGNATURE})


def concerned(core: Core, decision: Decision) -> tuple[tuple[MemberId, Rule], ...]:
    """Every provider of a Provision that is refused, and the first rule by which it is; never the sender itself."""
    found: dict[ProvisionId | None, list[Refusal]] = {}
    for refusal in decision.refusals:
        found.setdefault(refusal.provision, []).append(refusal)
    told: dict[MemberId, Rule] = {}
    for signed in core.provisions:
        own = _of(signed.provision, found.get(signed.provision.id, ()))
        rule = next((refusal.rule for refusal in (*own, *found.get(None, ()))), None)
        if rule is not None:
            for provider in signed.provision.providers:
                told.setdefault(provider, rule)
    told.pop(core.sender, None)
    return tuple(sorted(told.items()))


def _of(provision: Provision, refusals: Iterable[Refusal]) -> list[Refusal]:
    """Those that are about this Provision: whoever forges one may give it the id of another's.

    A forged one is refused for its signature alone.
    """
    own = [one for one in refusals if {one.provider, *one.ask} - {None} <= {*provision.providers}]
    return [one for one in own if one.rule is Rule.PROVISION_SIGNATURE] or own


def by_rule(told: Iterable[tuple[MemberId, Rule]]) -> tuple[tuple[Rule, tuple[MemberId, ...]], ...]:
    """The same, one row for each rule."""
    rows: dict[Rule, tuple[MemberId, ...]] = {}
    for member, rule in told:
        rows[rule] = (*rows.get(rule, ()), member)
    return tuple(rows.items())


@dataclass(frozen=True, slots=True)
class JudgedRefusal:
    """A notice whose signatures hold.

    Attributes:
        receipt: the relay's, when there is one.
        decision: what `authorise` says of the transfer, with an empty account of uses.
        earliest: the same for the moment when the header was made: its sender may have offered it then, and the later
            time is the word of the relay, or of whoever tells of it.
        faulty: for each Provision of the header, the provider whose signature does not hold; None: all hold.
    """

    header: VerifiedHeader
    rule: Rule
    time: int
    receipt: Receipt | None
    decision: Decision
    earliest: Decision
    faulty: tuple[MemberId | None, ...]

    @property
    def agrees(self) -> bool:
        """Whether `authorise` refuses the transfer here by the same rule; when not, this judge cannot tell."""
        decisions = (self.decision, self.earliest)
        return all(any(refusal.rule is self.rule for refusal in one.refusals) for one in decisions)

    @property
    def decided(self) -> int:
        """When it was refused, or accepted, as who refused it, or the relay, states (Unix seconds)."""
        return self.time if self.receipt is None else self.receipt.time

    @property
    def lawful(self) -> bool:
        """Whether the transfer was lawful for certain: all that the rule depends on is in header and receipt."""
        return self.receipt is not None and self.rule not in _SIGNATURES and self.decision.allowed

    def concerns(self, member: MemberId) -> bool:
        """Whether it is about what this member provides: a Provision that it signed, or that is forged in its name."""
        own = [
            fault
            for signed, fault in zip(self.header.core.provisions, self.faulty, strict=True)
            if member in signed.provision.providers
        ]
        if any(fault != member for fault in own):
            return True
        return bool(own) and self.rule is Rule.PROVISION_SIGNATURE and self.agrees


def judge_refused(
    refused: RefusedTransfer, directory: Directory, now: int, least_size: LeastSize = unbounded
) -> JudgedRefusal:
    """Check a notice: who forwarded, under which receipt, and whether `authorise` refuses it as the notice says.

    `directory`: the newest view; `now`: Unix seconds; `least_size`: as for a received envelope. Raises DecodeError,
    BadSignature or Invalid (false-refusal) for what is no proof of anything, Untrusted for a key or a directory that is
    not known here, or that was ended.
    """
    rule = _rule(refused.rule)
    header = decode_header(refused.header)
    if not header.core.created - MAX_CLOCK_AHEAD <= refused.time <= now + MAX_CLOCK_AHEAD:
        raise _false("it is dated before the envelope was made, or in the future")
    receipt, at = None, refused.time
    if refused.receipt is not None:
        signed = decode(SIGNED_RECEIPT, refused.receipt, MAX_SMALL_OBJECT)
        receipt, at = _receipt(signed, header, directory, least_size), signed.receipt.time
        directory = directory.as_of(receipt.directory_size)
    verified = verify_header(header, directory, at)
    origins = origins_of(header.core.origins, directory, least_size)
    moment = Moment(directory, at, origins)
    faults = (provision_fault(signed, moment) for signed in header.core.provisions)
    faulty = tuple(None if fault is None else fault[0] for fault in faults)
    decision = authorise(verified, directory, Ledger(origins=origins), at)
    made = header.core.created
    earliest = authorise(verified, _as_known(directory, least_size(made)), Ledger(origins=origins), made)
    return JudgedRefusal(verified, rule, refused.time, receipt, decision, earliest, faulty)


def _as_known(directory: Directory, size: int) -> Directory:
    """With the withdrawals that bound everybody by then: later ones may have been made after the transfer."""
    known = {name: record for name, record in directory.withdrawn.items() if record.index < size}
    return replace(directory, withdrawn=MappingProxyType(known))


def receipt_of(refused: RefusedTransfer) -> Receipt | None:
    """The receipt in a notice, not verified; raises DecodeError."""
    return None if refused.receipt is None else decode(SIGNED_RECEIPT, refused.receipt, MAX_SMALL_OBJECT).receipt


def _receipt(signed: SignedReceipt, header: Header, directory: Directory, least_size: LeastSize) -> Receipt:
    """One that the relay may have given for this header; whoever judges later asks for no more, and for no less."""
    receipt = verify_receipt(signed, directory)
    if not receipt_covers(receipt, header):
        raise _false("its receipt is for another envelope")
    why = receipt_date_fault(receipt, header, receipt.time) or receipt_size_fault(receipt, least_size)
    if why is not None:
        raise _false(why)
    return receipt


def _rule(text: str) -> Rule:
    try:
        return Rule(text)
    except ValueError:
        raise _false("it names no rule of consent") from None


def _false(why: str) -> Invalid:
    return Invalid("false-refusal", f"this notice of a refused transfer proves nothing: {why}")
