"""`explain`: a decision of `authorise` in words, for every Provision and recipient; it derives, and judges nothing.

The same facts give the same words on every side: sender's node, relay and receiver's node.
"""

from collections.abc import Iterator, Sequence

from exchange.consent.authorise import authorise_transfer
from exchange.consent.decision import (
    Bar,
    Barred,
    Decision,
    Ground,
    Ledger,
    Permission,
    Refusal,
    Rule,
    Transfer,
    entry_text,
    utc,
)
from exchange.consent.explanation import Answer, Explanation, GrantFact, Missing, Signer
from keys.directory import Directory
from schemas.grant import SignedGrant
from schemas.ids import GrantId, MemberId, ProvisionId
from schemas.provision import Provision, SignedProvision
from schemas.terms import Onward


def explain(transfer: Transfer, directory: Directory, ledger: Ledger, now: int) -> Explanation:
    """Judge a transfer by `authorise_transfer` at `now` (Unix seconds), and say why. Never raises."""
    return explained(transfer, authorise_transfer(transfer, directory, ledger, now), directory, now)


def explained(transfer: Transfer, decision: Decision, directory: Directory, now: int) -> Explanation:
    """Say why a decision is what it is; the other arguments are those that it was made of."""
    words = _Words(transfer, decision, directory)
    general = tuple(
        words.missing(refusal)
        for refusal in decision.refusals
        if refusal.provision is None and refusal.recipient is None
    )
    answers = tuple(
        words.answer(signed, recipient) for signed in transfer.provisions for recipient in transfer.recipients
    )
    return Explanation(transfer.sender, now, directory.size, decision.allowed, general, answers)


class _Words:
    """The facts of one decision, found by Provision and recipient."""

    def __init__(self, transfer: Transfer, decision: Decision, directory: Directory) -> None:
        self._transfer = transfer
        self._decision = decision
        self._directory = directory
        self._grounds: dict[tuple[ProvisionId, MemberId], Permission] = {
            (ground.provision, ground.recipient): ground for ground in decision.grounds
        }
        self._holders = {ground.provision: ground for ground in decision.holders}
        self._left: dict[tuple[MemberId, GrantId], int] = {
            (provider, grant): left for provider, grant, left in decision.left
        }

    def answer(self, signed: SignedProvision, recipient: MemberId) -> Answer:
        """About one Provision and one recipient."""
        provision = signed.provision
        refusals = [refusal for refusal in self._decision.refusals if refusal.concerns(provision.id, recipient)]
        ground = self._grounds.get((provision.id, recipient))
        signers = tuple(Signer(signature.signer, signature.key_id) for signature in signed.signatures)
        about = f"what {_all(provision.providers)} provided (Provision {_short(provision.id)})"
        if refusals or ground is None:
            missing = tuple(self.missing(refusal) for refusal in refusals)
            first = "; ".join(one.what for one in missing if one.rule is refusals[0].rule)
            sentence = f"{recipient} may not receive {about} from {self._transfer.sender}: {first}"
            return Answer(provision.id, recipient, refusals[0].rule, None, sentence, signers, (), None, missing)
        until = _until(provision, self._transfer.sender, ground, self._holders[provision.id])
        sentence = f"{recipient} may receive {about} from {self._transfer.sender}: {self._reason(provision, ground)}"
        sentence += "" if until is None else f", until {utc(until)}"
        grants = tuple(self._grant(one) for one in ground.grants)
        return Answer(provision.id, recipient, None, ground.ground, sentence, signers, grants, until, ())

    def missing(self, refusal: Refusal) -> Missing:
        """A refusal, with what is wrong with each Grant that was to help."""
        # Of a Grant that does not verify the refusal says all there is.
        listed = () if refusal.rule is Rule.GRANT_SIGNATURE else refusal.barred
        barred = "; ".join(self._barred(one, refusal) for one in listed)
        what = f"{refusal.detail} ({barred})" if barred else refusal.detail
        return Missing(refusal.rule, what, refusal.provider, refusal.ask)

    def _grant(self, signed: SignedGrant) -> GrantFact:
        grant = signed.grant
        left = self._left.get((grant.provider, grant.id))
        return GrantFact(grant.provider, grant.id, signed.signature.key_id, grant.until, left)

    def _reason(self, provision: Provision, ground: Permission) -> str:
        recipient = ground.recipient
        if ground.ground is Ground.PROVIDER:
            return f"{recipient} is one of its providers"
        if ground.ground is Ground.AUDIENCE:
            return f"{_all(provision.providers)} named {recipient} in the audience"
        if ground.ground is Ground.GRANT:
            return f"by {_all([f'Grant {_short(one.grant.id)} of {one.grant.provider}' for one in ground.grants])}"
        if provision.onward is Onward.PUBLIC:
            return f"{_all(provision.providers)} made it public"
        members = f"the Member States of charter version {provision.charter}"
        return f"{_all(provision.providers)} opened it to {members}, and {recipient} is one"

    def _barred(self, barred: Barred, refusal: Refusal) -> str:
        grant, name = barred.grant.grant, f"Grant {_short(barred.grant.grant.id)} of {barred.grant.grant.provider}"
        match barred.bar:
            case Bar.HOLDER:
                return f"{name} is for {grant.holder} as its holder"
            case Bar.PURPOSE:
                return f"{name} is for {grant.purpose.label}, not for {self._transfer.purpose.label}"
            case Bar.AHEAD:
                return f"{name} is dated in the future, {utc(grant.created)}"
            case Bar.ENDED:
                return f"{name} ended {utc(grant.until)}"
            case Bar.WITHDRAWN:
                record = self._directory.withdrawn[grant.provider, grant.id]
                return f"{name} was withdrawn, {entry_text(record.index, self._directory.size)}"
            case Bar.PROVISION:
                return f"{name} is for another {'Provision' if grant.class_tag is None else 'class'}"
            case Bar.RECIPIENT:
                return f"{name} does not name {refusal.recipient}"
            case Bar.SPENT:
                return f"the {grant.uses} uses of {name} are spent"
            case Bar.SIGNATURE:
                return f"{name} does not hold"


def _until(provision: Provision, sender: MemberId, ground: Permission, holder: Permission) -> int | None:
    """The earliest end of what the answer rests on."""
    return min(_ends(provision, sender, ground, holder), default=None)


def _ends(provision: Provision, sender: MemberId, ground: Permission, holder: Permission) -> Iterator[int]:
    if provision.until is not None:
        yield provision.until
    if sender in provision.providers or ground.ground is Ground.AUDIENCE:
        yield provision.send_by
    for signed in (*ground.grants, *holder.grants):
        yield signed.grant.until


def _all(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _short(name: bytes) -> str:
    return name.hex()[:16]
